import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase, connection
from tests import make

READ = """
SELECT host(address), floating_ip_id, project_id, host(fixed_ip), server_id, since,
       until, actor, request_id
  FROM history
 ORDER BY id
"""


REWRITTEN = "an interval is ended once, and never changed otherwise"
"""What the trigger says; other constraints would refuse some of it as well."""


async def rows(database: LedgerDatabase) -> list[asyncpg.Record]:
    async with connection(database) as lent:
        return await lent.fetch(READ)


async def run(database: LedgerDatabase, sql: str, *values: object) -> None:
    async with connection(database) as lent:
        await lent.execute(sql, *values)


@make.both_ways
async def test_a_life_is_told_in_intervals_that_touch(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    web = await make.server(database, "11.0.0.1")
    db = await make.server(database, "11.0.0.2", name="db")

    allocated = await client.post("/os-floating-ips")
    await make.associate(client, 1, "11.0.0.1")
    moved = await make.associate(admin, 1, "11.0.0.2")
    await client.post("/os-floating-ips/1/removeFloatingIp")
    await client.delete("/os-floating-ips/1")

    told = await rows(database)
    assert [tuple(row)[:5] for row in told] == [
        ("203.0.113.7", 1, "demo", None, None),
        ("203.0.113.7", 1, "demo", "11.0.0.1", web),
        ("203.0.113.7", 1, "demo", "11.0.0.2", db),
        ("203.0.113.7", 1, "demo", None, None),
    ]
    assert [row["actor"] for row in told] == ["joe", "joe", "admin", "joe"]
    assert told[0]["request_id"] == allocated.headers["x-openstack-request-id"]
    assert told[2]["request_id"] == moved.headers["x-openstack-request-id"]
    ends = [row["until"] for row in told]
    assert ends[:-1] == [row["since"] for row in told[1:]]
    assert ends == sorted(ends)
    assert datetime.now(UTC) - ends[-1] < timedelta(minutes=1)


@make.both_ways
async def test_nothing_done_is_nothing_told(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    before = await rows(database)

    await make.associate(client, 1, "11.0.0.1")
    await make.associate(client, 1, "11.0.0.99")
    await client.post("/os-floating-ips/99/removeFloatingIp")
    await client.delete("/os-floating-ips/99")

    assert await rows(database) == before


async def test_a_server_removed_ends_the_intervals_of_its_floating_ips(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.2")

    removed = await client.delete(f"/servers/{server_id}")

    last = [row for row in await rows(database) if row["until"] is None]
    assert [row["fixed_ip"] if "fixed_ip" in row else row[3] for row in last] == [
        None,
        None,
    ]
    request_id = removed.headers["x-openstack-request-id"]
    assert {row["request_id"] for row in last} == {request_id}


@make.both_ways
async def test_a_clock_behind_the_last_interval_waits_at_its_end(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """As if the clock had been an hour ahead when the address was released."""
    await make.pool(database, "203.0.113.7")
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await run(database, "UPDATE addresses SET changed_at = $1", ahead)

    await make.floating_ip(client)
    await client.delete("/os-floating-ips/1")
    await make.floating_ip(client)

    assert [(row["since"], row["until"]) for row in await rows(database)] == [
        (ahead, ahead),
        (ahead, None),
    ]
    assert await make.breaches(database) == []


async def test_the_database_refuses_two_owners_at_a_time(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.floating_ip(client)

    with pytest.raises(asyncpg.ExclusionViolationError, match="one_owner_at_a_time"):
        await run(
            database,
            "INSERT INTO history (address, floating_ip_id, project_id, since, actor,"
            " request_id) VALUES ('203.0.113.7', 2, 'other', now(), 'eve', 'req-2')",
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE history SET until = until + interval '1 s' WHERE until IS NOT NULL",
        "UPDATE history SET until = NULL WHERE until IS NOT NULL",
        "UPDATE history SET since = since - interval '1 s' WHERE until IS NULL",
        "UPDATE history SET project_id = 'other' WHERE until IS NULL",
        "UPDATE history SET actor = 'eve', until = clock_timestamp()"
        " WHERE until IS NULL",
        "DELETE FROM history WHERE until IS NULL",
    ],
)
async def test_the_database_refuses_to_rewrite_history(
    client: AsyncClient, database: LedgerDatabase, change: str
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    before = await rows(database)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=REWRITTEN):
        await run(database, change)

    assert await rows(database) == before


async def test_an_interval_cannot_end_before_it_begins(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.floating_ip(client)

    with pytest.raises(asyncpg.CheckViolationError):
        await run(database, "UPDATE history SET until = since - interval '1 s'")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("UPDATE addresses SET state = 'free'", "held_address_is_a_floating_ip"),
        ("UPDATE addresses SET project_id = NULL", "held_address_is_a_floating_ip"),
        (
            "UPDATE addresses SET state = 'lost'",
            "address_is_free_held_resting_or_reserved",
        ),
        ("UPDATE addresses SET project_id = 'o'", "fixed_ip_is_of_the_same_project"),
        ("UPDATE addresses SET fixed_ip = '9.9.9.9'", "fixed_ip_is_of_the_same"),
        ("DELETE FROM fixed_ips", "fixed_ip_is_of_the_same_project"),
        ("DELETE FROM servers", "fixed_ip_is_of_its_servers_project"),
        ("UPDATE fixed_ips SET project_id = 'o'", "fixed_ip_is_of_"),
        ("UPDATE quota_shares SET room = -1", "only_the_first_share_owes"),
        ("UPDATE addresses SET protected = true, state = 'free'", "held_address_is"),
        ("UPDATE addresses SET rests_for = 'demo'", "resting_address_has_a_former"),
        ("UPDATE addresses SET reserved_reason = 'why'", "reserved_address_has_a"),
        ("UPDATE addresses SET address = '203.0.113.0/28'", "address_is_one_address"),
    ],
)
async def test_the_database_refuses_what_breaks_a_promise(
    client: AsyncClient, database: LedgerDatabase, change: str, constraint: str
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=constraint):
        await run(database, change)


@make.both_ways
async def test_many_changes_at_once_leave_one_story(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    for n in (1, 2, 3):
        await make.server(database, f"11.0.0.{n}", name=f"s{n}")
    await make.floating_ip(client)

    async def shake(number: int) -> None:
        for step in range(6):
            if (number + step) % 4 == 0:
                await client.post("/os-floating-ips/1/removeFloatingIp")
            else:
                await make.associate(client, 1, f"11.0.0.{(number + step) % 3 + 1}")

    await asyncio.gather(*(shake(number) for number in range(6)))

    assert await make.breaches(database) == []
