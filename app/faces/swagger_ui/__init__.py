"""Swagger UI at `/docs`: our page and its start, and three files of the package.

The page may load and ask this origin alone, so the package's files are served one by
one: its own start page, which shows an example on another machine, is not.
"""

from pathlib import Path

import swagger_ui_bundle
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.errors import PathNotFound

PAGE = "/docs"
ASSETS = f"{PAGE}/assets/{{name}}"

OURS = StaticFiles(directory=Path(__file__).parent)
THEIRS = StaticFiles(directory=Path(str(swagger_ui_bundle.swagger_ui_path)))
FOLDERS = {
    "start.js": OURS,
    "page.css": OURS,
    "swagger-ui-bundle.js": THEIRS,
    "swagger-ui.css": THEIRS,
    "favicon-32x32.png": THEIRS,
}
"""Where each file that the page may load lies."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What the page may do; the images within Swagger UI's style sheet are `data:`."""

ASK_AGAIN = {"Cache-Control": "no-cache"}
"""Keep it, but ask each time whether it is still the same: 304 if so."""

OF_THE_PAGE = {
    **ASK_AGAIN,
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
}


def install(api: FastAPI) -> None:
    """Serve the page and what it loads, to GET and HEAD."""
    api.add_route(PAGE, _page, include_in_schema=False)
    api.add_route(ASSETS, _asset, include_in_schema=False)


async def _page(request: Request) -> Response:
    answer = await OURS.get_response("index.html", request.scope)
    answer.headers.update(OF_THE_PAGE)
    return answer


async def _asset(request: Request) -> Response:
    name: str = request.path_params["name"]
    if name not in FOLDERS:
        raise PathNotFound
    answer = await FOLDERS[name].get_response(name, request.scope)
    answer.headers.update(ASK_AGAIN)
    return answer
