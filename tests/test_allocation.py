import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient
from starlette.types import ASGIApp

from app.auth import Caller, Role
from app.database import LedgerDatabase, connection, transaction
from app.ledger import allocation
from tests import make
from tests.conftest import make_client

ALLOCATED = {"id": 1, "ip": "203.0.113.7", "fixed_ip": None, "instance_id": None}
ALLOCATED_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<floating_ip><id>1</id><ip>203.0.113.7</ip>"
    "<fixed_ip>null</fixed_ip><instance_id>null</instance_id></floating_ip>"
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"pool": "public"}',
        b'{"pool": null}',
        b'{"allocate_address": {}}',
        b'{"allocate_address": {"pool": "public"}}',
    ],
)
async def test_every_form_of_the_request_allocates_from_the_default_pool(
    client: AsyncClient, database: LedgerDatabase, body: bytes
) -> None:
    await make.pool(database, "203.0.113.7")

    response = await client.post(
        "/os-floating-ips",
        content=body,
        headers={"Content-Type": "application/json"} if body else {},
    )

    assert response.status_code == 200
    assert response.json() == {"floating_ip": ALLOCATED}
    assert list(response.json()["floating_ip"]) == [
        "id",
        "ip",
        "fixed_ip",
        "instance_id",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<pool>public</pool>",
        "<allocate_address/>",
        "<allocate_address><pool>public</pool></allocate_address>",
    ],
)
async def test_every_form_of_the_request_in_xml_allocates_too(
    client: AsyncClient, database: LedgerDatabase, body: str
) -> None:
    await make.pool(database, "203.0.113.7")

    response = await client.post(
        "/os-floating-ips",
        content=body,
        headers={"Content-Type": "application/xml", "Accept": "application/xml"},
    )

    assert response.text == ALLOCATED_XML


