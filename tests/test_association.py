import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase, transaction
from tests import make


async def shown(client: AsyncClient, floating_ip_id: int) -> dict[str, object]:
    response = await client.get(f"/os-floating-ips/{floating_ip_id}")
    floating_ip: dict[str, object] = response.json()["floating_ip"]
    return floating_ip


async def public(client: AsyncClient, server_id: int) -> list[str]:
    response = await client.get(f"/servers/{server_id}")
    addresses = response.json()["server"]["addresses"]["public"]
    return [address["addr"] for address in addresses]


async def test_associate_shows_at_once_in_list_details_and_server(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    server_id = await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client)

    response = await make.associate(client, floating_ip_id, "11.0.0.1")

    assert (response.status_code, response.content) == (202, b"")
    expected = {
        "id": floating_ip_id,
        "ip": "203.0.113.7",
        "fixed_ip": "11.0.0.1",
        "instance_id": server_id,
    }
    assert await shown(client, floating_ip_id) == expected
    listed = await client.get("/os-floating-ips")
    assert listed.json() == {"floating_ips": [expected]}
    assert await public(client, server_id) == ["203.0.113.7"]


@make.both_ways
async def test_associate_elsewhere_moves(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    web = await make.server(database, "11.0.0.1")
    db = await make.server(database, "11.0.0.2", name="db")
    floating_ip_id = await make.floating_ip(client, "11.0.0.1")

    response = await make.associate(client, floating_ip_id, "11.0.0.2")

    assert response.status_code == 202
    assert await public(client, web) == []
    assert await public(client, db) == ["203.0.113.7"]


@make.both_ways
async def test_associate_with_the_same_fixed_ip_is_nothing_to_do(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client, "11.0.0.1")
    before = (await client.get(f"/os-floating-ips/{floating_ip_id}")).headers["ETag"]

    response = await make.associate(client, floating_ip_id, "11.0.0.1")

    assert response.status_code == 202
    after = (await client.get(f"/os-floating-ips/{floating_ip_id}")).headers["ETag"]
    assert after == before


@make.both_ways
async def test_disassociate_twice_is_202_twice(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client, "11.0.0.1")
    path = f"/os-floating-ips/{floating_ip_id}/removeFloatingIp"

    responses = [await client.post(path), await client.post(path)]

    assert [(r.status_code, r.content) for r in responses] == [(202, b"")] * 2
    assert (await shown(client, floating_ip_id))["fixed_ip"] is None


@make.both_ways
async def test_a_fixed_ip_with_another_floating_ip_is_a_conflict(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    second = await make.floating_ip(client)

    response = await make.associate(client, second, "11.0.0.1")

    assert response.status_code == 409
    assert response.json()["conflictingRequest"]["message"] == (
        "fixed_ip '11.0.0.1': has another floating IP."
    )


@make.both_ways
async def test_an_ipv4_address_cannot_stand_for_an_ipv6_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, "2001:db8::1")
    floating_ip_id = await make.floating_ip(client)

    response = await make.associate(client, floating_ip_id, "2001:db8::1")

    assert response.status_code == 400
    assert "must be an IPv4 address" in response.json()["badRequest"]["message"]


async def test_two_ipv6_spellings_are_one_fixed_ip(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:db8:1::7")
    await make.server(database, "2001:db8::1")
    floating_ip_id = await make.floating_ip(client)

    response = await make.associate(client, floating_ip_id, "2001:0DB8:0::0001")

    assert response.status_code == 202
    assert (await shown(client, floating_ip_id))["fixed_ip"] == "2001:db8::1"


async def test_unknown_and_foreign_fixed_ips_get_the_same_answer(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.5", project_id="other")
    floating_ip_id = await make.floating_ip(client)

    foreign = await make.associate(client, floating_ip_id, "11.0.0.5")
    unknown = await make.associate(client, floating_ip_id, "11.0.0.6")

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace("0.5", "0.6") == unknown.text


@pytest.mark.parametrize("rounds", range(3))
@make.both_ways
async def test_two_servers_fight_for_one_floating_ip(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database, "203.0.113.7")
    servers = [
        await make.server(database, f"11.0.0.{n}", name=f"s{n}") for n in range(1, 9)
    ]
    floating_ip_id = await make.floating_ip(client)

    responses = await asyncio.gather(
        *(
            make.associate(client, floating_ip_id, f"11.0.0.{n}")
            for n in (*range(1, 9), *range(1, 9))
        )
    )

    assert {r.status_code for r in responses} == {202}
    winner = await shown(client, floating_ip_id)
    having = [s for s in servers if await public(client, s) == ["203.0.113.7"]]
    assert having == [winner["instance_id"]]
    assert await make.breaches(database) == []


@make.both_ways
async def test_floating_ips_fight_for_one_fixed_ip(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    server_id = await make.server(database, "11.0.0.1")
    ids = [await make.floating_ip(client) for _ in range(8)]

    responses = await asyncio.gather(
        *(make.associate(client, floating_ip_id, "11.0.0.1") for floating_ip_id in ids)
    )

    assert Counter(r.status_code for r in responses) == {202: 1, 409: 7}
    assert len(await public(client, server_id)) == 1
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(10))
@make.both_ways
async def test_release_against_associate_has_one_outcome(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database, "203.0.113.7")
    server_id = await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client)

    released, associated = await asyncio.gather(
        client.delete(f"/os-floating-ips/{floating_ip_id}"),
        make.associate(client, floating_ip_id, "11.0.0.1"),
    )

    assert released.status_code == 202
    assert associated.status_code in (202, 404)
    assert (await client.get("/os-floating-ips")).json() == {"floating_ips": []}
    assert await public(client, server_id) == []
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(10))
@make.both_ways
async def test_server_removal_against_associate_has_one_outcome(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1", "11.0.0.2")
    ids = [await make.floating_ip(client) for _ in range(4)]

    removed, *associated = await asyncio.gather(
        client.delete(f"/servers/{server_id}"),
        make.associate(client, ids[0], "11.0.0.1"),
        make.associate(client, ids[1], "11.0.0.2"),
        make.associate(client, ids[2], "11.0.0.1"),
        make.associate(client, ids[3], "11.0.0.2"),
    )

    assert removed.status_code == 202
    assert {r.status_code for r in associated} <= {202, 404, 409}
    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    assert [each["fixed_ip"] for each in listed] == [None] * 4
    assert (await client.get(f"/servers/{server_id}")).status_code == 404
    assert await make.breaches(database) == []


async def test_server_removal_locks_the_floating_ip_before_the_server(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """The other way round it and a move could wait for each other."""
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")

    async with transaction(database) as other:
        await other.execute(
            "SELECT FROM addresses WHERE fixed_ip IS NOT NULL FOR UPDATE"
        )
        removing = asyncio.create_task(client.delete(f"/servers/{server_id}"))
        await asyncio.sleep(0.3)
        still_free = await other.fetch("SELECT id FROM servers FOR UPDATE NOWAIT")

    assert [row["id"] for row in still_free] == [server_id]
    assert (await removing).status_code == 202
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(5))
@make.both_ways
async def test_two_that_swap_their_fixed_ips_do_not_wait_for_each_other(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    first = await make.floating_ip(client, "11.0.0.1")
    second = await make.floating_ip(client, "11.0.0.2")

    responses = await asyncio.gather(
        make.associate(client, first, "11.0.0.2"),
        make.associate(client, second, "11.0.0.1"),
    )

    assert [r.status_code for r in responses] == [409, 409]
    assert await make.breaches(database) == []
