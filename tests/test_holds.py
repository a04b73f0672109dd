"""Holds: addresses that an admin keeps from being allocated."""

import asyncio

import pytest
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.auth import Caller, Role
from app.database import LedgerDatabase, transaction
from app.ledger import allocation
from app.settings import Settings
from tests import make
from tests.conftest import make_client

HOLDS = "/os-floating-ip-holds"
SEVEN = "203.0.113.7"


async def place(
    admin: AsyncClient,
    address: object = SEVEN,
    reason: object = "on a blocklist",
    **members: object,
) -> Response:
    hold = {"address": address, "reason": reason, **members}
    return await admin.post(HOLDS, json={"floating_ip_hold": hold})


async def lift(admin: AsyncClient, address: str = SEVEN) -> int:
    return (await admin.delete(f"{HOLDS}/{address}")).status_code


async def held_back(admin: AsyncClient) -> list[str]:
    listed = (await admin.get(HOLDS)).json()["floating_ip_holds"]
    return [each["address"] for each in listed]


async def allocate(client: AsyncClient, address: str | None = None) -> Response:
    asked = {"allocate_address": {"address": address}} if address else None
    return await client.post("/os-floating-ips", json=asked)


async def test_a_hold_is_placed_listed_and_lifted(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    hold = {"address": SEVEN, "reason": "on a blocklist", "until": None}

    placed = await place(admin)
    listed = await admin.get(HOLDS)
    lifted = await admin.delete(f"{HOLDS}/{SEVEN}")

    assert (placed.status_code, lifted.status_code) == (200, 202)
    assert placed.json() == {"floating_ip_hold": hold}
    assert listed.json() == {"floating_ip_holds": [hold]}
    assert lifted.content == b""
    assert await held_back(admin) == []
    assert await make.breaches(database) == []


async def test_the_same_in_xml(admin: AsyncClient, database: LedgerDatabase) -> None:
    await make.pool(database)
    hold = (
        f"<floating_ip_hold><address>{SEVEN}</address><reason>a &amp; b</reason>"
        "<until>2999-01-01T00:00:00Z</until></floating_ip_hold>"
    )

    placed = await make.send_xml(admin, "POST", HOLDS, hold)
    await place(admin, "203.0.113.8", "x")
    listed = await admin.get(f"{HOLDS}.xml")
    lifted = await admin.delete(f"{HOLDS}/{SEVEN}.xml")

    assert make.without_declaration(placed) == hold
    assert make.without_declaration(listed) == (
        f"<floating_ip_holds>{hold}<floating_ip_hold><address>203.0.113.8</address>"
        "<reason>x</reason><until>null</until></floating_ip_hold></floating_ip_holds>"
    )
    assert (lifted.status_code, lifted.content) == (202, b"")
    assert await held_back(admin) == ["203.0.113.8"]


async def test_holds_are_listed_by_address_page_by_page(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.pool(database, "2001:db8::/126", "six")
    for address in ("2001:db8::2", "203.0.113.10", "203.0.113.9"):
        await place(admin, address)

    seen, path = [], f"{HOLDS}?limit=1"
    while path:
        response = await admin.get(path)
        (hold,) = response.json()["floating_ip_holds"]
        seen.append(hold["address"])
        path = response.links.get("next", {}).get("url", "")

    assert seen == ["203.0.113.9", "203.0.113.10", "2001:db8::2"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "marker=203.0.113.8", "marker=x", "marker="]
)
async def test_limits_and_markers_out_of_rule_are_400(
    admin: AsyncClient, database: LedgerDatabase, query: str
) -> None:
    await make.pool(database)
    await place(admin)

    response = await admin.get(f"{HOLDS}?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["badRequest"]["message"]


async def test_holds_are_the_admins(
    client: AsyncClient, admin: AsyncClient, app: ASGIApp, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await place(admin)

    async with make_client(app, "reader:demo") as reader:
        for other in (client, reader):
            assert (await other.get(HOLDS)).status_code == 403
            assert (await place(other, "203.0.113.8")).status_code == 403
            assert await lift(other) == 403

    assert await held_back(admin) == [SEVEN]


@pytest.mark.parametrize(
    ("until", "told"),
    [
        ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("2999-01-01t00:00:00z", "2999-01-01T00:00:00Z"),
        ("2999-01-01T02:00:00+02:00", "2999-01-01T00:00:00Z"),
        ("2998-12-31T19:30:00-04:30", "2999-01-01T00:00:00Z"),
        ("2999-01-01T00:00:00.25Z", "2999-01-01T00:00:00.250000Z"),
        ("2999-01-01T00:00:00.123456789Z", "2999-01-01T00:00:00.123456Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59Z"),
        (None, None),
    ],
)
async def test_an_end_is_any_time_of_rfc_3339_and_told_in_utc(
    admin: AsyncClient, database: LedgerDatabase, until: str | None, told: str | None
) -> None:
    await make.pool(database)

    response = await place(admin, until=until)

    assert response.status_code == 200, response.text
    assert response.json()["floating_ip_hold"]["until"] == told
    listed = await admin.get(HOLDS)
    assert listed.json()["floating_ip_holds"][0]["until"] == told


@pytest.mark.parametrize(
    "until",
    [
        "2020-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "2999-01-01T00:00:00",
        "2999-01-01 00:00:00Z",
        "2999-01-01",
        "2999-02-29T00:00:00Z",
        "2999-01-01T25:00:00Z",
        "2999-01-01T24:00:01Z",
        "2999-01-01T00:00:60Z",
        "2999-01-01T00:00Z",
        "2999-01-01T00:00:00,5Z",
        "2999-01-01T00:00:00+2",
        "2999-01-01T00:00:00+24:00",
        "2999-01-01T00:00:00Z\n",
        "29990101T000000Z",
        "\u0662999-01-01T00:00:00Z",
        "tomorrow",
        "",
        32472144000,
        True,
        [],
    ],
)
async def test_ends_out_of_rule_or_in_the_past_are_400(
    admin: AsyncClient, database: LedgerDatabase, until: object
) -> None:
    await make.pool(database)

    response = await place(admin, until=until)

    assert response.status_code == 400
    assert "until" in response.json()["badRequest"]["message"]
    assert await held_back(admin) == []


@pytest.mark.parametrize(
    "reason", ["x", "x" * 255, "Null", "on a blocklist; \u00e9\u4e2d"]
)
async def test_a_reason_is_any_printable_text(
    admin: AsyncClient, database: LedgerDatabase, reason: str
) -> None:
    await make.pool(database)

    response = await place(admin, reason=reason)

    assert response.json()["floating_ip_hold"]["reason"] == reason


@pytest.mark.parametrize(
    "reason",
    ["", " ", " x", "x ", "null", "x" * 256, "a\nb", "a\x00b", "a\x7fb", 7, None, []],
)
async def test_reasons_out_of_rule_are_400(
    admin: AsyncClient, database: LedgerDatabase, reason: object
) -> None:
    await make.pool(database)

    response = await place(admin, reason=reason)

    assert response.status_code == 400
    assert "reason" in response.json()["badRequest"]["message"]
    assert await held_back(admin) == []


@pytest.mark.parametrize(
    "address", ["203.0.113.0/28", "x", "", None, 7, "::ffff:1.2.3.4"]
)
async def test_what_is_no_address_is_400(
    admin: AsyncClient, database: LedgerDatabase, address: object
) -> None:
    response = await place(admin, address)

    assert response.status_code == 400
    assert "address" in response.json()["badRequest"]["message"]


async def test_what_cannot_be_held_back(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await allocate(client, "203.0.113.1")
    await place(admin, "203.0.113.2")

    held = await place(admin, "203.0.113.1")
    twice = await place(admin, "203.0.113.2", "another reason")
    in_no_pool = await place(admin, "192.0.2.1")

    assert [held.status_code, twice.status_code, in_no_pool.status_code] == [
        409,
        409,
        404,
    ]
    assert held.json()["conflictingRequest"]["message"] == (
        "203.0.113.1 is held by a project."
    )
    assert twice.json()["conflictingRequest"]["message"] == (
        "203.0.113.2 is held back already."
    )
    listed = (await admin.get(HOLDS)).json()["floating_ip_holds"]
    assert [each["reason"] for each in listed] == ["on a blocklist"]
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    "address",
    ["203.0.113.8", "192.0.2.1", "x", "203.0.113.0%2F28", "203.0.113.7%20", "%00"],
)
async def test_there_is_nothing_to_lift_where_nothing_is_held_back(
    admin: AsyncClient, database: LedgerDatabase, address: str
) -> None:
    await make.pool(database)
    await place(admin)

    response = await admin.delete(f"{HOLDS}/{address}")

    assert response.status_code == 404
    assert "itemNotFound" in response.json()
    assert await held_back(admin) == [SEVEN]


async def test_an_ipv6_hold_is_lifted_in_any_spelling(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:db8::/126")
    await place(admin, "2001:0DB8::0001")

    assert await held_back(admin) == ["2001:db8::1"]
    assert await lift(admin, "2001:db8:0:0::1") == 202


async def test_nobody_gets_an_address_that_is_held_back(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, SEVEN)
    await place(admin)

    any_one = await allocate(client)
    this_one = await allocate(client, SEVEN)
    of_the_admin = await allocate(admin, SEVEN)

    assert any_one.status_code == 404
    assert "no address is free" in any_one.json()["itemNotFound"]["message"]
    assert this_one.status_code == of_the_admin.status_code == 409
    await lift(admin)
    assert (await allocate(client)).status_code == 200
    assert await make.breaches(database) == []


async def test_a_resting_address_that_is_held_back_rests_on_when_it_is_lifted(
    admin: AsyncClient,
    client: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, SEVEN)
    await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")

    await place(admin)
    while_held_back = await allocate(client)
    await lift(admin)
    of_another = await allocate(stranger)
    of_the_former = await allocate(client)

    statuses = [while_held_back, of_another, of_the_former]
    assert [each.status_code for each in statuses] == [404, 404, 200]
    assert await make.breaches(database) == []


async def test_a_rest_that_ended_during_the_hold_is_over_when_it_is_lifted(
    admin: AsyncClient,
    client: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, SEVEN)
    await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")
    await place(admin)
    await make.time_pass(database)

    assert await lift(admin) == 202

    assert (await allocate(stranger)).status_code == 200
    assert await make.breaches(database) == []


async def test_a_hold_that_is_over_is_lifted_by_the_sweep(
    admin: AsyncClient,
    client: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, SEVEN)
    await make.pool(database, "203.0.113.8")
    await place(admin, until="2999-01-01T00:00:00Z")
    await place(admin, "203.0.113.8")
    await make.sweep(database, settings)
    before = await held_back(admin)

    await make.time_pass(database)
    await make.execute(
        database,
        "UPDATE addresses SET reserved_until = NULL WHERE address = '203.0.113.8'",
    )
    await make.sweep(database, settings)

    assert before == [SEVEN, "203.0.113.8"]
    assert await held_back(admin) == ["203.0.113.8"]
    assert (await allocate(client)).json()["floating_ip"]["ip"] == SEVEN
    assert await make.breaches(database) == []


async def test_what_rests_on_behind_a_hold_that_is_over_is_swept_into_its_rest(
    admin: AsyncClient,
    client: AsyncClient,
    stranger: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, SEVEN)
    await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")
    await place(admin)
    await make.execute(database, make.HOLD_IS_OVER)

    await make.sweep(database, settings)

    assert (await allocate(stranger)).status_code == 404
    assert (await allocate(client)).status_code == 200
    assert await make.breaches(database) == []


async def test_a_sweep_passes_by_a_hold_that_is_locked(
    admin: AsyncClient, settings: Settings, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await place(admin)
    await place(admin, "203.0.113.8")
    await make.time_pass(database)

    async with transaction(database) as other:
        await other.execute(
            "SELECT FROM addresses WHERE address = '203.0.113.7' FOR UPDATE"
        )
        # A task of its own: `databases` lends one connection to each task.
        await asyncio.create_task(make.sweep(database, settings))

    assert await held_back(admin) == [SEVEN]


async def test_an_address_is_asked_for_by_name_as_soon_as_its_hold_is_over(
    admin: AsyncClient,
    client: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database)
    await allocate(client, "203.0.113.1")
    await client.delete("/os-floating-ips/1")
    for address in (SEVEN, "203.0.113.1"):
        await place(admin, address)
    await make.execute(database, make.HOLD_IS_OVER)

    free = await allocate(stranger, SEVEN)
    resting_for_another = await allocate(stranger, "203.0.113.1")
    resting_for_itself = await allocate(client, "203.0.113.1")

    assert free.status_code == 200
    assert resting_for_another.status_code == 409
    assert resting_for_itself.status_code == 200
    assert await held_back(admin) == []
    assert await make.breaches(database) == []


async def test_an_address_that_is_held_back_can_be_taken_out_and_comes_back_free(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, SEVEN)
    await place(admin)

    removed = await admin.put("/os-floating-ips-bulk/delete", json={"ip_range": SEVEN})
    gone = await held_back(admin)
    await make.pool(database, SEVEN)

    assert (removed.status_code, gone) == (200, [])
    assert (await allocate(client)).status_code == 200
    assert await make.breaches(database) == []


async def test_its_rest_outlives_being_held_back_and_taken_out(
    admin: AsyncClient,
    client: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, SEVEN)
    await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")
    await place(admin)
    await admin.put("/os-floating-ips-bulk/delete", json={"ip_range": SEVEN})

    await make.pool(database, SEVEN)

    assert (await allocate(stranger)).status_code == 404
    assert (await allocate(client)).status_code == 200
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(8))
async def test_the_last_address_is_held_back_or_allocated_and_never_both(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database, SEVEN)
    await make.quota(database, 5)
    requests = [place(admin), allocate(client, SEVEN if rounds % 2 else None)]

    answers = await asyncio.gather(*(requests if rounds % 4 < 2 else requests[::-1]))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([200, 409], [200, 404])
    assert await make.breaches(database) == []


async def test_an_address_is_held_back_once_however_many_try(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    placed = await asyncio.gather(*(place(admin, reason=f"n {n}") for n in range(8)))
    lifted = await asyncio.gather(*(lift(admin) for _ in range(8)))

    assert sorted(each.status_code for each in placed) == [200] + [409] * 7
    assert sorted(lifted) == [202] + [404] * 7
    assert await make.breaches(database) == []


async def test_an_allocation_waits_for_a_hold_that_may_not_come_about(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, SEVEN)

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses FOR UPDATE")
        asking = asyncio.create_task(allocate(client, SEVEN))
        await asyncio.sleep(0.2)
        assert not asking.done()

    assert (await asking).status_code == 200


async def test_a_hold_waits_for_an_allocation_under_way(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, SEVEN)

    async with transaction(database) as other:
        joe = Caller("joe", "demo", Role.MEMBER, "req-1")
        await allocation.allocate(other, joe, "public", 10)
        placing = asyncio.create_task(place(admin))
        await asyncio.sleep(0.2)
        assert not placing.done()

    assert (await placing).status_code == 409
    assert await make.breaches(database) == []
