"""Tags of floating IPs as a resource of their own.

Source: CONTRACT 3; api-ref/source/v2/tags.inc of neutron-lib.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, WithJsonSchema
from pydantic_core import to_json

from app.auth import MemberDep, ReaderDep
from app.database import Tx, connection
from app.errors import InvalidValue
from app.faces.described import ONCE, success
from app.faces.http import DatabaseDep, Envelopes
from app.faces.network.described import changes, refusals
from app.faces.network.floatingip_requests import FloatingIPTagsBody
from app.faces.network.http import FloatingIPId, IfMatchDep, gone
from app.faces.once import OnceDep
from app.ledger import attributes, by_uuid, floating_ip_views, tagging
from app.ledger.attributes import Attributes, Changes
from app.ledger.tagging import TagNotFound

router = APIRouter(tags=["network"])

PATH = "/floatingips/{id}/tags"


class FloatingIPTags(BaseModel):
    """The tags of a floating IP."""

    tags: Annotated[
        list[str], Field(description="The tags, in order.", examples=[["web"]])
    ]


ENVELOPES: Envelopes = (FloatingIPTags,)

Tag = Annotated[
    str,
    Path(description="A tag.", examples=["web"]),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[^\s/]([^/]*[^\s/])?$", "examples": ["web"]}
    ),
]


def _answer(written: Attributes) -> Response:
    return Response(to_json({"tags": written.tags}), media_type="application/json")


@router.get(
    PATH, response_model=FloatingIPTags, responses=success("The tags.") | refusals(404)
)
async def network_list_tags(
    id: FloatingIPId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List the tags of a floating IP."""
    async with connection(database) as lent:
        view = await floating_ip_views.show(lent, caller.project_id, id)
    return Response(to_json({"tags": view.tags}), media_type="application/json")


@router.put(
    PATH,
    response_model=FloatingIPTags,
    responses=success("The tags from now on.", headers=ONCE)
    | changes(404, 412, 413, 415),
)
async def network_replace_tags(
    id: FloatingIPId,
    body: FloatingIPTagsBody,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Give a floating IP these tags in place of all that it has."""

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        wanted = Changes(tags=body.tags)
        written = await attributes.update(
            tx, caller.project_id, number, wanted, if_match=if_match
        )
        return _answer(written)

    return await once(caller, change)


@router.post(
    PATH,
    response_model=FloatingIPTags,
    responses=success("The tags from now on.", headers=ONCE)
    | changes(404, 412, 413, 415),
)
async def network_add_tags(
    id: FloatingIPId,
    body: FloatingIPTagsBody,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Give a floating IP these tags beside those that it has."""

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        written = await tagging.add(
            tx, caller.project_id, number, body.tags, if_match=if_match
        )
        return _answer(written)

    return await once(caller, change)


@router.delete(
    PATH,
    status_code=204,
    response_class=Response,
    responses=success("It has none.", status=204, headers=ONCE) | changes(404, 412),
)
async def network_remove_tags(
    id: FloatingIPId, caller: MemberDep, if_match: IfMatchDep, once: OnceDep
) -> Response:
    """Take all tags off a floating IP."""

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        wanted = Changes(tags=())
        await attributes.update(
            tx, caller.project_id, number, wanted, if_match=if_match
        )
        return gone()

    return await once(caller, change)


@router.get(
    PATH + "/{tag}",
    status_code=204,
    response_class=Response,
    responses=success("It has the tag.", status=204) | refusals(404),
)
async def network_show_tag(
    id: FloatingIPId, tag: Tag, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Tell whether a floating IP has a tag."""
    async with connection(database) as lent:
        view = await floating_ip_views.show(lent, caller.project_id, id)
    if tag not in view.tags:
        raise TagNotFound(tag)
    return gone()


@router.put(
    PATH + "/{tag}",
    status_code=201,
    response_class=Response,
    responses=success("It has the tag.", status=201, headers=ONCE) | changes(404, 412),
)
async def network_add_tag(
    id: FloatingIPId,
    tag: Tag,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Give a floating IP a tag beside those that it has."""
    if not attributes.is_tag(tag):
        raise InvalidValue("tag", attributes.TAG_RULE, tag)

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        await tagging.add(tx, caller.project_id, number, [tag], if_match=if_match)
        return Response(status_code=201)

    return await once(caller, change)


@router.delete(
    PATH + "/{tag}",
    status_code=204,
    response_class=Response,
    responses=success("It does not have it.", status=204, headers=ONCE)
    | changes(404, 412),
)
async def network_remove_tag(
    id: FloatingIPId,
    tag: Tag,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Take a tag off a floating IP."""

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        await tagging.remove(tx, caller.project_id, number, tag, if_match=if_match)
        return gone()

    return await once(caller, change)