async def test_a_named_pool_is_allocated_from_and_no_other(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.pool(database, "198.51.100.9", name="second")

    first = await client.post("/os-floating-ips", json={"pool": "second"})
    second = await client.post("/os-floating-ips", json={"pool": "second"})

    assert first.json()["floating_ip"]["ip"] == "198.51.100.9"
    assert second.status_code == 404
    assert second.json()["itemNotFound"]["message"] == (
        "pool 'second': no address is free."
    )


async def test_without_a_name_no_other_pool_than_the_default_is_used(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, name="second")

    response = await client.post("/os-floating-ips")

    assert response.status_code == 404
    assert "'public'" in response.json()["itemNotFound"]["message"]


async def test_ipv6_addresses_are_allocated_in_canonical_text(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:DB8:0:0::7")

    response = await client.post("/os-floating-ips")

    assert response.json()["floating_ip"]["ip"] == "2001:db8::7"


async def test_refusals_come_in_the_order_of_the_design(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 0)

    malformed = await client.post("/os-floating-ips", json={"pool": "a b"})
    unknown = await client.post("/os-floating-ips", json={"pool": "nowhere"})
    await make.pool(database, "203.0.113.7")
    over_quota = await client.post("/os-floating-ips")
    await make.quota(database, 2)
    await make.floating_ip(client)
    exhausted = await client.post("/os-floating-ips")
    await make.quota(database, 1)
    both = await client.post("/os-floating-ips")

    statuses = [malformed, unknown, over_quota, exhausted, both]
    assert [r.status_code for r in statuses] == [400, 404, 403, 404, 403]


async def test_pool_and_allocate_address_together_are_refused(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    response = await client.post(
        "/os-floating-ips", json={"pool": "public", "allocate_address": {}}
    )

    assert response.status_code == 400
    assert "not both" in response.json()["badRequest"]["message"]


async def test_with_a_fixed_ip_it_is_associated_at_once(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    server_id = await make.server(database, "11.0.0.1")

    response = await client.post(
        "/os-floating-ips", json={"allocate_address": {"fixed_ip": "11.0.0.1"}}
    )

    assert response.json()["floating_ip"] == {
        "id": 1,
        "ip": "203.0.113.7",
        "fixed_ip": "11.0.0.1",
        "instance_id": server_id,
    }


@pytest.mark.parametrize(
    ("fixed_ip", "status"),
    [("11.0.0.99", 404), ("2001:db8::1", 400), ("11.0.0.1", 409)],
)
async def test_a_refused_association_leaves_no_floating_ip_behind(
    client: AsyncClient, database: LedgerDatabase, fixed_ip: str, status: int
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "2001:db8::1")
    await make.floating_ip(client, "11.0.0.1")

    response = await client.post(
        "/os-floating-ips", json={"allocate_address": {"fixed_ip": fixed_ip}}
    )

    assert response.status_code == status
    listed = await client.get("/os-floating-ips")
    assert len(listed.json()["floating_ips"]) == 1
    assert await make.breaches(database) == []


async def test_a_released_address_can_be_allocated_again_under_a_new_id(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    first = await make.floating_ip(client)

    released = await client.delete(f"/os-floating-ips/{first}")
    second = await make.floating_ip(client)

    assert released.status_code == 202
    assert released.content == b""
    assert second > first
    assert (await client.get(f"/os-floating-ips/{first}")).status_code == 404
    assert (await client.delete(f"/os-floating-ips/{first}")).status_code == 404


async def test_release_disassociates_in_the_same_transaction(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client, "11.0.0.1")

    await client.delete(f"/os-floating-ips/{floating_ip_id}")

    server = (await client.get(f"/servers/{server_id}")).json()["server"]
    assert server["addresses"]["public"] == []
    assert await make.breaches(database) == []


@make.both_ways
async def test_sixty_four_at_once_on_eight_addresses(
    app: ASGIApp, database: LedgerDatabase, alone: bool
) -> None:
    await make.pool(database, "203.0.113.0/29")  # Six hosts,
    await make.pool(database, "203.0.113.64")
    await make.pool(database, "203.0.113.65")  # and two more.

    async def ask(number: int) -> tuple[int, str]:
        token = f"joe:project-{number}"
        async with make_client(app, token, alone=alone) as client:
            response = await client.post("/os-floating-ips")
        return response.status_code, response.text

    answers = await asyncio.gather(*(ask(number) for number in range(64)))

    assert Counter(status for status, _ in answers) == {200: 8, 404: 56}
    assert len({text for status, text in answers if status == 200}) == 8
    assert await make.breaches(database) == []


@make.both_ways
async def test_twenty_at_once_on_a_quota_of_ten(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")

    responses = await asyncio.gather(
        *(client.post("/os-floating-ips") for _ in range(20))
    )

    assert Counter(r.status_code for r in responses) == {200: 10, 403: 10}
    assert await make.breaches(database) == []


@make.both_ways
async def test_an_address_that_is_merely_locked_is_waited_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")

    async with connection(database) as other:
        undecided = other.transaction()
        await undecided.start()
        await other.execute("SELECT FROM addresses FOR UPDATE")
        asking = asyncio.create_task(client.post("/os-floating-ips"))
        await asyncio.sleep(0.2)
        answered_early = asking.done()
        await undecided.rollback()

    assert not answered_early
    assert (await asking).status_code == 200


@make.both_ways
async def test_a_pool_with_one_address_free_is_never_called_exhausted(
    app: ASGIApp, database: LedgerDatabase, alone: bool
) -> None:
    """Eight clients hold seven of eight addresses at most: one is always free."""
    await make.pool(database, "203.0.113.0/29")
    await make.pool(database, "203.0.113.64")
    await make.pool(database, "203.0.113.65")

    async def churn(number: int) -> Counter[int]:
        seen: Counter[int] = Counter()
        token = f"joe:project-{number}"
        async with make_client(app, token, alone=alone) as client:
            for _ in range(25):
                response = await client.post("/os-floating-ips")
                seen[response.status_code] += 1
                made = response.json().get("floating_ip", {"id": 0})
                await client.delete(f"/os-floating-ips/{made['id']}")
        return seen

    counts = await asyncio.gather(*(churn(number) for number in range(8)))

    assert sum(counts, Counter()) == {200: 200}
    assert await make.breaches(database) == []


async def test_an_address_locked_for_too_long_is_a_503(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses FOR UPDATE")
        # A task of its own: `databases` lends one connection to each task.
        response = await asyncio.create_task(client.post("/os-floating-ips"))

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert "serviceUnavailable" in response.json()
    assert await make.breaches(database) == []


@make.both_ways
async def test_whoever_waits_for_an_address_keeps_no_lock_on_one_that_was_taken(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    """.7 is taken while we wait for it, then .8 stays locked: .7's owner can go on."""
    await make.pool(database, "203.0.113.7")
    await make.pool(database, "203.0.113.8", quarantine=0)
    taken, end = asyncio.Event(), asyncio.Event()
    async with connection(database) as lent:
        await lent.execute(
            "UPDATE addresses SET pick = CASE host(address)"
            " WHEN '203.0.113.7' THEN 0.1 ELSE 0.9 END"
        )

    async def lock_the_second() -> None:
        async with transaction(database) as tx:
            await tx.execute("SELECT FROM addresses WHERE pick = 0.9 FOR UPDATE")
            await end.wait()

    async def take_the_first() -> None:
        async with transaction(database) as tx:
            eve = Caller("eve", "other", Role.MEMBER, "req-1")
            await allocation.allocate(tx, eve, "public", 10)
            await taken.wait()

    others = [asyncio.create_task(lock_the_second())]
    await asyncio.sleep(0.1)
    others.append(asyncio.create_task(take_the_first()))
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(client.post("/os-floating-ips"))
    await asyncio.sleep(0.1)
    taken.set()
    await others[1]
    released = await stranger.delete("/os-floating-ips/1")
    allocated = await waiting
    end.set()
    await others[0]

    assert released.status_code == 202
    assert allocated.json()["floating_ip"]["ip"] == "203.0.113.7"
    assert await make.breaches(database) == []
