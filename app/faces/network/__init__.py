"""The network face: the part of Neutron's API that today's clients need.

What is the same for all of its routes stands in `wire.network`: its two places, JSON
alone, the shape of refusals.
"""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope

from app.faces.network import (
    extensions,
    floatingip_requests,
    floatingip_shapes,
    floatingips,
    network_shapes,
    networks,
    ports,
    quotas,
    tags,
    versions,
)
from app.wire.network import PREFIX, is_here

MODULES = (floatingips, tags, networks, ports, quotas, extensions)
SHAPES = (
    floatingip_shapes,
    floatingip_requests,
    tags,
    network_shapes,
    ports,
    quotas,
    extensions,
    versions,
)


class _Here(APIRouter):
    """A router whose routes are not even looked at for paths that are not here."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether one of the routes matches."""
        if not is_here(scope["path"].removeprefix(scope.get("root_path", ""))):
            return Match.NONE, {}
        return super().matches(scope)


router = _Here()
for module in MODULES:
    router.include_router(module.router, prefix=PREFIX)
router.include_router(versions.router)

ENVELOPES = tuple(envelope for module in SHAPES for envelope in module.ENVELOPES)
"""The models of requests and answers, for their examples."""
