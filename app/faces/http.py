"""What the faces share: dependencies, ready answers, shapes of members, paging."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import from_json

from app.database import LedgerDatabase
from app.errors import MalformedBody, NotFound, UnknownMarker
from app.ledger.addresses import Address, parse_address
from app.settings import Settings

MAX_ID = 2**63 - 1
PAGE_LIMIT = 1000
"""Members of one page: the default, and what a larger limit is clamped to."""


async def _database(request: Request) -> LedgerDatabase:
    database: LedgerDatabase = request.app.state.database
    return database


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _without_body(request: Request) -> None:
    """Accept nothing, `{}` or `null` as the body.

    Raises MalformedBody.
    """
    body = await request.body()
    try:
        meant = from_json(body) if body else None
    except ValueError:
        raise MalformedBody("The body is not valid JSON.") from None
    if meant is not None and meant != {}:
        raise MalformedBody("This operation takes no body, or an empty one.")


NoBodyDep = Annotated[None, Depends(_without_body)]
"""For operations without a body; it stands behind the caller, who is refused first."""

DatabaseDep = Annotated[LedgerDatabase, Depends(_database)]
SettingsDep = Annotated[Settings, Depends(_settings)]

IP_SCHEMA: dict[str, Any] = {"type": "string", "format": "ip"}
IPAddress = Annotated[
    IPv4Address | IPv6Address,
    BeforeValidator(parse_address),
    WithJsonSchema(IP_SCHEMA),
]
"""An address in a request; one format for both families keeps it a plain string."""

IPText = Annotated[str, Field(json_schema_extra={"format": "ip"})]
"""An address in an answer."""

Text = Annotated[str, Field(json_schema_extra={"minLength": 1})]
"""A text in an answer that is never empty."""

Envelopes = tuple[type[BaseModel], ...]
"""Models of one member, the root element of the XML form."""


def answer(
    envelope: BaseModel, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Serialise an envelope once, with no second validation."""
    content = envelope.__pydantic_serializer__.to_json(envelope)
    return Response(content, status, headers, "application/json")


def accepted(headers: dict[str, str] | None = None) -> Response:
    """Say 202 with nothing in it: done, and nothing to tell."""
    return Response(status_code=202, headers=headers)


def etag(revision: int) -> dict[str, str]:
    """Name the revision of a floating IP in a header, for If-Match to name again."""
    return {"ETag": f'"{revision}"'}


def parse_id(text: object) -> int | None:
    """Read an id as `[1-9][0-9]{0,18}` up to 2^63-1; None for anything else."""
    digits = str(text)
    if not (digits.isascii() and digits.isdecimal() and 1 <= len(digits) <= 19):
        return None
    number = int(digits)
    return number if digits[0] != "0" and number <= MAX_ID else None


def _read_limit(text: object) -> int:
    digits = str(text)
    if not (digits.isascii() and digits.isdecimal() and digits.strip("0")):
        raise ValueError("must be a whole number from 1 up")
    return PAGE_LIMIT if len(digits) > 9 else min(int(digits), PAGE_LIMIT)


Limit = Annotated[
    int,
    Query(
        ge=1,
        description="Members of a page; more than 1000 counts as 1000.",
        examples=[100],
    ),
    BeforeValidator(_read_limit),
]


def _read_marker(text: object) -> int:
    marker = parse_id(text)
    if marker is None:
        raise UnknownMarker(text)
    return marker


Marker = Annotated[
    int | None,
    Query(description="The id of the last member of the page before.", examples=[1]),
    BeforeValidator(_read_marker),
]


def _read_address_marker(text: object) -> Address:
    try:
        return parse_address(text)
    except ValueError:
        raise UnknownMarker(text) from None


AddressMarker = Annotated[
    Annotated[Address, WithJsonSchema(IP_SCHEMA)] | None,
    Query(description="The last address of the page before.", examples=["203.0.113.7"]),
    BeforeValidator(_read_address_marker),
]


def _read_truth(text: object) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


Truth = Annotated[bool, BeforeValidator(_read_truth)]
"""A parameter that is `true` or `false`, and nothing that only means it."""


def path_id(not_found: Callable[[object], NotFound]) -> BeforeValidator:
    """Read an id in a path; whatever can be none is answered as an unknown one."""

    def read(text: object) -> int:
        number = parse_id(text)
        if number is None:
            raise not_found(text)
        return number

    return BeforeValidator(read)


def next_page(
    request: Request, items: Sequence[object], limit: int, marker: object
) -> dict[str, str]:
    """Name the next page in a Link header (RFC 8288); `items` may be one too many.

    Keeps the path as the client wrote it, with the mount and the suffix it chose, and
    the filters.
    """
    if len(items) <= limit:
        return {}
    filters = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in ("limit", "marker")
    ]
    path = quote(request.scope["raw_path"].decode("latin-1"), safe="/%:@!$&'()*+,;=~")
    query = urlencode([*filters, ("limit", limit), ("marker", marker)])
    return {"Link": f'<{path}?{query}>; rel="next"'}
