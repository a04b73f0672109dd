"""The headers that keep browsers from making anything else of an answer, and /docs."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from starlette.requests import Request
from starlette.responses import Response

from app.faces.swagger_ui import FOLDERS
from app.main import wrap
from tests import tables
from tests.conftest import make_client

OF_ANSWERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
POLICY_OF_THE_PAGE = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/os-floating-ips", 200),
        ("HEAD", "/os-floating-ips", 200),
        ("GET", "/os-floating-ips.xml", 200),
        ("GET", "/os-floating-ips/1", 404),
        ("GET", "/nowhere", 404),
        ("PUT", "/os-floating-ips", 405),
        ("POST", "/docs", 405),
        ("GET", "/openapi.json", 200),
        ("GET", "/livez", 200),
        ("GET", "/docs/assets/nothing.js", 404),
    ],
)
async def test_every_answer_has_the_headers_once(
    client: AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)

    assert response.status_code == status
    for name, value in OF_ANSWERS.items():
        assert response.headers.get_list(name) == [value]


@pytest.mark.parametrize("path", ["/crash", "/docs/crash"])
async def test_a_crash_has_the_headers_too(api: FastAPI, path: str) -> None:
    async def crash(_: Request) -> Response:
        raise RuntimeError

    api.add_route(path, crash)
    async with make_client(wrap(api), "joe:demo") as client:
        response = await client.get(path)

    assert response.status_code == 500
    assert {name: response.headers[name] for name in OF_ANSWERS} == OF_ANSWERS


async def test_the_policy_of_the_page_names_this_origin_alone(
    client: AsyncClient,
) -> None:
    response = await client.get("/docs")

    policy = response.headers.get_list("Content-Security-Policy")
    assert [set(each.split("; ")) for each in policy] == [POLICY_OF_THE_PAGE]
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


class Page(HTMLParser):
    """What a page loads, and what its policy would not let run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: set[str] = set()
        self.inline: list[str] = []
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, value in attrs:
            if name == "src" or (name == "href" and tag == "link"):
                self.loads.add(value or "")
            if name.startswith("on") or name == "style":
                self.inline.append(name)

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.inline.append(data)


async def test_the_page_loads_what_is_served_and_has_nothing_inline(
    client: AsyncClient,
) -> None:
    page = Page((await client.get("/docs")).text)

    assert page.loads == {f"./docs/assets/{name}" for name in FOLDERS}
    assert page.inline == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("start.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("page.css", "text/css"),
        ("swagger-ui.css", "text/css"),
        ("favicon-32x32.png", "image/png"),
    ],
)
async def test_an_asset_is_kept_and_asked_for_again(
    client: AsyncClient, name: str, kind: str
) -> None:
    first = await client.get(f"/docs/assets/{name}")
    again = await client.get(
        f"/docs/assets/{name}", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["Content-Type"].partition(";")[0] == kind
    assert first.headers.get_list("Cache-Control") == ["no-cache"]
    assert first.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    ["index.html", "swagger-initializer.js", "__init__.py", "..%2Fdocs.py", "", "a/b"],
)
async def test_nothing_else_of_the_folders_is_served(
    client: AsyncClient, name: str
) -> None:
    response = await client.get(f"/docs/assets/{name}")

    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/docs/assets/start.js"])
async def test_head_is_answered_with_no_body(client: AsyncClient, path: str) -> None:
    response = await client.head(path)

    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) > 0
    assert response.content == b""


def test_every_operation_has_a_plain_title_and_a_group_that_is_described(
    api: FastAPI,
) -> None:
    document = api.openapi()
    groups = {tag["name"] for tag in document["tags"] if tag["description"]}

    for item in document["paths"].values():
        for operation in item.values():
            title, said = operation["summary"], operation["description"]
            assert said.replace("`", "").replace("\n", " ").startswith(title)
            assert "`" not in title
            assert len(operation["tags"]) == 1
            assert set(operation["tags"]) <= groups


@pytest.mark.parametrize("path", sorted(Path("docs").glob("*.md")), ids=str)
def test_the_tables_in_the_documents_are_what_the_code_says(path: Path) -> None:
    text = path.read_text()

    assert tables.with_tables(text) == text, "run: make docs"
