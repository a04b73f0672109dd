"""Clients made of the OpenAPI document and used against the service.

`make test-generated` runs them; what is generated stays in a folder of pytest's.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generated.tools import DOCUMENT, HERE, TOOLS, run
from tests.service import Service, serving


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    """The service with the demo's pool."""
    with serving(folder / "generated", "--demo") as service:
        yield service


def test_openapi_python_client(service: Service, tmp_path: Path) -> None:
    said = run(
        *("openapi-python-client", "generate", "--meta", "none"),
        *("--path", DOCUMENT, "--config", HERE / "openapi_python_client.yml"),
        *("--output-path", tmp_path / "floating_ips_client"),
        cwd=tmp_path,
    )

    assert_xml_alone_is_left_out(said)
    tell(HERE / "story_openapi_python_client.py", service, tmp_path, "198.51.100.0/30")


def assert_xml_alone_is_left_out(said: str) -> None:
    """It has no XML, and says so for each body; of the rest it must leave nothing."""
    problems = re.findall(r"^WARNING .*\n\n(.*)", said, re.MULTILINE)
    assert len(problems) == said.count("WARNING")
    assert set(problems) == {"Unsupported content type application/xml"}


def test_openapi_generator(service: Service, tmp_path: Path) -> None:
    only_code = "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    run(
        *("openapi-generator-cli", "generate", "-g", "python", "-i", DOCUMENT),
        *("-o", tmp_path, "--package-name", "floating_ips_sdk"),
        *("--global-property", only_code),
        cwd=tmp_path,
    )

    tell(HERE / "story_openapi_generator.py", service, tmp_path, "198.51.100.4/30")


def tell(story: Path, service: Service, generated: Path, ip_range: str) -> None:
    run(
        *(TOOLS / "bin" / "python", "-W", "error", story),
        *(service.url, story.stem, ip_range),
        cwd=generated,
        python_path=generated,
    )


def test_openapi_typescript_and_openapi_fetch(service: Service, tmp_path: Path) -> None:
    for name in ("story.ts", "tsconfig.json"):
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")

    run("openapi-typescript", DOCUMENT, "-o", "schema.ts", cwd=tmp_path)
    run("tsc", cwd=tmp_path)
    run("node", "built/story.js", service.url, "ts", "198.51.100.8/30", cwd=tmp_path)
