"""What operators do beside the draft: quotas, pools, their addresses, and holds."""

from fastapi import APIRouter

from app.faces.operator import bulk, holds, pools, quota_sets

router = APIRouter()
_PARTS = (quota_sets, pools, bulk, holds)
for part in _PARTS:
    router.include_router(part.router)

REQUESTS = tuple(model for part in _PARTS for model in part.REQUESTS)
ANSWERS = tuple(model for part in _PARTS for model in part.ANSWERS)
