"""Quota sets of the compute face: floating IPs, and what Nova counts beside them.

Nothing else is counted here, so that nothing else has a limit: -1.

Source: CONTRACT 1.9; api-ref/source/os-quota-sets.inc of Nova.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, BeforeValidator, Field, create_model

from app.auth import AdminDep, ReaderDep
from app.database import Tx, connection
from app.errors import InvalidValue
from app.faces.compute.described import changes, refusals
from app.faces.described import ONCE, success
from app.faces.http import DatabaseDep, Envelopes, SettingsDep, Text, accepted, answer
from app.faces.once import OnceDep
from app.faces.operator.quota_sets import ProjectId, refuse_other
from app.ledger import quotas

NOT_COUNTED = (
    "cores",
    "fixed_ips",
    "injected_file_content_bytes",
    "injected_file_path_bytes",
    "injected_files",
    "instances",
    "key_pairs",
    "metadata_items",
    "ram",
    "security_group_rules",
    "security_groups",
    "server_group_members",
    "server_groups",
)
"""Nova's other keys."""


async def _refuse_user(request: Request) -> None:
    """Refuse to tell or to set the quota of one user of a project, which Nova can.

    Raises InvalidValue.
    """
    user_id = request.query_params.get("user_id")
    if user_id is not None:
        raise InvalidValue("user_id", "only projects have quotas here", user_id)


router = APIRouter(tags=["compute"], dependencies=[Depends(_refuse_user)])

ID = Annotated[Text, Field(description="The project.", examples=["demo"])]
FLOATING_IPS = Annotated[
    int, Field(description="Floating IPs; -1 is no limit.", examples=[10])
]
NO_LIMIT = Annotated[
    int, Field(description="Not counted here, so always -1.", examples=[-1])
]


class QuotaUse(BaseModel):
    """A quota, and how much of it is used."""

    limit: Annotated[int, Field(description="-1 is no limit.", examples=[10])]
    in_use: Annotated[int, Field(description="What there is.", examples=[1])]
    reserved: Annotated[int, Field(description="Always 0.", examples=[0])]


def _model(name: str, said: str, members: dict[str, Any]) -> type[BaseModel]:
    """Make a model, with its envelope around it."""
    fields: dict[str, Any] = {member: (kind, ...) for member, kind in members.items()}
    inner = create_model(f"Compute{name}", __doc__=said, **fields)
    member = Annotated[inner, Field(description="The quotas.")]
    return create_model(f"OneCompute{name}", __doc__=said, quota_set=(member, ...))


LIMITS = {"floating_ips": FLOATING_IPS, **dict.fromkeys(NOT_COUNTED, NO_LIMIT)}
USE = Annotated[QuotaUse, Field(description="The quota and its use.")]
USES = dict.fromkeys(LIMITS, USE)

OneQuotaSet = _model("QuotaSet", "What a project may hold.", {"id": ID, **LIMITS})
OneQuotaSetUpdated = _model(
    "QuotaSetUpdated", "What a project may hold from now on.", LIMITS
)
OneQuotaSetDetail = _model(
    "QuotaSetDetail", "What a project may hold, and holds.", {"id": ID, **USES}
)


def _read_number(value: object) -> object:
    """Read a number that is written as a text, as Nova does."""
    is_text = isinstance(value, str) and value.removeprefix("-").isdecimal()
    return int(str(value)) if is_text and len(str(value)) < 12 else value


class ComputeQuotaSetUpdate(BaseModel):
    """What the project may hold from now on; Nova's other keys mean nothing."""

    floating_ips: Annotated[
        int | None,
        Field(
            ge=-1,
            le=2**31 - 1,
            strict=True,
            description="Floating IPs; -1 is no limit, and nothing no change.",
            examples=[20],
        ),
        BeforeValidator(_read_number),
    ] = None


class ComputeQuotaSetBody(BaseModel):
    """A quota to set."""

    quota_set: Annotated[ComputeQuotaSetUpdate, Field(description="The quota to set.")]


ENVELOPES: Envelopes = (
    OneQuotaSet,
    OneQuotaSetUpdated,
    OneQuotaSetDetail,
    ComputeQuotaSetBody,
)


def _limits(allowed: int) -> dict[str, int]:
    return {"floating_ips": allowed} | dict.fromkeys(NOT_COUNTED, quotas.NO_LIMIT)


@router.get(
    "/os-quota-sets/{project_id}",
    response_model=OneQuotaSet,
    responses=success("The quotas.") | refusals(403),
)
async def compute_show_quota_set(
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


@router.get(
    "/os-quota-sets/{project_id}/defaults",
    response_model=OneQuotaSet,
    responses=success("The quotas.") | refusals(403),
)
async def compute_show_default_quota_set(
    project_id: ProjectId, caller: ReaderDep, settings: SettingsDep
) -> Response:
    """Show how many floating IPs a project may hold that has no quota of its own."""
    refuse_other(caller, project_id)
    return _quota_set(project_id, settings.default_quota)


def _quota_set(project_id: str, allowed: int) -> Response:
    return answer(OneQuotaSet(quota_set={"id": project_id} | _limits(allowed)))


@router.get(
    "/os-quota-sets/{project_id}/detail",
    response_model=OneQuotaSetDetail,
    responses=success("The quotas and their use.") | refusals(403),
)
async def compute_show_quota_set_detail(
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
        name: QuotaUse(limit=allowed, in_use=0, reserved=0)
        for name, allowed in _limits(quota.allowed).items()
    }
    uses["floating_ips"].in_use = quota.used
    return answer(OneQuotaSetDetail(quota_set={"id": project_id} | uses))


@router.put(
    "/os-quota-sets/{project_id}",
    response_model=OneQuotaSetUpdated,
    responses=success("The quotas from now on.", headers=ONCE) | changes(403, 413, 415),
)
async def compute_update_quota_set(
    project_id: ProjectId,
    body: ComputeQuotaSetBody,
    caller: AdminDep,
    once: OnceDep,
    settings: SettingsDep,
) -> Response:
    """Set how many floating IPs a project may hold; what it holds is never taken."""
    allowed = body.quota_set.floating_ips

    async def change(tx: Tx) -> Response:
        if allowed is not None:
            await quotas.allow(tx, project_id, allowed)
        quota = await quotas.show(tx, project_id, settings.default_quota)
        return answer(OneQuotaSetUpdated(quota_set=_limits(quota.allowed)))

    return await once(caller, change)


@router.delete(
    "/os-quota-sets/{project_id}",
    status_code=202,
    response_class=Response,
    responses=success("Back at the default.", status=202, headers=ONCE) | changes(403),
)
async def compute_reset_quota_set(
    project_id: ProjectId, caller: AdminDep, once: OnceDep, settings: SettingsDep
) -> Response:
    """Let a project hold as many floating IPs as the service's default says."""

    async def change(tx: Tx) -> Response:
        await quotas.reset(tx, project_id, settings.default_quota)
        return accepted()

    return await once(caller, change)
