"""Swagger UI as somebody in front of the screen uses it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, Request

PICTURES = Path(os.environ.get("CI_OUTPUT") or "/tmp/floating-ips") / "browser"  # noqa: S108
"""Where pictures of the screen go; for people to look at, compared with nothing."""

OF_A_REFUSAL = re.compile(r"Failed to load resource: .* status of 4\d\d ")


class Watch:
    """What a page asks for, and what its console has to complain of."""

    def __init__(self, page: Page, url: str) -> None:
        self.url = url
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("console", self._console)
        page.on("pageerror", self._error)

    @property
    def strangers(self) -> list[str]:
        """Requests that left for somewhere else; `data:` never leaves the page."""
        here = ("data:", f"{self.url}/")
        return [url for url in self.requests if not url.startswith(here)]

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _failed(self, request: Request) -> None:
        self.problems.append(f"{request.url}: {request.failure}")

    def _error(self, error: Error) -> None:
        self.problems.append(str(error))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _is_refusal(message):
            self.problems.append(f"{message.type}: {message.text}")


def _is_refusal(message: ConsoleMessage) -> bool:
    """Tell Chromium's note on a refusal of the API from one on a file of the page."""
    path = urlsplit(message.location["url"]).path
    aside = path.startswith("/docs") or path == "/openapi.json"
    return not aside and bool(OF_A_REFUSAL.match(message.text))


@dataclass(frozen=True)
class Shown:
    """An answer as the page shows it."""

    status: int
    body: str
    headers: str


class SwaggerUI:
    """The page at /docs."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.watch = Watch(page, url)

    def open(self, fragment: str = "") -> None:
        """Load the page, and wait until the operations are there."""
        self.page.goto(f"{self.url}/docs{fragment}")
        self.page.locator(".opblock").first.wait_for()

    def authorize(self, token: str) -> None:
        """Hand in a token by the button at the top."""
        self.page.locator(".auth-wrapper > button.authorize").click()
        dialog = self.page.locator(".dialog-ux")
        dialog.get_by_label("Value").fill(token)
        self.picture("authorize")
        dialog.locator("button.authorize").click()
        dialog.get_by_text("Authorized").wait_for()
        dialog.get_by_role("button", name="Close", exact=True).last.click()

    def operation(self, name: str) -> Locator:
        """Return an operation by its id, and unfold it, it alone."""
        named = f"[id$='-{name}']"
        for other in self.page.locator(f".opblock.is-open:not({named})").all():
            other.locator(".opblock-summary-control").click()
        block = self.page.locator(f".opblock{named}")
        if "is-open" not in (block.get_attribute("class") or ""):
            block.locator(".opblock-summary-control").click()
            block.locator("button.execute").wait_for()
        return block

    def execute(
        self,
        name: str,
        media_type: str = "application/json",
        *,
        id: int | None = None,
        body: str | None = None,
    ) -> Shown:
        """Try an operation out; without a body of the caller's, with the example."""
        block = self.operation(name)
        if (clear := block.locator("button.btn-clear")).count():
            clear.click()
        if id is not None:
            block.get_by_placeholder("id", exact=True).fill(str(id))
        _choose(block, media_type)
        if body is not None:
            block.locator("textarea.body-param__text").fill(body)
        block.locator("button.execute").click()
        return _shown(block.locator(".live-responses-table tbody .response"))

    def picture(self, name: str, part: Locator | None = None) -> None:
        """Keep a picture of the screen, or of a part of the page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        (part or self.page).screenshot(path=PICTURES / f"{name}.png")

    def picture_of_request(self, name: str, operation: str) -> None:
        """Keep a picture of the screen with what is to be sent."""
        self.operation(operation).evaluate("block => block.scrollIntoView()")
        self.picture(name)

    def picture_of_answer(self, name: str, operation: str) -> None:
        """Keep a picture of what was sent and of what came back."""
        block = self.operation(operation)
        self.picture(name, block.locator(".responses-inner > div").first)


def _choose(block: Locator, media_type: str) -> None:
    """Choose the type of the body and of the answer, where there is a choice."""
    of_body = block.get_by_label("Request content type")
    of_answer = block.locator(".response-control-media-type--accept-controller select")
    for choice in (of_body, of_answer):
        if choice.count():
            choice.select_option(media_type)


def _shown(answer: Locator) -> Shown:
    status = answer.locator(".response-col_status").inner_text()
    body = answer.locator(".highlight-code code")
    headers = answer.locator("h5:text('Response headers') + pre")
    text = body.inner_text() if body.count() else ""
    return Shown(int(status.split()[0]), text, headers.inner_text())
