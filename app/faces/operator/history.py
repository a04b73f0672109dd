"""Who held which address, and when: for abuse desks, audits and bills."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from app.auth import PROJECT_ID, Caller, ReaderDep, Role
from app.database import connection
from app.errors import BadRequest, InvalidValue
from app.faces import next_steps
from app.faces.described import NEXT_PAGE, refusals, success
from app.faces.http import (
    MAX_ID,
    PAGE_LIMIT,
    DatabaseDep,
    Envelopes,
    IPAddress,
    IPText,
    Limit,
    Marker,
    Text,
    answer,
    next_page,
    parse_id,
)
from app.faces.times import Time, TimeText, time_text
from app.ledger import intervals

router = APIRouter(tags=["history"])


class HistoryInterval(BaseModel):
    """A time in which nothing changed for an address."""

    model_config = ConfigDict(
        json_schema_extra={"xml": {"name": "interval"}}, serialize_by_alias=True
    )

    ip: Annotated[IPText, Field(description="The address.", examples=["203.0.113.7"])]
    floating_ip_id: Annotated[
        int, Field(description="The floating IP that it was.", examples=[1])
    ]
    project_id: Annotated[
        Text, Field(description="The project that held it.", examples=["demo"])
    ]
    fixed_ip: Annotated[
        IPText | None,
        Field(description="The fixed IP it stood for.", examples=["10.0.0.3"]),
    ]
    instance_id: Annotated[
        int | None, Field(description="The server of the fixed IP.", examples=[1])
    ]
    since: Annotated[
        TimeText,
        Field(
            alias="from",
            description="Since when, in UTC.",
            examples=["2026-11-25T10:00:00Z"],
        ),
    ]
    until: Annotated[
        TimeText | None,
        Field(
            description="Until when, in UTC; null while it lasts.",
            examples=["2026-11-25T11:00:00Z"],
        ),
    ]
    actor: Annotated[Text, Field(description="Who began it.", examples=["joe"])]
    request_id: Annotated[
        Text,
        Field(
            description="The request that began it.",
            examples=["req-3fa85f64-5717-4562-b3fc-2c963f66afa6"],
        ),
    ]


class FloatingIPHistory(BaseModel):
    """A page of intervals, in the order in which they began."""

    floating_ip_history: Annotated[
        list[HistoryInterval],
        Field(
            description="The intervals of the page.",
            json_schema_extra={"xml": {"name": "floating_ip_history", "wrapped": True}},
        ),
    ]


REQUESTS: Envelopes = ()
ANSWERS: Envelopes = (FloatingIPHistory,)


def _an_id(text: object) -> int:
    number = parse_id(text)
    if number is None:
        raise ValueError("must be an id, a whole number from 1 up")
    return number


def _a_project_id(text: str) -> str:
    if not PROJECT_ID.fullmatch(text):
        raise ValueError("must be 1 to 255 visible ASCII characters without a slash")
    return text


ProjectFilter = Annotated[
    str | None,
    Query(description="Those of this project.", examples=["demo"]),
    AfterValidator(lambda text: text if text is None else _a_project_id(text)),
]
IPFilter = Annotated[
    IPAddress | None,
    IPText,
    Query(description="Those of this address.", examples=["203.0.113.7"]),
]
AnId = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_an_id)]

FloatingIPFilter = Annotated[
    AnId | None,
    Query(description="Those of this floating IP.", examples=[1]),
]
ServerFilter = Annotated[
    AnId | None,
    Query(description="Those in which it stood for this server.", examples=[1]),
]
At = Annotated[
    Time | None,
    Query(
        description="The one at this time; not beside `from` and `until`.",
        examples=["2026-11-25T10:30:00Z"],
    ),
]
From = Annotated[
    Time | None,
    Query(
        alias="from",
        description="Those that end after this time, or last.",
        examples=["2026-11-25T10:00:00Z"],
    ),
]
Until = Annotated[
    Time | None,
    Query(
        description="Those that begin before this time.",
        examples=["2026-11-25T11:00:00Z"],
    ),
]

HistoryMarker = Annotated[
    Marker, Query(description="As the link to the next page has it.", examples=[1])
]


async def _window(
    at: At = None, since: From = None, until: Until = None
) -> intervals.Window | None:
    """Read the time that the intervals overlap.

    Raises BadRequest, InvalidValue.
    """
    if at is not None:
        if since is not None or until is not None:
            raise BadRequest("at: send it without from and until.")
        return intervals.Window(at, at)
    if since is None and until is None:
        return None
    if since is not None and until is not None and since >= until:
        raise InvalidValue("until", "must be later than from", time_text(until))
    return intervals.Window(since, until)


async def _chosen(
    window: Annotated[intervals.Window | None, Depends(_window)],
    ip: IPFilter = None,
    project_id: ProjectFilter = None,
    floating_ip_id: FloatingIPFilter = None,
    instance_id: ServerFilter = None,
) -> intervals.Filter:
    """Read what the list is to have."""
    return intervals.Filter(project_id, ip, floating_ip_id, instance_id, window)


ChosenDep = Annotated[intervals.Filter, Depends(_chosen)]


class WindowAlone(BadRequest):
    """A time alone would be looked for in the history of everything."""

    def __init__(self) -> None:
        super().__init__(
            "at, from, until: must come with ip, project_id, floating_ip_id or "
            "instance_id."
        )


def _may_see(caller: Caller, chosen: intervals.Filter) -> intervals.Filter | None:
    """Return what is to be looked for; None where nothing is to be seen.

    Raises WindowAlone.
    """
    if caller.role < Role.ADMIN:
        if chosen.project_id not in (None, caller.project_id):
            return None
        chosen = replace(chosen, project_id=caller.project_id)
    if chosen.window is not None and chosen == intervals.Filter(window=chosen.window):
        raise WindowAlone
    return chosen


def _shape(interval: intervals.Interval) -> HistoryInterval:
    until = interval.until
    return HistoryInterval.model_validate(
        {
            "ip": interval.ip,
            "floating_ip_id": interval.floating_ip_id,
            "project_id": interval.project_id,
            "fixed_ip": interval.fixed_ip,
            "instance_id": interval.server_id,
            "from": time_text(interval.since),
            "until": None if until is None else time_text(until),
            "actor": interval.actor,
            "request_id": interval.request_id,
        }
    )


@router.get(
    "/os-floating-ip-history",
    response_model=FloatingIPHistory,
    responses=success(
        "A page of intervals.", next_steps.HISTORY_LISTED, headers=NEXT_PAGE
    )
    | refusals(400, 406),
)
async def list_floating_ip_history(
    request: Request,
    caller: ReaderDep,
    database: DatabaseDep,
    chosen: ChosenDep,
    limit: Limit = PAGE_LIMIT,
    marker: HistoryMarker = None,
) -> Response:
    """List who held which address when, in the order in which it began.

    A project sees its own intervals, an admin all. While more follow, a `Link` header
    with `rel="next"` names the next page.
    """
    seen = _may_see(caller, chosen)
    found: list[intervals.Interval] = []
    if seen is not None:
        async with connection(database) as lent:
            found = await intervals.page(lent, seen, marker, limit + 1)
    page = found[:limit]
    links = next_page(request, found, limit, page[-1].id if page else None)
    shapes = [_shape(interval) for interval in page]
    return answer(FloatingIPHistory(floating_ip_history=shapes), headers=links)
