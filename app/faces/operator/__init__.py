"""What operators do beside the draft: quota sets, and the addresses of the pools."""

from fastapi import APIRouter

from app.faces.operator import bulk, quota_sets

router = APIRouter()
router.include_router(quota_sets.router)
router.include_router(bulk.router)

REQUESTS = (*quota_sets.REQUESTS, *bulk.REQUESTS)
ANSWERS = (*quota_sets.ANSWERS, *bulk.ANSWERS)
