"""The server actions that put a floating IP on a server, and take it off.

Source: CONTRACT 1.3 and 4.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from app.auth import MemberDep
from app.database import Tx
from app.errors import quote
from app.faces.compute.described import changes
from app.faces.compute.http import ServerId
from app.faces.described import ONCE, success
from app.faces.http import Envelopes, IPAddress, accepted
from app.faces.once import OnceDep
from app.ledger import attachment

router = APIRouter(tags=["compute"])

ACTIONS = ("addFloatingIp", "removeFloatingIp")

Address = Annotated[
    IPAddress,
    Field(description="A floating IP of the project.", examples=["203.0.113.7"]),
]


class AddFloatingIP(BaseModel):
    """The floating IP to put on the server."""

    address: Address
    fixed_address: Annotated[
        IPAddress | None,
        Field(
            description="The fixed IP of the server that it is to stand for; else the "
            "first of its family.",
            examples=["10.0.0.3"],
        ),
    ] = None


class RemoveFloatingIP(BaseModel):
    """The floating IP to take off the server."""

    address: Address


class ServerAction(BaseModel):
    """What to do with the server: one of these."""

    model_config = ConfigDict(
        json_schema_extra={"minProperties": 1, "maxProperties": 1},
        extra="forbid",
    )

    add: Annotated[
        AddFloatingIP | SkipJsonSchema[None],
        Field(alias="addFloatingIp", description="Put a floating IP on the server."),
    ] = None
    remove: Annotated[
        RemoveFloatingIP | SkipJsonSchema[None],
        Field(
            alias="removeFloatingIp", description="Take a floating IP off the server."
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _one_action(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        if len(body) != 1:
            raise ValueError("must have exactly one member, the action")
        (action,) = body
        if action not in ACTIONS:
            raise ValueError(f"there is no such action: {quote(action)}")
        if not isinstance(body[action], dict):
            raise ValueError(f"{action} must be an object")
        return body


ENVELOPES: Envelopes = (ServerAction,)


@router.post(
    "/servers/{id}/action",
    status_code=202,
    response_class=Response,
    responses=success("Done.", status=202, headers=ONCE) | changes(404, 413, 415),
)
async def compute_act_on_server(
    id: ServerId, body: ServerAction, caller: MemberDep, once: OnceDep
) -> Response:
    """Put a floating IP on a server (`addFloatingIp`) or take it off again.

    That is `removeFloatingIp`. One that is on another server moves; a second one for
    the same fixed IP is refused.
    """

    async def change(tx: Tx) -> Response:
        if asked := body.add:
            await attachment.attach(tx, caller, id, asked.address, asked.fixed_address)
        elif body.remove:
            await attachment.detach(tx, caller, id, body.remove.address)
        return accepted()

    return await once(caller, change)
