"""Finds the route of a request at once, instead of asking one after another.

FastAPI asks each router that was included, and that each of its routes, for every
request. Here routes are filed under their method, the first segment of their path and
the number of its segments; those few are asked in FastAPI's order. What is not found
here, like a path with another method, is left to FastAPI and its refusals.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import Receive, Scope, Send

Key = tuple[str, str, int]


class Entry(NamedTuple):
    """A route, and what the paths look like at which it is mounted.

    Template and face are what requests are counted by.
    """

    pattern: re.Pattern[str]
    route: APIRoute
    template: str
    face: str


class Directory(BaseRoute):
    """One route that stands for all that are given, where each of them is mounted.

    Routers must add nothing to their routes but a prefix.
    """

    path_regex = None
    """It has no path of its own, whoever looks through all routes for theirs."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._entries: dict[Key, list[Entry]] = {}
        for context in iter_route_contexts(list(routes)):
            if isinstance(context.original_route, APIRoute):
                self._file(context, context.original_route)

    def _file(self, context: RouteContext, route: APIRoute) -> None:
        path = str(context.path)
        pattern, _, convertors = compile_path(path)
        if "path" in convertors or path.startswith("/{"):
            return
        entry = Entry(pattern, route, path, _face(route))
        for method in route.methods or ():
            self._entries.setdefault(_key(method, path), []).append(entry)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell which route it is, and what stands for the parameters of its path."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for entry in self._entries.get(_key(scope["method"], path), ()):
            if match := entry.pattern.match(path):
                return Match.FULL, {
                    "route": entry.route,
                    "endpoint": entry.route.endpoint,
                    "path_params": {
                        **scope.get("path_params", {}),
                        **match.groupdict(),
                    },
                    "template": entry.template,
                    "face": entry.face,
                }
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request by the route that was found."""
        await scope["route"].app(scope, receive, send)


def _key(method: str, path: str) -> Key:
    return method, path[1:].partition("/")[0], path.count("/")


def _face(route: APIRoute) -> str:
    """Name the module or package of `app.faces` that the route stands in."""
    return str(route.endpoint.__module__).split(".")[2]
