"""The draft face: DRAFT.md to the letter, JSON and XML, integer ids."""

from fastapi import APIRouter

from app.faces.draft import (
    attributes,
    batch,
    floating_ip_shapes,
    floating_ips,
    pools,
    servers,
)

router = APIRouter()
for part in (floating_ips, attributes, batch, pools, servers):
    router.include_router(part.router)

_SHAPES = (floating_ip_shapes, attributes, batch, pools, servers)
REQUESTS = tuple(model for part in _SHAPES for model in part.REQUESTS)
ANSWERS = tuple(model for part in _SHAPES for model in part.ANSWERS)
