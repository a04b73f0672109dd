"""Limits of the compute face: how many floating IPs there may be, and are.

Source: CONTRACT 1.9; api-ref/source/limits.inc of Nova.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, BaseModel, Field, create_model

from app.auth import PROJECT_ID_SCHEMA, ReaderDep
from app.database import connection
from app.faces.compute.described import refusals
from app.faces.described import success
from app.faces.http import DatabaseDep, Envelopes, SettingsDep, answer
from app.faces.operator.quota_sets import read_project_id, refuse_other
from app.ledger import instances, quotas

router = APIRouter(tags=["compute"])

NO_LIMIT = (
    "maxImageMeta",
    "maxPersonality",
    "maxPersonalitySize",
    "maxSecurityGroupRules",
    "maxSecurityGroups",
    "maxServerGroupMembers",
    "maxServerGroups",
    "maxServerMeta",
    "maxTotalCores",
    "maxTotalInstances",
    "maxTotalKeypairs",
    "maxTotalRAMSize",
)
NOTHING_USED = (
    "totalCoresUsed",
    "totalRAMUsed",
    "totalSecurityGroupsUsed",
    "totalServerGroupsUsed",
)


def _count(description: str, example: int) -> Any:
    return Annotated[int, Field(description=description, examples=[example])], ...


AbsoluteLimits = create_model(
    "AbsoluteLimits",
    __doc__="What the project may have, and has; -1 is no limit.",
    maxTotalFloatingIps=_count("Floating IPs it may hold.", 10),
    totalFloatingIpsUsed=_count("Floating IPs it holds.", 1),
    totalInstancesUsed=_count("Servers it has registered.", 2),
    **dict.fromkeys(NO_LIMIT, _count("Not counted here, so always -1.", -1)),
    **dict.fromkeys(NOTHING_USED, _count("Not counted here, so always 0.", 0)),
)


class Limits(BaseModel):
    """The limits of a project."""

    rate: Annotated[
        list[str], Field(description="No rate is limited here.", examples=[[]])
    ]
    absolute: Annotated[
        AbsoluteLimits,
        Field(description="What it may have, and has."),
    ]


class OneLimits(BaseModel):
    """The limits of the project."""

    limits: Annotated[Limits, Field(description="The limits.")]


ENVELOPES: Envelopes = (OneLimits,)

TenantId = Annotated[
    str | None,
    Query(
        description="Another project, for an admin.",
        examples=["demo"],
        json_schema_extra=PROJECT_ID_SCHEMA,
    ),
    AfterValidator(lambda text: text if text is None else read_project_id(text)),
]


@router.get(
    "/limits",
    response_model=OneLimits,
    responses=success("The limits.") | refusals(403),
)
async def compute_show_limits(
    caller: ReaderDep,
    database: DatabaseDep,
    settings: SettingsDep,
    tenant_id: TenantId = None,
) -> Response:
    """Show how many floating IPs the project may hold, and how many it holds."""
    project_id = tenant_id or caller.project_id
    refuse_other(caller, project_id)
    async with connection(database) as lent:
        quota = await quotas.show(lent, project_id, settings.default_quota)
        servers = await instances.count(lent, project_id)
    absolute = {
        "maxTotalFloatingIps": quota.allowed,
        "totalFloatingIpsUsed": quota.used,
        "totalInstancesUsed": servers,
        **dict.fromkeys(NO_LIMIT, quotas.NO_LIMIT),
        **dict.fromkeys(NOTHING_USED, 0),
    }
    limits = Limits(rate=[], absolute=AbsoluteLimits(**absolute))
    return answer(OneLimits(limits=limits))
