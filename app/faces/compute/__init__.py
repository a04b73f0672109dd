"""The compute face: Nova's API as it was shipped, for its clients of fifteen years.

What is the same for all of its routes stands in `wire.compute`: the other two places
where they are, microversions, JSON alone.
"""

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import Match
from starlette.types import Scope

from app.errors import ApiError, FixedIPOccupied
from app.faces.compute import (
    actions,
    bulk,
    extensions,
    floating_ips,
    limits,
    pools,
    quota_sets,
    server_addresses,
    server_requests,
    server_shapes,
    servers,
)
from app.wire.compute import PREFIX

MODULES = (
    floating_ips,
    pools,
    servers,
    server_addresses,
    actions,
    quota_sets,
    limits,
    bulk,
    extensions,
)
SHAPES = (
    floating_ips,
    pools,
    server_shapes,
    server_requests,
    server_addresses,
    actions,
    quota_sets,
    limits,
    bulk,
    extensions,
)


class _Below(APIRouter):
    """A router whose routes are not even looked at for paths that are not below it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether one of the routes matches."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith(f"{PREFIX}/"):
            return Match.NONE, {}
        return super().matches(scope)


router = _Below()
for module in MODULES:
    router.include_router(module.router, prefix=PREFIX)

RESOURCES = frozenset(
    str(context.path).removeprefix(f"{PREFIX}/").partition("/")[0]
    for context in iter_route_contexts(router.routes)
)
"""The first segments of all paths, behind the prefix."""

ENVELOPES = tuple(envelope for module in SHAPES for envelope in module.ENVELOPES)
"""The models of requests and answers, for their examples."""

STATUSES: dict[type[ApiError], int] = {FixedIPOccupied: 400}
"""Where Nova's status for a refusal is another than the draft's."""
