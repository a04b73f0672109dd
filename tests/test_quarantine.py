"""A released address rests for its former project; pools tell what they have."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
from httpx import AsyncClient
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection, transaction
from app.ledger import pools
from app.ledger.fleets import FleetRefused
from app.settings import Settings
from tests import make
from tests.conftest import make_client
from tests.service import serving

BULK = "/os-floating-ips-bulk"
POOL = "/os-floating-ip-pools/public"


async def counts(client: AsyncClient, name: str = "public") -> dict[str, int]:
    """Return the counts that are not zero, and see that they add up."""
    response = await client.get(f"/os-floating-ip-pools/{name}")
    told: dict[str, int] = response.json()["floating_ip_pool"]
    del told["name"], told["quarantine_seconds"]
    assert told.pop("total") == sum(told.values())
    return {state: count for state, count in told.items() if count}


async def rest(client: AsyncClient) -> str:
    """Allocate an address, release it, and return it."""
    floating_ip = (await client.post("/os-floating-ips")).json()["floating_ip"]
    released = await client.delete(f"/os-floating-ips/{floating_ip['id']}")
    assert released.status_code == 202
    return str(floating_ip["ip"])


async def given(client: AsyncClient) -> str | None:
    """Return the address that an allocation gives, or None for "nothing free"."""
    response = await client.post("/os-floating-ips")
    assert response.status_code in (200, 404), response.text
    ip: str | None = response.json().get("floating_ip", {}).get("ip")
    return ip


async def set_quarantine(client: AsyncClient, seconds: object) -> httpx.Response:
    body = {"floating_ip_pool": {"quarantine_seconds": seconds}}
    return await client.put(POOL, json=body)


async def fetch(database: LedgerDatabase, sql: str) -> list[asyncpg.Record]:
    async with connection(database) as lent:
        return await lent.fetch(sql)


async def test_a_pool_is_shown_in_both_types_with_an_hour_of_quarantine(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    body = {"floating_ips_bulk_create": {"ip_range": "203.0.113.0/28"}}
    await admin.post(BULK, json=body)
    await make.floating_ip(client)

    as_json = await client.get(POOL)
    as_xml = await client.get(f"{POOL}.xml")

    assert as_json.json() == {
        "floating_ip_pool": {
            "name": "public",
            "quarantine_seconds": 3600,
            "free": 13,
            "held": 1,
            "resting": 0,
            "reserved": 0,
            "total": 14,
        }
    }
    assert make.without_declaration(as_xml) == (
        "<floating_ip_pool><name>public</name>"
        "<quarantine_seconds>3600</quarantine_seconds>"
        "<free>13</free><held>1</held><resting>0</resting><reserved>0</reserved>"
        "<total>14</total></floating_ip_pool>"
    )
    listed = await client.get("/os-floating-ip-pools")
    assert listed.json() == {"floating_ip_pools": [{"name": "public"}]}


async def test_the_quarantine_is_set_in_both_types(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    as_json = await set_quarantine(admin, 60)
    as_xml = await make.send_xml(
        admin,
        "PUT",
        POOL,
        "<floating_ip_pool><quarantine_seconds>61</quarantine_seconds>"
        "</floating_ip_pool>",
    )

    assert as_json.json()["floating_ip_pool"]["quarantine_seconds"] == 60
    assert "<quarantine_seconds>61</quarantine_seconds><free>14</free>" in as_xml.text
    shown = (await admin.get(POOL)).json()["floating_ip_pool"]
    assert shown["quarantine_seconds"] == 61


@pytest.mark.parametrize("seconds", [0, 1, 315_360_000])
async def test_a_quarantine_is_from_nothing_to_ten_years(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase, seconds: int
) -> None:
    await make.pool(database)

    response = await set_quarantine(admin, seconds)
    await rest(client)

    assert response.status_code == 200
    assert await counts(client) == (
        {"resting": 1, "free": 13} if seconds else {"free": 14}
    )
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    "seconds", [-1, 315_360_001, 2**63, 1.5, "60", None, True, [], {}]
)
async def test_a_quarantine_out_of_rule_is_400(
    admin: AsyncClient, database: LedgerDatabase, seconds: object
) -> None:
    await make.pool(database)

    response = await set_quarantine(admin, seconds)

    assert response.status_code == 400
    member = "floating_ip_pool.quarantine_seconds"
    assert member in response.json()["badRequest"]["message"]


async def test_only_an_admin_sets_it_and_everybody_sees_it(
    app: ASGIApp, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    refused = await set_quarantine(client, 0)
    async with make_client(app, "reader:other") as reader:
        shown = await reader.get(POOL)

    assert refused.status_code == 403
    assert shown.json()["floating_ip_pool"]["quarantine_seconds"] == 3600


@pytest.mark.parametrize(
    "name", ["nowhere", "null", "a b", "x" * 65, "p%C3%A9", "%00", "public%0A"]
)
async def test_a_name_that_no_pool_has_is_404(
    admin: AsyncClient, database: LedgerDatabase, name: str
) -> None:
    await make.pool(database)
    path = f"/os-floating-ip-pools/{name}"
    body = {"floating_ip_pool": {"quarantine_seconds": 0}}

    shown, changed = await admin.get(path), await admin.put(path, json=body)

    assert (shown.status_code, changed.status_code) == (404, 404)
    assert "itemNotFound" in shown.json()


@make.both_ways
async def test_a_resting_address_is_had_by_its_former_project_alone(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)

    refused = await stranger.post("/os-floating-ips")
    allocated = await client.post("/os-floating-ips")

    assert refused.status_code == 404
    assert refused.json()["itemNotFound"]["message"] == (
        "pool 'public': no address is free."
    )
    assert allocated.json()["floating_ip"]["ip"] == "203.0.113.7"
    assert await make.breaches(database) == []


@make.both_ways
async def test_a_project_gets_its_own_resting_ones_first_the_latest_before_others(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    ids = [await make.floating_ip(client) for _ in range(3)]
    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    ips = [each["ip"] for each in listed]
    await rest(stranger)
    for floating_ip_id in ids:
        await client.delete(f"/os-floating-ips/{floating_ip_id}")

    again = [await given(client) for _ in range(4)]

    assert again[:3] == [ips[2], ips[1], ips[0]]
    assert again[3] not in ips
    assert await make.breaches(database) == []


@make.both_ways
async def test_without_quarantine_a_released_address_is_everybodys_at_once(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7", quarantine=0)

    released = await rest(client)

    assert await counts(client) == {"free": 1}
    assert await given(stranger) == released
    assert await make.breaches(database) == []


@make.both_ways
async def test_when_its_time_is_over_it_is_everybodys_though_nobody_swept(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    released = await rest(client)
    await make.time_pass(database)

    before = await counts(client)
    allocated = await given(stranger)

    assert before == {"resting": 1}
    assert allocated == released
    assert await counts(client) == {"held": 1}
    assert await make.breaches(database) == []


async def test_the_clock_decides_and_nobody_has_to_help_it(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7", quarantine=1)
    await rest(client)
    loop = asyncio.get_running_loop()
    began = loop.time()

    allocated = None
    while allocated is None and loop.time() < began + 20:
        allocated = await given(stranger)

    (row,) = await fetch(
        database, "SELECT min(until) AS ended, max(since) AS begun FROM history"
    )
    assert allocated == "203.0.113.7"
    assert row["begun"] - row["ended"] >= timedelta(seconds=1)
    assert await make.breaches(database) == []


async def test_what_is_free_is_given_before_what_only_its_time_has_freed(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    due = await rest(client)
    await make.pool(database, "203.0.113.8")
    await make.time_pass(database)

    assert [await given(stranger) for _ in range(3)] == ["203.0.113.8", due, None]


async def test_a_sweep_frees_what_is_due_and_nothing_else(
    client: AsyncClient,
    stranger: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    await make.pool(database)
    await make.quota(database, -1)
    for _ in range(3):
        await make.floating_ip(client)
    for floating_ip_id in (1, 2):
        await client.delete(f"/os-floating-ips/{floating_ip_id}")
    await make.time_pass(database)
    await client.delete("/os-floating-ips/3")
    await make.floating_ip(stranger)

    await make.sweep(database, settings)

    assert await counts(client) == {"free": 12, "resting": 1, "held": 1}
    assert await make.breaches(database) == []


async def test_a_sweep_is_of_any_number_in_batches(
    settings: Settings, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "10.0.0.0/20")
    await make.execute(
        database,
        "UPDATE addresses SET state = 'resting', rests_for = 'other',"
        " rests_until = now(), changed_at = now()"
        " WHERE address < '10.0.8.196'",
    )

    await make.sweep(database, settings)

    assert await counts(client) == {"free": 4094}
    assert len(await fetch(database, "SELECT FROM pool_counts")) == 1


async def test_a_sweep_passes_by_what_is_locked(
    client: AsyncClient,
    stranger: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.pool(database, "203.0.113.8")
    await asyncio.gather(rest(client), rest(stranger))
    await make.time_pass(database)

    async with transaction(database) as other:
        await other.execute(
            "SELECT FROM addresses WHERE address = '203.0.113.7' FOR UPDATE"
        )
        # A task of its own: `databases` lends one connection to each task.
        await asyncio.create_task(make.sweep(database, settings))

    assert await counts(client) == {"resting": 1, "free": 1}
    await make.sweep(database, settings)
    assert await counts(client) == {"free": 2}


async def test_one_sweeps_at_a_time_and_others_leave_it_to_him(
    client: AsyncClient, settings: Settings, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)
    await make.time_pass(database)

    async with transaction(database) as other:
        await other.execute(
            "SELECT pg_advisory_xact_lock(hashtext('floating-ips sweep'))"
        )
        await asyncio.create_task(make.sweep(database, settings))
        unswept = await asyncio.create_task(counts(client))

    await asyncio.gather(*(make.sweep(database, settings) for _ in range(4)))
    assert unswept == {"resting": 1}
    assert await counts(client) == {"free": 1}
    assert await make.breaches(database) == []


async def test_differences_are_added_up_to_a_row_a_pool(
    client: AsyncClient, settings: Settings, database: LedgerDatabase
) -> None:
    await make.pool(database, quarantine=0)
    await make.pool(database, "198.51.100.0/28", "second")
    for _ in range(5):
        await rest(client)
    before = await counts(client)

    await make.sweep(database, settings)

    assert len(await fetch(database, "SELECT FROM pool_counts")) == 2
    assert await counts(client) == before == {"free": 14}
    assert await counts(client, "second") == {"free": 14}


async def test_what_is_added_up_is_left_alone(
    settings: Settings, database: LedgerDatabase
) -> None:
    """Or every sweep would write as many rows as there are pools, for nothing."""
    await make.pool(database)
    await make.pool(database, "198.51.100.0/28", "second")
    await make.sweep(database, settings)
    rows = "SELECT ctid, xmin FROM pool_counts"
    before = await fetch(database, rows)

    await make.sweep(database, settings)

    assert await fetch(database, rows) == before


async def test_a_sweep_ends_however_many_pools_there_are(
    settings: Settings, database: LedgerDatabase
) -> None:
    await make.execute(
        database,
        "WITH added AS (INSERT INTO pools (name)"
        " SELECT 'pool-' || n FROM generate_series(1, 2500) AS n RETURNING id)"
        " INSERT INTO pool_counts (pool_id, free)"
        " SELECT id, n FROM added, generate_series(-1, 1) AS n",
    )

    await asyncio.wait_for(make.sweep(database, settings), 30)

    assert len(await fetch(database, "SELECT FROM pool_counts")) == 2500
    assert await make.breaches(database) == []


async def test_a_longer_or_shorter_quarantine_leaves_those_that_rest_as_they_are(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)
    ends = await fetch(database, "SELECT rests_until FROM addresses")

    await set_quarantine(admin, 0)
    shorter = await given(stranger)
    await set_quarantine(admin, 86400)

    assert shorter is None
    assert await fetch(database, "SELECT rests_until FROM addresses") == ends
    assert await make.breaches(database) == []


RANGE = "203.0.113.6"
Way = Callable[[AsyncClient, LedgerDatabase], Awaitable[object]]


async def out_in_bulk(admin: AsyncClient, _: LedgerDatabase) -> object:
    return await admin.put(f"{BULK}/delete", json={"ip_range": RANGE})


async def out_with_its_pool(_: AsyncClient, database: LedgerDatabase) -> object:
    async with transaction(database) as tx:
        await pools.remove(tx, "public")
    return None


async def back_in_bulk(admin: AsyncClient, _: LedgerDatabase) -> object:
    body = {"floating_ips_bulk_create": {"ip_range": RANGE}}
    return await admin.post(BULK, json=body)


async def back_in_a_network(admin: AsyncClient, _: LedgerDatabase) -> object:
    body = {"floating_ips_bulk_create": {"ip_range": "203.0.113.4/30"}}
    return await admin.post(BULK, json=body)


@pytest.mark.parametrize("out", [out_in_bulk, out_with_its_pool])
@pytest.mark.parametrize("back", [back_in_bulk, back_in_a_network])
async def test_an_address_that_is_taken_out_and_put_back_rests_on(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
    out: Way,
    back: Way,
) -> None:
    await make.pool(database, RANGE)
    await rest(client)
    ends = await fetch(database, "SELECT rests_until FROM addresses")

    await out(admin, database)
    gone = await fetch(database, "SELECT FROM addresses")
    await back(admin, database)

    assert gone == []
    told = await fetch(
        database, "SELECT rests_until FROM addresses WHERE state = 'resting'"
    )
    assert told == ends
    assert await make.breaches(database) == []
    while (ip := await given(stranger)) is not None:
        assert ip != RANGE
    assert await given(client) == RANGE
    assert await fetch(database, "SELECT FROM former_addresses") == []
    assert await make.breaches(database) == []


async def test_put_back_into_another_pool_it_rests_on_as_well(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, RANGE)
    await rest(client)
    await admin.put(f"{BULK}/delete", json={"ip_range": RANGE})

    await make.pool(database, RANGE, "second", quarantine=0)

    refused = await stranger.post("/os-floating-ips", json={"pool": "second"})
    assert refused.status_code == 404
    assert await counts(client, "second") == {"resting": 1}
    assert await make.breaches(database) == []


async def test_put_back_when_its_time_is_over_it_is_everybodys(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, RANGE)
    await rest(client)
    await make.time_pass(database)
    await admin.put(f"{BULK}/delete", json={"ip_range": RANGE})

    await make.pool(database, RANGE)

    assert await given(stranger) == RANGE
    assert await make.breaches(database) == []


async def test_an_import_that_brings_it_back_finds_it_resting(
    client: AsyncClient,
    admin: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, RANGE)
    await rest(client)
    await admin.put(f"{BULK}/delete", json={"ip_range": RANGE})
    lines = f"{RANGE},other,,\n203.0.113.8,other,,\n"

    with pytest.raises(FleetRefused) as refused:
        await make.fleet(database, lines)
    await make.pool(database, RANGE)
    await make.time_pass(database)
    await make.sweep(database, settings)
    await make.fleet(database, lines)

    (fault,) = refused.value.faults
    assert fault.sentence == f"address '{RANGE}': is resting."
    assert await counts(client) == {"held": 2}
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    "change",
    [
        # Free at once; somebody else's; held back and its rest forgotten.
        "state = 'free', rests_for = NULL, rests_until = NULL",
        "state = 'free', rests_for = NULL, rests_until = NULL,"
        " changed_at = clock_timestamp()",
        "state = 'held', rests_for = NULL, rests_until = NULL, revision = 1,"
        " floating_ip_id = 99, floating_ip_uuid = gen_random_uuid(),"
        " project_id = 'other', changed_at = clock_timestamp()",
        "state = 'reserved', rests_for = NULL, rests_until = NULL,"
        " reserved_reason = 'why'",
        # Resting still, but not as long, or for another.
        "state = 'resting', rests_until = changed_at",
        "state = 'resting', rests_until = clock_timestamp()",
        "state = 'resting', rests_for = 'other'",
    ],
)
async def test_the_database_refuses_to_end_a_quarantine_early(
    client: AsyncClient, database: LedgerDatabase, change: str
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)

    async with connection(database) as lent:
        with pytest.raises(
            asyncpg.IntegrityConstraintViolationError, match="for its former project"
        ) as refused:
            await lent.execute(f"UPDATE addresses SET {change}")  # noqa: S608

    assert refused.value.constraint_name == "quarantine_is_kept"
    assert await counts(client) == {"resting": 1}


async def test_a_resting_address_that_is_merely_locked_is_waited_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)

    await _waits_while_locked(database, client)


async def test_one_whose_time_is_over_and_that_is_merely_locked_is_waited_for(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)
    await make.time_pass(database)

    await _waits_while_locked(database, stranger)


async def _waits_while_locked(database: LedgerDatabase, client: AsyncClient) -> None:
    async with connection(database) as other:
        undecided = other.transaction()
        await undecided.start()
        await other.execute("SELECT FROM addresses FOR UPDATE")
        asking = asyncio.create_task(given(client))
        await asyncio.sleep(0.2)
        answered_early = asking.done()
        await undecided.rollback()

    assert not answered_early
    assert await asking == "203.0.113.7"
    assert await make.breaches(database) == []


async def test_a_stranger_does_not_wait_for_a_resting_address_that_is_locked(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await rest(client)

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses FOR UPDATE")
        # A task of its own: `databases` lends one connection to each task.
        response = await asyncio.create_task(stranger.post("/os-floating-ips"))

    assert response.status_code == 404


@make.both_ways
async def test_the_counts_are_right_after_every_kind_of_change(
    client: AsyncClient,
    admin: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    add = {"floating_ips_bulk_create": {"ip_range": "203.0.113.0/28"}}
    await admin.post(BULK, json=add)
    assert await counts(client) == {"free": 14}

    await make.floating_ip(client)
    assert await counts(client) == {"free": 13, "held": 1}

    await client.delete("/os-floating-ips/1")
    assert await counts(client) == {"free": 13, "resting": 1}

    (resting,) = await fetch(
        database, "SELECT host(address) AS ip FROM addresses WHERE state = 'resting'"
    )
    hold = {"floating_ip_hold": {"address": resting["ip"], "reason": "why"}}
    await admin.post("/os-floating-ip-holds", json=hold)
    assert await counts(client) == {"free": 13, "reserved": 1}

    await admin.delete(f"/os-floating-ip-holds/{resting['ip']}")
    assert await counts(client) == {"free": 13, "resting": 1}

    batch = {"allocate_addresses": {"count": 3}}
    await client.post("/os-floating-ips/batch", json=batch)
    assert await counts(client) == {"free": 11, "held": 3}

    await client.post(
        "/os-floating-ips/batch/release", json={"release_addresses": {"ids": [2, 3, 4]}}
    )
    assert await counts(client) == {"free": 11, "resting": 3}

    await make.time_pass(database)
    await make.sweep(database, settings)
    assert await counts(client) == {"free": 14}

    await admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.8/29"})
    assert await counts(client) == {"free": 8}

    await make.fleet(database, "203.0.113.1,demo,,\n192.0.2.1,demo,,\n")
    assert await counts(client) == {"free": 7, "held": 2}
    assert await make.breaches(database) == []


async def test_a_server_that_goes_with_its_floating_ip_is_counted_too(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1")
    await make.floating_ip(admin, "11.0.0.1")
    await make.execute(
        database,
        "UPDATE addresses SET auto_associated = true WHERE fixed_ip IS NOT NULL",
    )

    await admin.delete(f"/servers/{server_id}")

    assert await counts(admin) == {"free": 13, "resting": 1}
    assert await make.breaches(database) == []


async def test_a_pool_that_comes_back_after_its_removal_counts_from_nothing(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await rest(client)
    async with transaction(database) as tx:
        await pools.remove(tx, "public")

    await make.pool(database, "203.0.113.0/29")

    (row,) = await fetch(
        database, "SELECT sum(free) + sum(resting) AS counted FROM pool_counts"
    )
    assert row["counted"] == 6
    assert sum((await counts(client)).values()) == 6
    assert await make.breaches(database) == []


async def allocate_and_release(client: AsyncClient, pool: str) -> int:
    """Return the status of the allocation."""
    response = await client.post("/os-floating-ips", json={"pool": pool})
    if response.status_code == 200:
        made = response.json()["floating_ip"]["id"]
        assert (await client.delete(f"/os-floating-ips/{made}")).status_code == 202
    return response.status_code


async def test_the_counts_add_up_while_everything_changes_at_once(
    app: ASGIApp, admin: AsyncClient, settings: Settings, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28", quarantine=0)
    await make.pool(database, "198.51.100.0/29", "second")
    done = asyncio.Event()

    async def churn(number: int) -> None:
        async with make_client(app, f"joe:project-{number}") as client:
            for step in range(12):
                await allocate_and_release(client, ("public", "second")[step % 2])

    async def hold() -> None:
        for _ in range(12):
            body = {"floating_ip_hold": {"address": "203.0.113.5", "reason": "why"}}
            await admin.post("/os-floating-ip-holds", json=body)
            await admin.delete("/os-floating-ip-holds/203.0.113.5")

    async def look() -> set[int]:
        """Sweep and read all the while; no reader may see half of a change."""
        totals = set()
        while not done.is_set():
            await make.sweep(database, settings)
            for name in ("public", "second"):
                totals.add(sum((await counts(admin, name)).values()))
        return totals

    looking = asyncio.create_task(look())
    await asyncio.gather(*(churn(number) for number in range(6)), hold())
    done.set()

    assert await looking == {14, 6}
    assert await make.breaches(database) == []


@make.both_ways
async def test_no_project_is_given_what_rests_for_another_under_load(
    app: ASGIApp, database: LedgerDatabase, alone: bool
) -> None:
    """Each releases and allocates on a pool that is too small; history tells."""
    await make.pool(database, "203.0.113.0/29")

    async def churn(number: int) -> set[int]:
        token = f"joe:project-{number}"
        async with make_client(app, token, alone=alone) as client:
            return {await allocate_and_release(client, "public") for _ in range(10)}

    seen = await asyncio.gather(*(churn(number) for number in range(10)))

    assert set.union(*seen) == {200, 404}
    owners = await fetch(
        database,
        "SELECT address FROM history GROUP BY address"
        " HAVING count(DISTINCT project_id) > 1",
    )
    assert owners == []
    assert await make.breaches(database) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_the_service_frees_what_is_due_by_itself(folder: Path, workers: int) -> None:
    data_dir = folder / f"sweeping-{workers}"
    options = ("--demo", "--workers", str(workers))
    with (
        serving(data_dir, *options, FLOATING_IPS_SWEEP_INTERVAL="1") as service,
        service.client("admin") as admin,
    ):
        body = {"floating_ip_pool": {"quarantine_seconds": 1}}
        admin.put(POOL, json=body).raise_for_status()
        made = admin.post("/os-floating-ips").json()["floating_ip"]["id"]
        admin.delete(f"/os-floating-ips/{made}").raise_for_status()
        told, deadline = [resting(admin)], time.monotonic() + 20
        while told[-1] and time.monotonic() < deadline:
            time.sleep(0.02)
            told.append(resting(admin))

    assert (told[0], told[-1]) == (1, 0)


def resting(client: httpx.Client) -> int:
    count: int = client.get(POOL).json()["floating_ip_pool"]["resting"]
    return count
