"""Lists of a project's floating IPs by age, as filters choose them.

named   by id, address, port or fixed IP: as many as are named, each found by an index
tagged  what has a tag: an index by tag and age
others  all, or those of pools, associated or not: an index by age for each

So that a page costs what it returns, and not what the project holds. Of what is named,
or has the tag, the other conditions are looked up one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.database import Connection
from app.errors import UnknownMarker
from app.ledger import by_uuid, floating_ip_views
from app.ledger.addresses import Address
from app.ledger.floating_ip_views import FloatingIPView

MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Names:
    """Floating IPs that are named: those with one of each that is not None."""

    uuids: Sequence[UUID] | None = None
    addresses: Sequence[Address] | None = None
    ports: Sequence[UUID] | None = None
    fixed_ips: Sequence[Address] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which floating IPs a list is to have: what all of these say."""

    names: Names = Names()
    pool_ids: Sequence[int] | None = None
    associated: bool | None = None
    tags: Sequence[str] = ()
    any_tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a list: so many, from an id on, upward or downward."""

    after: int | None
    limit: int
    descending: bool = field(kw_only=True)

    @property
    def begin(self) -> int:
        """The id that the part begins behind."""
        if self.after is not None:
            return self.after
        return MAX_ID if self.descending else 0

    def cut(self, ids: Sequence[int]) -> list[int]:
        """Return of some ids those in this part, in its order."""
        inside = [id for id in set(ids) if self._has(id)]
        return sorted(inside, reverse=self.descending)[: self.limit]

    def _has(self, id: int) -> bool:
        return id < self.begin if self.descending else id > self.begin


async def marker_id(connection: Connection, project_id: str, uuid: UUID) -> int:
    """Return the id of the floating IP that a page begins behind.

    Raises UnknownMarker.
    """
    found: int | None = await connection.fetchval(
        by_uuid.FIND_FLOATING_IP, project_id, uuid
    )
    if found is None:
        raise UnknownMarker(uuid)
    return found


async def page(
    connection: Connection, project_id: str, chosen: Chosen | None, span: Span
) -> list[FloatingIPView]:
    """Return a part of the list of the floating IPs that are chosen, if any can be."""
    if chosen is None:
        return []
    named = await _named(connection, project_id, chosen.names)
    if named is not None:
        views = await floating_ip_views.of_ids(connection, project_id, sorted(named))
        uuids = await _pool_uuids(connection, chosen.pool_ids)
        ids = [view.id for view in views if _is_chosen(view, chosen, uuids)]
        by_id = {view.id: view for view in views}
        return [by_id[id] for id in span.cut(ids)]
    if chosen.tags or chosen.any_tags:
        ids = await _tagged(connection, project_id, chosen, span)
    else:
        ids = await _untagged(connection, project_id, chosen, span)
    return await floating_ip_views.of_ids(connection, project_id, ids)


OF_UUIDS = """
SELECT floating_ip_id
  FROM addresses
 WHERE project_id = $1 AND floating_ip_uuid = ANY($2)
"""

OF_ADDRESSES = """
SELECT floating_ip_id
  FROM addresses
 WHERE project_id = $1 AND address = ANY($2) AND floating_ip_id IS NOT NULL
"""

OF_PORTS = """
SELECT a.floating_ip_id
  FROM fixed_ips f
  JOIN addresses a ON a.project_id = f.project_id AND a.fixed_ip = f.address
 WHERE f.project_id = $1 AND f.uuid = ANY($2)
