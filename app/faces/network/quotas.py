"""Quotas of the network face: floating IPs, and what Neutron counts beside them.

Nothing else is counted here, so that nothing else has a limit: -1.

Source: CONTRACT 3; api-ref/source/v2/quotas.inc of neutron-lib.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from app.auth import AdminDep, ReaderDep
from app.database import Tx, connection
from app.faces.described import ONCE, success
from app.faces.http import DatabaseDep, Envelopes, SettingsDep, answer
from app.faces.network.described import changes, refusals
from app.faces.network.http import gone
from app.faces.once import OnceDep
from app.faces.operator.quota_sets import ProjectId, refuse_other
from app.ledger import quotas

router = APIRouter(tags=["network"])

NOT_COUNTED = (
    "network",
    "port",
    "rbac_policy",
    "router",
    "security_group",
    "security_group_rule",
    "subnet",
    "subnetpool",
)
"""Neutron's other keys."""

FLOATING_IPS = Annotated[
    int, Field(description="Floating IPs; -1 is no limit.", examples=[10])
]
NO_LIMIT = Annotated[
    int, Field(description="Not counted here, so always -1.", examples=[-1])
]


class NetworkQuotaUse(BaseModel):
    """A quota, and how much of it is used."""

    limit: Annotated[int, Field(description="-1 is no limit.", examples=[10])]
    used: Annotated[int, Field(description="What there is.", examples=[1])]
    reserved: Annotated[int, Field(description="Always 0.", examples=[0])]


def _model(name: str, said: str, members: dict[str, Any]) -> type[BaseModel]:
    """Make a model, with its envelope around it."""
    fields: dict[str, Any] = {member: (kind, ...) for member, kind in members.items()}
    inner = create_model(f"Network{name}", __doc__=said, **fields)
    member = Annotated[inner, Field(description="The quotas.")]
    return create_model(f"OneNeutronNetwork{name}", __doc__=said, quota=(member, ...))


LIMITS = {"floatingip": FLOATING_IPS, **dict.fromkeys(NOT_COUNTED, NO_LIMIT)}
USE = Annotated[NetworkQuotaUse, Field(description="The quota and its use.")]

OneQuota = _model("Quota", "What a project may hold.", LIMITS)
OneQuotaDetails = _model(
    "QuotaDetails", "What a project may hold, and holds.", dict.fromkeys(LIMITS, USE)
)


class NetworkQuotaUpdate(BaseModel):
    """What the project may hold from now on."""

    model_config = ConfigDict(extra="forbid")

    floatingip: Annotated[
        int,
        Field(
            ge=-1,
            le=2**31 - 1,
            description="Floating IPs; -1 is no limit.",
            examples=[20],
        ),
    ]


class NetworkQuotaBody(BaseModel):
    """A quota to set."""

    model_config = ConfigDict(extra="forbid")

    quota: Annotated[NetworkQuotaUpdate, Field(description="The quota to set.")]


ENVELOPES: Envelopes = (OneQuota, OneQuotaDetails, NetworkQuotaBody)


def _limits(allowed: int) -> dict[str, int]:
    return {"floatingip": allowed} | dict.fromkeys(NOT_COUNTED, quotas.NO_LIMIT)


def _quota(allowed: int) -> Response:
    return answer(OneQuota(quota=_limits(allowed)))


@router.get(
    "/quotas/{project_id}",
    response_model=OneQuota,
    responses=success("The quotas.") | refusals(400, 403),
)
async def network_show_quota(
    project_id: ProjectId,
    caller: ReaderDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Show how many floating IPs a project may hold; another's only to an admin."""
    refuse_other(caller, project_id)
    async with connection(database) as lent:
        quota = await quotas.show(lent, project_id, settings.default_quota)
    return _quota(quota.allowed)


@router.get(
    "/quotas/{project_id}/default",
    response_model=OneQuota,
    responses=success("The quotas.") | refusals(400, 403),
)
async def network_show_default_quota(
    project_id: ProjectId, caller: ReaderDep, settings: SettingsDep
) -> Response:
    """Show how many floating IPs a project may hold that has no quota of its own."""
    refuse_other(caller, project_id)
    return _quota(settings.default_quota)


@router.get(
    "/quotas/{project_id}/details",
    response_model=OneQuotaDetails,
    responses=success("The quotas and their use.") | refusals(400, 403),
)
async def network_show_quota_details(
    project_id: ProjectId,
    caller: ReaderDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Show how many floating IPs a project may hold, and how many it holds."""
    refuse_other(caller, project_id)
    async with connection(database) as lent:
        quota = await quotas.show(lent, project_id, settings.default_quota)
    uses = {
        name: NetworkQuotaUse(limit=allowed, used=0, reserved=0)
        for name, allowed in _limits(quota.allowed).items()
    }
    uses["floatingip"].used = quota.used
    return answer(OneQuotaDetails(quota=uses))


@router.put(
    "/quotas/{project_id}",
    response_model=OneQuota,
    responses=success("The quotas from now on.", headers=ONCE) | changes(403, 413, 415),
)
async def network_update_quota(
    project_id: ProjectId, body: NetworkQuotaBody, caller: AdminDep, once: OnceDep
) -> Response:
    """Set how many floating IPs a project may hold; what it holds is never taken."""
    allowed = body.quota.floatingip

    async def change(tx: Tx) -> Response:
        await quotas.allow(tx, project_id, allowed)
        return _quota(allowed)

    return await once(caller, change)


@router.delete(
    "/quotas/{project_id}",
    status_code=204,
    response_class=Response,
    responses=success("Back at the default.", status=204, headers=ONCE) | changes(403),
)
async def network_reset_quota(
    project_id: ProjectId, caller: AdminDep, once: OnceDep, settings: SettingsDep
) -> Response:
    """Let a project hold as many floating IPs as the service's default says."""

    async def change(tx: Tx) -> Response:
        await quotas.reset(tx, project_id, settings.default_quota)
        return gone()

    return await once(caller, change)
