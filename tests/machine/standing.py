"""The ledger as it stands in the database, compared with what should be."""

from collections.abc import Iterator
from typing import Any

import asyncpg

from tests.machine.state import Address, Interval, Ledger, Rest

Stand = dict[str, Any]

ADDRESSES = """
SELECT host(a.address), p.name, a.state, a.rests_for, a.rests_until <= a.changed_at,
       a.reserved_reason, a.floating_ip_id, a.project_id, host(a.fixed_ip), a.revision,
       coalesce(a.description, ''), a.protected,
       ARRAY(SELECT t.tag
               FROM floating_ip_tags t
              WHERE t.floating_ip_id = a.floating_ip_id AND t.project_id = a.project_id
              ORDER BY t.tag)
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
"""

FORMER = """
SELECT host(address), rests_for, rests_until <= changed_at
  FROM former_addresses
 WHERE rests_for IS NOT NULL
"""

POOLS = "SELECT name, quarantine_seconds FROM pools"

QUOTAS = "SELECT project_id, allowed FROM quotas WHERE allowed IS NOT NULL"

SERVERS = """
SELECT s.id, s.project_id, s.name, ARRAY(SELECT host(f.address)
                                           FROM fixed_ips f
                                          WHERE f.server_id = s.id
                                          ORDER BY f.address)
  FROM servers s
"""

TAGS_OF_NOTHING = """
SELECT count(*)
  FROM floating_ip_tags t
 WHERE NOT EXISTS (SELECT FROM addresses a WHERE a.floating_ip_id = t.floating_ip_id)
"""

HISTORY = """
SELECT floating_ip_id, host(address), project_id, host(fixed_ip), server_id, actor,
       request_id, until IS NULL
  FROM history
 ORDER BY id
"""


async def stand(connection: "asyncpg.Connection[asyncpg.Record]") -> Stand:
    """Read how the ledger stands."""
    history, is_open = _told(await connection.fetch(HISTORY))
    return {
        "addresses": {
            row[0]: tuple(row)[1:] for row in await connection.fetch(ADDRESSES)
        },
        "former": {row[0]: tuple(row)[1:] for row in await connection.fetch(FORMER)},
        "pools": {row[0]: row[1] for row in await connection.fetch(POOLS)},
        "quotas": {row[0]: row[1] for row in await connection.fetch(QUOTAS)},
        "servers": {row[0]: tuple(row)[1:] for row in await connection.fetch(SERVERS)},
        "tags of nothing": await connection.fetchval(TAGS_OF_NOTHING),
        "history": history,
        "intervals that last": is_open,
    }


def _told(rows: list[asyncpg.Record]) -> tuple[dict[int, list[Interval]], set[int]]:
    told: dict[int, list[Interval]] = {}
    is_open = set()
    for floating_ip_id, *row, lasts in rows:
        told.setdefault(floating_ip_id, []).append(Interval(*row))
        if lasts:
            is_open.add(floating_ip_id)
    return told, is_open


def _rest(rest: Rest | None) -> tuple[str | None, bool | None]:
    return (rest.project_id, rest.is_due) if rest else (None, None)


def _address(address: Address) -> tuple[Any, ...]:
    known = (address.pool, address.state, *_rest(address.rest), address.reason)
    held = address.held
    if held is None:
        return *known, None, None, None, None, "", False, []
    return (
        *known,
        held.id,
        held.project_id,
        held.fixed_ip,
        held.revision,
        held.description,
        held.protected,
        sorted(held.tags),
    )


def differences(ledger: Ledger, found: Stand) -> Iterator[str]:
    """Yield what is not as it should be."""
    due = {
        "addresses": {ip: _address(each) for ip, each in ledger.addresses.items()},
        "former": {ip: _rest(each) for ip, each in ledger.former.items() if each},
        "pools": ledger.pools,
        "quotas": ledger.quotas,
        "servers": {
            each.id: (each.project_id, each.name, each.fixed_ips)
            for each in ledger.servers.values()
        },
        "tags of nothing": 0,
        "history": ledger.history,
        "intervals that last": {each.id for each in ledger.all_floating_ips()},
    }
    for name, expected in due.items():
        if found[name] != expected:
            yield f"{name}: {expected} was due, and there is {found[name]}"
