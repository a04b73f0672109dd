"""Holds: addresses that an admin keeps from being allocated."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from app.auth import AdminDep
from app.database import Tx, connection
from app.errors import HoldNotFound
from app.faces import next_steps
from app.faces.described import NEXT_PAGE, ONCE, refusals, success
from app.faces.http import (
    IP_SCHEMA,
    PAGE_LIMIT,
    AddressMarker,
    DatabaseDep,
    Envelopes,
    IPAddress,
    IPText,
    Limit,
    NoBodyDep,
    Text,
    accepted,
    answer,
    next_page,
)
from app.faces.once import OnceDep
from app.faces.times import Time, TimeText, time_text
from app.ledger import holds
from app.ledger.addresses import Address, parse_address

router = APIRouter(tags=["pools"])


class FloatingIPHold(BaseModel):
    """An address that no project gets."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "floating_ip_hold"}})

    address: Annotated[
        IPText, Field(description="The address.", examples=["203.0.113.7"])
    ]
    reason: Annotated[Text, Field(description="Why.", examples=["on a blocklist"])]
    until: Annotated[
        TimeText | None,
        Field(
            description="Until when, in UTC; null until it is lifted.",
            examples=["2030-01-01T00:00:00Z"],
        ),
    ]


class OneFloatingIPHold(BaseModel):
    """One hold."""

    floating_ip_hold: Annotated[FloatingIPHold, Field(description="The hold.")]


class ManyFloatingIPHolds(BaseModel):
    """A page of holds, by address."""

    floating_ip_holds: Annotated[
        list[FloatingIPHold],
        Field(
            description="The holds of the page.",
            json_schema_extra={"xml": {"name": "floating_ip_holds", "wrapped": True}},
        ),
    ]


def _a_reason(text: str) -> str:
    if not holds.is_reason(text):
        raise ValueError(holds.REASON_RULE)
    return text


class PlaceHold(BaseModel):
    """The address to hold back."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "floating_ip_hold"}}
    )

    address: Annotated[
        IPAddress, IPText, Field(description="Of any pool.", examples=["203.0.113.7"])
    ]
    reason: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="Any printable text without space at either end.",
            examples=["on a blocklist"],
            json_schema_extra={"pattern": r"^\S(.*\S)?$"},
        ),
        AfterValidator(_a_reason),
    ]
    until: Annotated[
        Time | None,
        Field(
            description="When it ends by itself, as RFC 3339 writes it; if absent, "
            "when it is lifted.",
            examples=["2030-01-01T00:00:00Z"],
        ),
    ] = None


class PlaceHoldBody(BaseModel):
    """An address to hold back."""

    model_config = ConfigDict(extra="forbid")

    floating_ip_hold: Annotated[PlaceHold, Field(description="What to hold back.")]


REQUESTS: Envelopes = (PlaceHoldBody,)
ANSWERS: Envelopes = (OneFloatingIPHold, ManyFloatingIPHolds)


def _no_hold(text: object) -> Address:
    try:
        return parse_address(text)
    except ValueError:
        raise HoldNotFound(text) from None


HeldAddress = Annotated[
    Address,
    BeforeValidator(_no_hold),
    WithJsonSchema({**IP_SCHEMA, "examples": ["203.0.113.7"]}),
    Path(description="An address that is held back."),
]


def _shape(hold: holds.Hold) -> FloatingIPHold:
    until = None if hold.until is None else time_text(hold.until)
    return FloatingIPHold(address=hold.address, reason=hold.reason, until=until)


@router.get(
    "/os-floating-ip-holds",
    response_model=ManyFloatingIPHolds,
    responses=success(
        "A page of holds; the links are those of its first.",
        next_steps.HOLDS_LISTED,
        headers=NEXT_PAGE,
    )
    | refusals(400, 403, 406),
)
async def list_floating_ip_holds(
    request: Request,
    caller: AdminDep,
    database: DatabaseDep,
    limit: Limit = PAGE_LIMIT,
    marker: AddressMarker = None,
) -> Response:
    """List the addresses that are held back, in order; paged as every list."""
    async with connection(database) as lent:
        found = await holds.page(lent, marker, limit + 1)
    page = found[:limit]
    links = next_page(request, found, limit, page[-1].address if page else None)
    shapes = [_shape(hold) for hold in page]
    return answer(ManyFloatingIPHolds(floating_ip_holds=shapes), headers=links)


@router.post(
    "/os-floating-ip-holds",
    response_model=OneFloatingIPHold,
    responses=success("The hold.", next_steps.HOLD_PLACED, headers=ONCE)
    | refusals(400, 403, 404, 409, 413, 415, 422),
)
async def place_floating_ip_hold(
    body: PlaceHoldBody, caller: AdminDep, once: OnceDep
) -> Response:
    """Hold an address back that no project holds, so that none gets it."""
    asked = body.floating_ip_hold

    async def change(tx: Tx) -> Response:
        hold = await holds.place(tx, asked.address, asked.reason, asked.until)
        return answer(OneFloatingIPHold(floating_ip_hold=_shape(hold)))

    return await once(caller, change)


@router.delete(
    "/os-floating-ip-holds/{address}",
    status_code=202,
    response_class=Response,
    responses=success("Lifted.", next_steps.HOLD_LIFTED, status=202, headers=ONCE)
    | refusals(400, 403, 404, 409, 413, 415, 422),
)
async def lift_floating_ip_hold(
    address: HeldAddress, caller: AdminDep, _: NoBodyDep, once: OnceDep
) -> Response:
    """Let an address go that is held back; what it has to rest still, it rests."""

    async def change(tx: Tx) -> Response:
        await holds.lift(tx, address)
        return accepted()

    return await once(caller, change)
