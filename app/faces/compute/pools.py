"""The pools of the compute face.

Source: CONTRACT 1.4.
"""

from fastapi import APIRouter, Response

from app.auth import ReaderDep
from app.database import connection
from app.faces.compute.described import refusals
from app.faces.described import success
from app.faces.draft.pools import ManyPools, Pool
from app.faces.http import DatabaseDep, Envelopes, answer
from app.ledger import pools

router = APIRouter(tags=["compute"])

ENVELOPES: Envelopes = (ManyPools,)


@router.get(
    "/os-floating-ip-pools",
    response_model=ManyPools,
    responses=success("The pools.") | refusals(),
)
async def compute_list_floating_ip_pools(
    caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List the pools by name."""
    async with connection(database) as lent:
        names = await pools.names(lent)
    return answer(ManyPools(floating_ip_pools=[Pool(name=name) for name in names]))
