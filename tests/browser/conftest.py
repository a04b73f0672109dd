"""One service with the demo's data and one browser for all; every test has a page.

Where the browser's driver is not installed, as in the venv of `make test`, this folder
has no tests.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import service

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.swagger_ui import SwaggerUI

collect_ignore_glob = [] if find_spec("playwright") else ["*"]

ROOT = Path(__file__).parents[2]
FLOATING_IPS = ROOT / os.environ.get("VENV", ".venv") / "bin" / "floating-ips"
"""The command of the venv that `make run` uses: this one has no service in it."""

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""Chromium as root in a container, with nothing to ask of anybody."""


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Serve the demo, and return where."""
    folder = Path(tempfile.mkdtemp(prefix="fip-browser-"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "FLOATING_IPS", [str(FLOATING_IPS)])
        with service.serving(folder / "data", "--demo") as running:
            yield running.url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def swagger_ui(browser: "Browser", url: str) -> "Iterator[SwaggerUI]":
    """The page, opened; in the end it must have had nothing to complain of."""
    from tests.browser.swagger_ui import SwaggerUI

    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        context.set_default_timeout(30_000)
        page = SwaggerUI(context.new_page(), url)
        page.open()
        yield page
        assert page.watch.problems == []
        assert page.watch.strangers == []
