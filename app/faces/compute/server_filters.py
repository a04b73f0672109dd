"""Which servers of a project a client wants to see.

What Nova can filter and sort by, and we cannot, is refused: a list that was not
filtered would be taken for one that was. What Nova does not know means nothing here.

Source: api-ref/source/servers.inc of Nova.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from starlette.datastructures import QueryParams

from app.errors import InvalidValue, UnknownMarker
from app.faces.compute.http import PAGE, is_uuid

REFUSED = frozenset(
    {
        "access_ip_v4",
        "access_ip_v6",
        "auto_disk_config",
        "availability_zone",
        "changes-since",
        "config_drive",
        "created_at",
        "description",
        "display_description",
        "flavor",
        "host",
        "hostname",
        "image",
        "image_ref",
        "instance_name",
        "ip",
        "ip6",
        "kernel_id",
        "key_name",
        "launch_index",
        "launched_at",
        "locked_by",
        "node",
        "power_state",
        "progress",
        "ramdisk_id",
        "reservation_id",
        "root_device_name",
        "task_state",
        "terminated_at",
        "user_id",
        "uuid",
        "vm_state",
    }
)
NO = frozenset({"", "0", "f", "false", "n", "no", "off"})
"""How clients say that they do not want something."""

UNSORTED = {"sort_key": "created_at", "sort_dir": "desc"}
"""The order that lists have anyway."""

ANY_NAME = "%"
_unescape = re.compile(r"\\(.)", re.DOTALL).sub
_special_to_like = re.compile(r"([\\%_])").sub


@dataclass(frozen=True, slots=True)
class Wanted:
    """The servers that a client wants to see."""

    pattern: str
    """What their names are LIKE."""
    active: bool
    """Whether they may be ACTIVE, as all are."""
    marker: UUID | None
    limit: int | None


def read(query: QueryParams, project_id: str) -> Wanted:
    """Read what a client wants.

    Raises InvalidValue, UnknownMarker.
    """
    for name, value in query.multi_items():
        _refuse(name, value, project_id)
    marker = query.get("marker")
    if marker is not None and is_uuid(marker) is None:
        raise UnknownMarker(marker)
    return Wanted(
        pattern=like(query["name"]) if "name" in query else ANY_NAME,
        active=all(each.upper() == "ACTIVE" for each in query.getlist("status")),
        marker=UUID(marker) if marker else None,
        limit=_limit(query["limit"]) if "limit" in query else None,
    )


def _refuse(name: str, value: str, project_id: str) -> None:
    """Refuse what would change the list in Nova, and would not here."""
    if name in REFUSED and value:
        raise InvalidValue(name, "servers are not filtered by it here", value)
    if name in UNSORTED and value != UNSORTED[name]:
        raise InvalidValue(name, "servers come the newest first, always", value)
    if name in ("all_tenants", "all_projects") and value.lower() not in NO:
        raise InvalidValue(name, "a list is of one project here", value)
    if name == "deleted" and value.lower() not in NO:
        raise InvalidValue(name, "deleted servers are not kept", value)
    if name in ("project_id", "tenant_id") and value != project_id:
        raise InvalidValue(name, "a list is of your project", value)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise InvalidValue("limit", "must be a whole number from 0 up", text)
    return PAGE if len(text.lstrip("0")) > 4 else min(int(text), PAGE)


def like(name: str) -> str:
    r"""Return the pattern for LIKE of a name, which is a regular expression in Nova.

    Here it is a part of a name. `^` and `$` at its ends mean what they mean there, and
    `\` quotes; other expressions could take for ever, and are text.

    Raises InvalidValue.
    """
    if not name.isprintable():
        raise InvalidValue("name", "must be printable text", name)
    begin = end = ANY_NAME
    if name.startswith("^"):
        name, begin = name[1:], ""
    if name.endswith("$") and not name.endswith("\\$"):
        name, end = name[:-1], ""
    return begin + _special_to_like(r"\\\1", _unescape(r"\1", name)) + end
