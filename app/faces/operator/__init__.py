"""What operators do beside the draft: quotas, pools, addresses, holds, history."""

from fastapi import APIRouter

from app.faces.operator import bulk, history, holds, pools, quota_sets

router = APIRouter()
_PARTS = (quota_sets, pools, bulk, holds, history)
for part in _PARTS:
    router.include_router(part.router)

REQUESTS = tuple(model for part in _PARTS for model in part.REQUESTS)
ANSWERS = tuple(model for part in _PARTS for model in part.ANSWERS)
