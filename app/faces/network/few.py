"""Lists of things that are few, such as networks: read whole, chosen from in memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.errors import UnknownMarker
from app.faces.network.http import Members
from app.faces.network.queries import ListQuery, Page


def page(
    resources: Sequence[Members],
    query: ListQuery,
    known: Sequence[str],
    key: str = "id",
) -> Page:
    """Return the page of the resources that a query asks for.

    `known` are the members that can be filtered and ordered by, all of them scalars;
    `key` is the one that markers name.

    Raises InvalidValue, UnknownMarker.
    """
    query.only(known)
    query.order_by(known)
    chosen = [each for each in resources if _is_chosen(each, query.filters)]
    for name, direction in reversed(query.order):
        chosen.sort(key=_by(name), reverse=direction == "desc")
    begin, end = _bounds([each[key] for each in chosen], query)
    return Page(chosen[begin:end], before=begin > 0, behind=end < len(chosen))


def _is_chosen(resource: Members, filters: Mapping[str, Sequence[str]]) -> bool:
    return all(_says(resource[name], values) for name, values in filters.items())


def _says(value: Any, wanted: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return str(value).lower() in [text.lower() for text in wanted]
    return str(value) in wanted


def _by(name: str) -> Callable[[Members], tuple[bool, Any]]:
    """Order by a member; what is null comes behind all else."""
    return lambda each: (each[name] is None, each[name] or "")


def _bounds(ids: Sequence[str], query: ListQuery) -> tuple[int, int]:
    if query.marker is None:
        place = len(ids) if query.reverse else 0
    elif query.marker in ids:
        place = ids.index(query.marker) + (not query.reverse)
    else:
        raise UnknownMarker(query.marker)
    if query.reverse:
        return max(0, place - query.limit), place
    return place, min(place + query.limit, len(ids))
