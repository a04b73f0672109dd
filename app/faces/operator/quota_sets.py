"""Quota sets: how many floating IPs a project may hold.

Source: CONTRACT 1.9.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.auth import (
    PROJECT_ID,
    PROJECT_ID_SCHEMA,
    AdminDep,
    Caller,
    ReaderDep,
    Role,
)
from app.database import Tx, connection
from app.errors import InvalidValue, OtherProject
from app.faces import next_steps
from app.faces.described import ONCE, refusals, success
from app.faces.http import DatabaseDep, Envelopes, SettingsDep, Text, answer
from app.faces.once import OnceDep
from app.ledger import quotas

router = APIRouter(tags=["quotas"])


class QuotaSet(BaseModel):
    """What a project may hold."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "quota_set"}})

    id: Annotated[Text, Field(description="The project.", examples=["demo"])]
    floating_ips: Annotated[
        int, Field(description="Floating IPs; -1 is no limit.", examples=[10])
    ]


class OneQuotaSet(BaseModel):
    """The quota of one project."""

    quota_set: Annotated[QuotaSet, Field(description="The quota.")]


class QuotaSetUpdate(BaseModel):
    """What the project may hold from now on."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "quota_set"}}
    )

    floating_ips: Annotated[
        int,
        Field(
            ge=-1,
            le=2**31 - 1,
            strict=True,
            description="Floating IPs; -1 is no limit.",
            examples=[20],
        ),
    ]


class QuotaSetBody(BaseModel):
    """A quota to set."""

    model_config = ConfigDict(extra="forbid")

    quota_set: Annotated[QuotaSetUpdate, Field(description="The quota to set.")]


REQUESTS: Envelopes = (QuotaSetBody,)
ANSWERS: Envelopes = (OneQuotaSet,)


def read_project_id(text: str) -> str:
    """Read the id of a project, which need not be known.

    Raises InvalidValue.
    """
    if not PROJECT_ID.fullmatch(text):
        raise InvalidValue("project_id", "must be 1 to 255 visible characters", text)
    return text


ProjectId = Annotated[
    str,
    Path(
        description="A project.",
        examples=["demo"],
        json_schema_extra=PROJECT_ID_SCHEMA,
    ),
    AfterValidator(read_project_id),
]


def refuse_other(caller: Caller, project_id: str) -> None:
    """Let only an admin look at another project's quota.

    Raises OtherProject.
    """
    if project_id != caller.project_id and caller.role < Role.ADMIN:
        raise OtherProject(project_id)


@router.get(
    "/os-quota-sets/{project_id}",
    response_model=OneQuotaSet,
    responses=success("The quota.", next_steps.QUOTA_SHOWN) | refusals(400, 403, 406),
)
async def show_quota_set(
    project_id: ProjectId,
    caller: ReaderDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Show how many floating IPs a project may hold; another's only to an admin."""
    refuse_other(caller, project_id)
    async with connection(database) as lent:
        quota = await quotas.show(lent, project_id, settings.default_quota)
    return _quota_set(project_id, quota.allowed)


@router.put(
    "/os-quota-sets/{project_id}",
    response_model=OneQuotaSet,
    responses=success("The quota from now on.", next_steps.QUOTA_UPDATED, headers=ONCE)
    | refusals(400, 403, 409, 413, 415, 422),
)
async def update_quota_set(
    project_id: ProjectId,
    body: QuotaSetBody,
    caller: AdminDep,
    once: OnceDep,
) -> Response:
    """Set how many floating IPs a project may hold; what it holds is never taken."""
    allowed = body.quota_set.floating_ips

    async def change(tx: Tx) -> Response:
        await quotas.allow(tx, project_id, allowed)
        return _quota_set(project_id, allowed)

    return await once(caller, change)


def _quota_set(project_id: str, allowed: int) -> Response:
    return answer(OneQuotaSet(quota_set=QuotaSet(id=project_id, floating_ips=allowed)))
