"""What a project writes on a floating IP; not part of the draft's own object."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.auth import MemberDep, ReaderDep
from app.database import Tx, connection
from app.faces import next_steps
from app.faces.conditions import IfMatchDep
from app.faces.described import ETAG, ONCE, refusals, success
from app.faces.draft.floating_ip_shapes import FloatingIPId
from app.faces.draft.texts import Description, Tag
from app.faces.http import DatabaseDep, Envelopes, answer, etag
from app.faces.once import OnceDep
from app.ledger import attributes

router = APIRouter(tags=["floating-ips"])


class FloatingIPAttributes(BaseModel):
    """What is written on a floating IP."""

    model_config = ConfigDict(
        json_schema_extra={"xml": {"name": "floating_ip_attributes"}}
    )

    description: Annotated[str, Field(description="A text.", examples=["the shop"])]
    tags: Annotated[
        list[Annotated[str, Field(json_schema_extra={"xml": {"name": "tag"}})]],
        Field(
            description="Its tags, in order; lists can be filtered by them.",
            examples=[["web"]],
            json_schema_extra={"xml": {"name": "tags", "wrapped": True}},
        ),
    ]
    protected: Annotated[
        bool,
        Field(
            description="Neither it nor its server can be released or removed.",
            examples=[True],
        ),
    ]


class OneFloatingIPAttributes(BaseModel):
    """What is written on a floating IP."""

    floating_ip_attributes: Annotated[
        FloatingIPAttributes, Field(description="What is written on it.")
    ]


class AttributesUpdate(BaseModel):
    """What is to be written on a floating IP; what is absent stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"xml": {"name": "floating_ip_attributes"}},
    )

    description: Annotated[
        Description,
        Field(
            description="Printable characters without space at either end.",
            examples=["the shop"],
        ),
    ] = ""
    tags: Annotated[
        list[Tag],
        Field(
            max_length=attributes.MOST_TAGS,
            description="All its tags from now on.",
            examples=[["web"]],
        ),
    ] = []
    protected: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether it and its server are to be kept from being removed.",
            examples=[True],
        ),
    ] = False

    def changes(self) -> attributes.Changes:
        """Return what is to be written: the members that were sent."""
        return attributes.Changes(**self.model_dump(exclude_unset=True))


class AttributesBody(BaseModel):
    """What is to be written on a floating IP."""

    model_config = ConfigDict(extra="forbid")

    floating_ip_attributes: Annotated[
        AttributesUpdate, Field(description="What is to be written.")
    ]


REQUESTS: Envelopes = (AttributesBody,)
ANSWERS: Envelopes = (OneFloatingIPAttributes,)


def _details(present: attributes.Attributes) -> Response:
    shape = FloatingIPAttributes(
        description=present.description,
        tags=list(present.tags),
        protected=present.protected,
    )
    envelope = OneFloatingIPAttributes(floating_ip_attributes=shape)
    return answer(envelope, headers=etag(present.revision))


@router.get(
    "/os-floating-ips/{id}/attributes",
    response_model=OneFloatingIPAttributes,
    responses=success(
        "What is written on it.", next_steps.ATTRIBUTES_SHOWN, headers=ETAG
    )
    | refusals(404, 406),
)
async def show_floating_ip_attributes(
    id: FloatingIPId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show what is written on a floating IP; its `ETag` is its revision."""
    async with connection(database) as lent:
        present = await attributes.show(lent, caller.project_id, id)
    return _details(present)


@router.put(
    "/os-floating-ips/{id}/attributes",
    response_model=OneFloatingIPAttributes,
    responses=success(
        "What is written on it from now on.",
        next_steps.ATTRIBUTES_UPDATED,
        headers=ETAG | ONCE,
    )
    | refusals(400, 404, 409, 412, 413, 415, 422),
)
async def update_floating_ip_attributes(
    id: FloatingIPId,
    body: AttributesBody,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Write on a floating IP: a description, tags, and whether it is protected.

    Members that are absent stay as they are.
    """
    changes = body.floating_ip_attributes.changes()

    async def change(tx: Tx) -> Response:
        return _details(
            await attributes.update(
                tx, caller.project_id, id, changes, if_match=if_match
            )
        )

    return await once(caller, change)
