"""Floating IPs as they stand: one, or a page of a project's."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.database import Connection
from app.errors import FloatingIPNotFound, UnknownMarker


@dataclass(frozen=True, slots=True)
class FloatingIP:
    """An address while a project holds it; the id is never used again."""

    id: int
    ip: str
    fixed_ip: str | None
    server_id: int | None
    revision: int


SHOW = """
SELECT a.floating_ip_id, host(a.address), host(a.fixed_ip), f.server_id, a.revision
  FROM addresses a
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE a.project_id = $1 AND a.floating_ip_id = $2
"""


async def show(
    connection: Connection, project_id: str, floating_ip_id: int
) -> FloatingIP:
    """Return a floating IP of the project.

    Raises FloatingIPNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, floating_ip_id)
    if row is None:
        raise FloatingIPNotFound(floating_ip_id)
    return FloatingIP(*row)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which floating IPs a list is to have: with all the tags, associated or not."""

    tags: Sequence[str] = ()
    associated: bool | None = None


ALL = """
SELECT a.floating_ip_id, host(a.address), host(a.fixed_ip), f.server_id, a.revision
  FROM addresses a
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE a.project_id = $1 AND a.floating_ip_id > $2
"""

IS_ASSOCIATED = {
    None: "",
    True: " AND a.fixed_ip IS NOT NULL",
    False: " AND a.fixed_ip IS NULL",
}

IN_ORDER = " ORDER BY a.floating_ip_id LIMIT $3"

PAGES = {key: ALL + condition + IN_ORDER for key, condition in IS_ASSOCIATED.items()}
"""Each reads an index of its own, so that it reads what it returns and no more."""

# Ordered by tag as well, which only the index by tag and age can give: the one by age
# alone would be read through for a tag that few have.
PAGE_TAGGED = """
SELECT a.floating_ip_id, host(a.address), host(a.fixed_ip), f.server_id, a.revision
  FROM floating_ip_tags t
  JOIN addresses a ON a.project_id = $1 AND a.floating_ip_id = t.floating_ip_id
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE t.project_id = $1
   AND (t.tag, t.floating_ip_id) > ($4, $2)
   AND t.tag <= $4
   AND (SELECT count(*)
          FROM floating_ip_tags o
         WHERE o.project_id = $1
           AND o.tag = ANY($5)
           AND o.floating_ip_id = t.floating_ip_id) = cardinality($5)
   AND ((a.fixed_ip IS NOT NULL) = $6 OR $6 IS NULL)
 ORDER BY t.tag, t.floating_ip_id
 LIMIT $3
"""

IS_THERE = "SELECT FROM addresses WHERE project_id = $1 AND floating_ip_id = $2"


async def page(
    connection: Connection,
    project_id: str,
    marker: int | None,
    limit: int,
    chosen: Filter = Filter(),
) -> list[FloatingIP]:
    """Return the project's floating IPs by id, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, project_id, marker) is None:
        raise UnknownMarker(marker)
    where = project_id, marker or 0, limit
    if chosen.tags:
        tags = sorted(set(chosen.tags))
        rows = await connection.fetch(
            PAGE_TAGGED, *where, tags[0], tags, chosen.associated
        )
    else:
        rows = await connection.fetch(PAGES[chosen.associated], *where)
    return [FloatingIP(*row) for row in rows]