"""

OF_FIXED_IPS = """
SELECT floating_ip_id FROM addresses WHERE project_id = $1 AND fixed_ip = ANY($2)
"""


async def _named(
    connection: Connection, project_id: str, names: Names
) -> set[int] | None:
    """Return the ids of what is named; None if nothing is."""
    found: set[int] | None = None
    for statement, values in (
        (OF_UUIDS, names.uuids),
        (OF_ADDRESSES, names.addresses),
        (OF_PORTS, names.ports),
        (OF_FIXED_IPS, names.fixed_ips),
    ):
        if values is not None:
            rows = await connection.fetch(statement, project_id, values)
            these = {row[0] for row in rows}
            found = these if found is None else found & these
    return found


POOL_UUIDS = "SELECT uuid::text FROM pools WHERE id = ANY($1)"


async def _pool_uuids(
    connection: Connection, pool_ids: Sequence[int] | None
) -> set[str] | None:
    if pool_ids is None:
        return None
    return {row[0] for row in await connection.fetch(POOL_UUIDS, pool_ids)}


def _is_chosen(view: FloatingIPView, chosen: Chosen, pools: set[str] | None) -> bool:
    return (
        (pools is None or view.network_uuid in pools)
        and chosen.associated in (None, view.fixed_ip is not None)
        and set(chosen.tags) <= set(view.tags)
        and (not chosen.any_tags or not set(chosen.any_tags).isdisjoint(view.tags))
    )


UPWARD = " > $2 ORDER BY floating_ip_id LIMIT $3"
DOWNWARD = " < $2 ORDER BY floating_ip_id DESC LIMIT $3"

ALL = "SELECT floating_ip_id FROM addresses WHERE project_id = $1 AND floating_ip_id"

UNASSOCIATED = """
SELECT floating_ip_id
  FROM addresses
 WHERE project_id = $1
   AND fixed_ip IS NULL
   AND floating_ip_id IS NOT NULL
   AND floating_ip_id"""

ASSOCIATED = """
SELECT floating_ip_id
  FROM addresses
 WHERE project_id = $1 AND fixed_ip IS NOT NULL AND floating_ip_id"""

UNASSOCIATED_OF_POOLS = """
SELECT o.id
  FROM unnest($4::bigint[]) AS p (id), LATERAL (
       SELECT floating_ip_id
         FROM addresses
        WHERE project_id = $1
          AND pool_id = p.id
          AND fixed_ip IS NULL
          AND floating_ip_id IS NOT NULL
          AND floating_ip_id"""

ASSOCIATED_OF_POOLS = """
SELECT o.id
  FROM unnest($4::bigint[]) AS p (id), LATERAL (
       SELECT floating_ip_id
         FROM addresses
        WHERE project_id = $1
          AND pool_id = p.id
          AND fixed_ip IS NOT NULL
          AND floating_ip_id"""

OF_EACH = ") AS o (id)"

STATEMENTS = {None: ALL, True: ASSOCIATED, False: UNASSOCIATED}
OF_POOLS = {True: ASSOCIATED_OF_POOLS, False: UNASSOCIATED_OF_POOLS}


async def _untagged(
    connection: Connection, project_id: str, chosen: Chosen, span: Span
) -> list[int]:
    where = DOWNWARD if span.descending else UPWARD
    start = project_id, span.begin, span.limit
    if chosen.pool_ids is None:
        rows = await connection.fetch(STATEMENTS[chosen.associated] + where, *start)
        return [row[0] for row in rows]
    ids: list[int] = []
    for associated, statement in OF_POOLS.items():
        if chosen.associated in (None, associated):
            rows = await connection.fetch(
                statement + where + OF_EACH, *start, chosen.pool_ids
            )
            ids += [row[0] for row in rows]
    return span.cut(ids)


# Ordered by tag as well, which only the index by tag and age can give: the one by age
# alone would be read through for a tag that few have. Counts where EXISTS would do,
# which may be planned as a hash of all that has the tags.
TAGGED = """
SELECT o.id
  FROM unnest($4::text[]) AS driver (tag), LATERAL (
       SELECT t.floating_ip_id
         FROM floating_ip_tags t
         JOIN addresses a
           ON a.project_id = t.project_id AND a.floating_ip_id = t.floating_ip_id
        WHERE t.project_id = $1
          AND (SELECT count(*)
                 FROM floating_ip_tags o
                WHERE o.project_id = $1
                  AND o.tag = ANY($5)
                  AND o.floating_ip_id = t.floating_ip_id) = cardinality($5::text[])
          AND (SELECT count(*)
                 FROM floating_ip_tags o
                WHERE o.project_id = $1
                  AND o.tag = ANY($6)
                  AND o.floating_ip_id = t.floating_ip_id)
              >= least(cardinality($6::text[]), 1)
          AND ((a.fixed_ip IS NOT NULL) = $7 OR $7 IS NULL)
          AND (a.pool_id = ANY($8) OR $8 IS NULL)
          AND """

TAGGED_UPWARD = (
    TAGGED
    + """(t.tag, t.floating_ip_id) > (driver.tag, $2)
          AND t.tag <= driver.tag
        ORDER BY t.tag, t.floating_ip_id
        LIMIT $3) AS o (id)
"""
)
TAGGED_DOWNWARD = (
    TAGGED
    + """(t.tag, t.floating_ip_id) < (driver.tag, $2)
          AND t.tag >= driver.tag
        ORDER BY t.tag DESC, t.floating_ip_id DESC
        LIMIT $3) AS o (id)
"""
)


async def _tagged(
    connection: Connection, project_id: str, chosen: Chosen, span: Span
) -> list[int]:
    tags, any_tags = sorted(set(chosen.tags)), sorted(set(chosen.any_tags))
    rows = await connection.fetch(
        TAGGED_DOWNWARD if span.descending else TAGGED_UPWARD,
        project_id,
        span.begin,
        span.limit,
        tags[:1] or any_tags,
        tags,
        any_tags,
        chosen.associated,
        chosen.pool_ids,
    )
    return span.cut([row[0] for row in rows])
