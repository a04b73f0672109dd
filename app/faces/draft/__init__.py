"""The draft face: DRAFT.md to the letter, JSON and XML, integer ids."""

from fastapi import APIRouter

from app.faces.draft import floating_ips, pools, servers

router = APIRouter()
router.include_router(floating_ips.router)
router.include_router(pools.router)
router.include_router(servers.router)

REQUESTS = (*floating_ips.REQUESTS, *pools.REQUESTS, *servers.REQUESTS)
ANSWERS = (*floating_ips.ANSWERS, *pools.ANSWERS, *servers.ANSWERS)
