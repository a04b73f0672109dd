"""The query of a list: filters, members, order and page, and the links to the others.

Whatever is not known is refused, as with the extension `filter-validation`: a filter
that is passed by would list what nobody asked for.

Source: CONTRACT 3; neutron/api/api_common.py.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response
from pydantic_core import to_json

from app.errors import InvalidValue
from app.faces import links
from app.faces.http import PAGE_LIMIT
from app.faces.network.http import Members, selected
from app.wire.network import MOUNT

ABOUT_THE_PAGE = frozenset(
    {"fields", "limit", "marker", "page_reverse", "sort_dir", "sort_key"}
)
MOST_VALUES = 1000
"""Values of one filter."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list is asked for."""

    fields: Sequence[str]
    limit: int
    marker: str | None
    reverse: bool
    order: Sequence[tuple[str, Literal["asc", "desc"]]]
    filters: Mapping[str, Sequence[str]]

    def only(self, known: Collection[str]) -> None:
        """Refuse filters that are none of those.

        Raises InvalidValue.
        """
        for name in self.filters:
            if name not in known:
                allowed = ", ".join(sorted(known))
                rule = f"is no filter of this list; it has {allowed}"
                raise InvalidValue("filter", rule, name)

    def order_by(self, known: Collection[str]) -> None:
        """Refuse an order by anything else.

        Raises InvalidValue.
        """
        for key, _ in self.order:
            if key not in known:
                rule = f"must be one of {', '.join(sorted(known))}"
                raise InvalidValue("sort_key", rule, key)


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise InvalidValue(name, "must be true or false", text)
    return text.lower() in ("true", "1")


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InvalidValue("limit", "must be a whole number", text)
    number = int(text[-20:])
    return min(number, PAGE_LIMIT) if number else PAGE_LIMIT


def _order(
    keys: Sequence[str], directions: Sequence[str]
) -> list[tuple[str, Literal["asc", "desc"]]]:
    if directions and len(directions) != len(keys):
        rule = "there must be as many as of sort_key"
        raise InvalidValue("sort_dir", rule, ",".join(directions))
    order: list[tuple[str, Literal["asc", "desc"]]] = []
    for key, text in zip(keys, directions or ["asc"] * len(keys), strict=True):
        match text:
            case "asc" | "desc":
                order.append((key, text))
            case _:
                raise InvalidValue("sort_dir", "must be asc or desc", text)
    return order


def parse(request: Request) -> ListQuery:
    """Read a query; a parameter that is there twice counts as its last, but a filter.

    Raises InvalidValue.
    """
    params = request.query_params
    names = dict.fromkeys(name for name, _ in params.multi_items())
    filters = {n: params.getlist(n) for n in names if n not in ABOUT_THE_PAGE}
    for name, values in filters.items():
        if "" in values or len(values) > MOST_VALUES:
            rule = f"must have 1 to {MOST_VALUES} values, none of them empty"
            raise InvalidValue(name, rule, values[0])
    return ListQuery(
        fields=[f for text in params.getlist("fields") for f in text.split(",")],
        limit=_limit(params["limit"]) if "limit" in params else PAGE_LIMIT,
        marker=params.get("marker"),
        reverse=_truth("page_reverse", params.get("page_reverse", "false")),
        order=_order(params.getlist("sort_key"), params.getlist("sort_dir")),
        filters=filters,
    )


Fields = Annotated[
    list[str] | None,
    Query(description="Members to show; all if none is named.", examples=[["id"]]),
]


async def _fields(request: Request, fields: Fields = None) -> Sequence[str]:
    """Read which members of one resource are asked for."""
    texts = request.query_params.getlist("fields")
    return [field for text in texts for field in text.split(",")]


FieldsDep = Annotated[Sequence[str], Depends(_fields)]


async def _query(
    request: Request,
    fields: Fields = None,
    limit: Annotated[
        str | None,
        Query(
            description="Members of a page; 0 and more than 1000 count as 1000.",
            examples=["100"],
        ),
    ] = None,
    marker: Annotated[
        str | None,
        Query(
            description="The id of the last member of the page before.", examples=[None]
        ),
    ] = None,
    page_reverse: Annotated[
        str | None,
        Query(
            description="`true`: the page in front of the marker.", examples=["false"]
        ),
    ] = None,
    sort_key: Annotated[
        list[str] | None,
        Query(description="Members to order by.", examples=[[]]),
    ] = None,
    sort_dir: Annotated[
        list[str] | None,
        Query(description="`asc` or `desc` for each `sort_key`.", examples=[[]]),
    ] = None,
) -> ListQuery:
    return parse(request)


ListQueryDep = Annotated[ListQuery, Depends(_query)]
"""The query of a list; it stands behind the caller, who is refused first."""


def filters(said: Mapping[str, str]) -> dict[str, Any]:
    """Tell OpenAPI the filters of a list: exact, and any of several values."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": description,
                "schema": {
                    "type": "array",
                    "items": {"type": "string"},
                    "examples": [[]],
                },
            }
            for name, description in said.items()
        ]
    }


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list in the list's order, and whether there is more on both sides."""

    members: Sequence[Members]
    before: bool = field(kw_only=True)
    behind: bool = field(kw_only=True)

    @classmethod
    def of(cls, found: Sequence[Members], query: ListQuery) -> Self:
        """Make a page of what was read from its marker on, which is one too many.

        In front of a marker things are read in the other direction.
        """
        has_more, has_passed = len(found) > query.limit, query.marker is not None
        shown = found[: query.limit]
        if query.reverse:
            return cls(shown[::-1], before=has_more, behind=has_passed)
        return cls(shown, before=has_passed, behind=has_more)


def listed(
    request: Request, query: ListQuery, root: str, page: Page, key: str = "id"
) -> Response:
    """Answer a page, with links to those beside it."""
    document: dict[str, object] = {
        root: [selected(member, query.fields) for member in page.members]
    }
    found: list[dict[str, str]] = []
    if page.members and page.behind:
        found.append(_link(request, "next", page.members[-1][key]))
    if page.members and page.before:
        found.append(_link(request, "previous", page.members[0][key]))
    if found:
        document[f"{root}_links"] = found
    return Response(to_json(document), media_type="application/json")


def _link(request: Request, rel: str, marker: str) -> dict[str, str]:
    items = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in ("marker", "page_reverse")
    ]
    if rel == "previous":
        items.append(("page_reverse", "True"))
    query = urlencode([*items, ("marker", marker)])
    return {"rel": rel, "href": f"{here(request)}?{query}"}


def base(request: Request) -> str:
    """Return the URL in front of the prefix, as the client has it."""
    return f"{links.root(request)}{quote(request.scope['state'][MOUNT])}"


def here(request: Request) -> str:
    """Return the URL of the request without its query, as its client wrote it."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return f"{base(request)}{quote(path)}"
