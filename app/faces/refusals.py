"""Turns whatever a route raises into a fault, and a 405 into one with every Allow."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from app.errors import ApiError, PathNotFound, fault_body, quote

log = structlog.get_logger()

CRASHED = "The server failed; the failure is logged."
TOP_MEMBERS = {"body", "path", "query", "header"}
"""Where FastAPI says a value stood; clients know the member's name alone."""

RULES = {
    "missing": "is required",
    "extra_forbidden": "is no member here",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a string",
    "string_unicode": "must be Unicode text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
}
"""pydantic's kinds of errors whose own words would not do."""


def install(api: FastAPI) -> None:
    """Answer every exception of the application with a fault."""
    api.add_exception_handler(ApiError, _refuse)
    api.add_exception_handler(RequestValidationError, _refuse_invalid)
    api.add_exception_handler(HTTPException, _refuse_http)
    api.add_exception_handler(Exception, _crash)


def _render(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    content = to_json(fault_body(status, message, headers))
    return Response(content, status, headers, "application/json")


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  # what it was installed for
    return _render(error.status, str(error), error.headers)


async def _refuse_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return _render(400, _sentence(error.errors()[0]))


def _sentence(problem: Mapping[str, Any]) -> str:
    """Name the member, its value if it is a scalar, and the rule."""
    location: Sequence[str | int] = problem["loc"]
    kind: str = problem["type"]
    if kind == "json_invalid":
        return f"The body is not valid JSON at character {location[-1]}."
    inner = location[1:] if location[0] in TOP_MEMBERS else location
    member = ".".join(str(part)[:64] for part in inner) or "The body"
    rule = RULES.get(kind) or _decapitalised(problem["msg"])
    return f"{quote(member)[1:-1]}{_quoted(problem)}: {rule}."


def _decapitalised(message: str) -> str:
    rule = message.removeprefix("Value error, ").removeprefix("Input ")
    return rule[:1].lower() + rule[1:]


def _quoted(problem: Mapping[str, Any]) -> str:
    value = problem.get("input")
    if problem["type"] == "missing" or not isinstance(value, str | int | float):
        return ""
    return f" {quote(value)}"


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    match error.status_code:
        case 404:
            return _render(404, str(PathNotFound()))
        case 405:
            allow = _allowed(request)
            message = f"{request.method} is not allowed here; allowed: {allow}."
            return _render(405, message, {"Allow": allow})
        case 400:
            return _render(400, "The body cannot be read as JSON.")
        case status:
            return _render(status, str(error.detail), error.headers)


def _allowed(request: Request) -> str:
    """List the methods of all routes with this path: Starlette names only one route's.

    Where a route spells out what others have a parameter for, it is that route's path.

    Source: RFC 9110 section 15.5.6.
    """
    found: dict[int, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if (regex := route.path_regex) and regex.match(request.url.path):
            found.setdefault(regex.groups, set()).update(route.methods or ())
    methods = found[min(found)] if found else set()
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


async def _crash(request: Request, error: Exception) -> Response:
    log.error(
        "crash",
        request_id=request.scope["state"]["request_id"],
        method=request.method,
        exc_info=error,
    )
    return _render(500, CRASHED)
