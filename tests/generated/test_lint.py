"""The OpenAPI document under the rules of two linters that others maintain."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.generated.tools import DOCUMENT, HERE, run


@pytest.fixture
def lintable(tmp_path: Path) -> Path:
    """The document without its examples in XML.

    Both linters judge the text of such an example as if it were JSON (their issues
    stoplightio/spectral#2523 and Redocly/redocly-cli#1276, both open). The XML Schemas
    judge them in tests/wire/test_xsd.py.
    """
    document = json.loads(DOCUMENT.read_text())
    for item in document["paths"].values():
        for operation in item.values():
            request = operation.get("requestBody", {})
            for body in (request, *operation["responses"].values()):
                drop_examples(body.get("content", {}).get("application/xml", {}))
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document, indent=2))
    return path


def drop_examples(form: dict[str, Any]) -> None:
    for name in ("example", "examples"):
        form.pop(name, None)


def test_spectral_finds_nothing(lintable: Path) -> None:
    run(
        *("spectral", "lint", "--fail-severity", "hint"),
        *("--ruleset", HERE / "spectral.yaml", lintable),
        cwd=lintable.parent,
    )


def test_redocly_finds_nothing(lintable: Path) -> None:
    said = run(
        *("redocly", "lint", "--config", HERE / "redocly.yaml", lintable),
        cwd=lintable.parent,
    )

    assert "valid" in said
    assert "warning" not in said
