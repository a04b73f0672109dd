"""The draft face: DRAFT.md to the letter, JSON and XML, integer ids."""

from fastapi import APIRouter

from app.faces.draft import floating_ip_shapes, floating_ips, pools, servers

router = APIRouter()
router.include_router(floating_ips.router)
router.include_router(pools.router)
router.include_router(servers.router)

REQUESTS = (*floating_ip_shapes.REQUESTS, *pools.REQUESTS, *servers.REQUESTS)
ANSWERS = (*floating_ip_shapes.ANSWERS, *pools.ANSWERS, *servers.ANSWERS)
