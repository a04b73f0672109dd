"""Floating IPs of the draft: allocate, list, show, associate, disassociate, release."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.auth import MemberDep, ReaderDep
from app.database import Tx, connection
from app.faces import next_steps
from app.faces.conditions import IfMatchDep
from app.faces.described import ETAG, NEXT_PAGE, ONCE, refusals, success
from app.faces.draft.floating_ip_shapes import (
    AllocateBody,
    AssociateBody,
    FloatingIPId,
    ManyFloatingIPs,
    OneFloatingIP,
    details,
    many,
)
from app.faces.draft.texts import Tag
from app.faces.http import (
    PAGE_LIMIT,
    DatabaseDep,
    Limit,
    Marker,
    NoBodyDep,
    Truth,
    accepted,
    answer,
    etag,
    next_page,
)
from app.faces.once import OnceDep
from app.faces.together import Together
from app.ledger import association, attributes, claiming, floating_ips, release
from app.ledger.together import Allocation, Association, Disassociation, Release

router = APIRouter(tags=["floating-ips"])

TagFilter = Annotated[
    list[Tag] | None,
    Query(
        max_length=attributes.MOST_TAGS,
        description="Only those with this tag; with several, those that have all.",
        examples=[["web"]],
    ),
]
Associated = Annotated[
    Truth | None,
    Query(description="Only those that are associated, or are not.", examples=[True]),
]


@router.post(
    "/os-floating-ips",
    response_model=OneFloatingIP,
    responses=success(
        "The floating IP that the project now holds.",
        next_steps.ALLOCATED,
        headers=ETAG | ONCE,
    )
    | refusals(400, 403, 404, 409, 413, 415, 422),
)
async def allocate_floating_ip(
    caller: MemberDep,
    once: OnceDep,
    body: AllocateBody | None = None,
) -> Response:
    """Allocate a floating IP to the project.

    From the default pool where none is named; with `address`, this very one; with
    `reuse_unassociated`, one that the project holds already if there is one; with
    `fixed_ip`, associated at once. No body is needed; `{}` and `null` are none.
    """
    wish = (body or AllocateBody()).wish()
    settings = once.settings
    defaults = claiming.Defaults(settings.default_pool, settings.default_quota)
    pool = wish.pool or defaults.pool

    async def change(tx: Tx) -> Response:
        return details(await claiming.obtain(tx, caller, wish, defaults))

    async def with_others(together: Together) -> Response | None:
        given = await together.allocate(Allocation(caller, pool))
        return details(given) if given else None

    others = with_others if wish.is_for_any else None
    return await once(caller, change, others, allocates=1)


@router.get(
    "/os-floating-ips",
    response_model=ManyFloatingIPs,
    responses=success(
        "A page of floating IPs; the links are those of its first.",
        next_steps.FLOATING_IPS_LISTED,
        headers=NEXT_PAGE,
    )
    | refusals(400, 406),
)
async def list_floating_ips(
    request: Request,
    caller: ReaderDep,
    database: DatabaseDep,
    limit: Limit = PAGE_LIMIT,
    marker: Marker = None,
    tag: TagFilter = None,
    associated: Associated = None,
) -> Response:
    """List the project's floating IPs by id, or those with tags, associated or not.

    While more follow, a `Link` header with `rel="next"` names the next page.
    """
    chosen = floating_ips.Filter(tag or (), associated)
    async with connection(database) as lent:
        found = await floating_ips.page(
            lent, caller.project_id, marker, limit + 1, chosen
        )
    page = found[:limit]
    links = next_page(request, found, limit, page[-1].id if page else None)
    return answer(many(page), headers=links)


@router.get(
    "/os-floating-ips/{id}",
    response_model=OneFloatingIP,
    responses=success("The floating IP.", next_steps.FLOATING_IP_SHOWN, headers=ETAG)
    | refusals(404, 406),
)
async def show_floating_ip(
    id: FloatingIPId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show a floating IP; its `ETag` is its revision."""
    async with connection(database) as lent:
        floating_ip = await floating_ips.show(lent, caller.project_id, id)
    return details(floating_ip)


@router.delete(
    "/os-floating-ips/{id}",
    status_code=202,
    response_class=Response,
    responses=success("Released.", next_steps.RELEASED, status=202, headers=ONCE)
    | refusals(400, 404, 409, 412, 413, 415, 422),
)
async def release_floating_ip(
    id: FloatingIPId,
    caller: MemberDep,
    _: NoBodyDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Release a floating IP from the project; an associated one is disassociated."""

    async def change(tx: Tx) -> Response:
        await release.release(tx, caller, [id], if_match=if_match)
        return accepted()

    async def with_others(together: Together) -> Response | None:
        is_done = await together.release(Release(caller, id))
        return accepted() if is_done else None

    return await once(caller, change, with_others if if_match is None else None)


@router.post(
    "/os-floating-ips/{id}/addFloatingIp",
    status_code=202,
    response_class=Response,
    responses=success(
        "Associated.", next_steps.ASSOCIATED, status=202, headers=ETAG | ONCE
    )
    | refusals(400, 404, 409, 412, 413, 415, 422),
)
async def associate_floating_ip(
    id: FloatingIPId,
    body: AssociateBody,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Associate a floating IP with a fixed IP of a server of the project.

    Moves it at once if it is associated already; the same fixed IP is nothing to do.
    """
    fixed_ip = body.associate_address.fixed_ip

    async def change(tx: Tx) -> Response:
        revision = await association.associate(
            tx, caller, id, fixed_ip, if_match=if_match
        )
        return accepted(etag(revision))

    async def with_others(together: Together) -> Response | None:
        revision = await together.associate(Association(caller, id, fixed_ip))
        return accepted(etag(revision)) if revision else None

    return await once(caller, change, with_others if if_match is None else None)


@router.post(
    "/os-floating-ips/{id}/removeFloatingIp",
    status_code=202,
    response_class=Response,
    responses=success(
        "Disassociated.", next_steps.DISASSOCIATED, status=202, headers=ETAG | ONCE
    )
    | refusals(400, 404, 409, 412, 413, 415, 422),
)
async def disassociate_floating_ip(
    id: FloatingIPId,
    caller: MemberDep,
    _: NoBodyDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Disassociate a floating IP; the project keeps it."""

    async def change(tx: Tx) -> Response:
        revision = await association.disassociate(tx, caller, id, if_match=if_match)
        return accepted(etag(revision))

    async def with_others(together: Together) -> Response | None:
        revision = await together.disassociate(Disassociation(caller, id))
        return accepted(etag(revision)) if revision else None

    return await once(caller, change, with_others if if_match is None else None)
