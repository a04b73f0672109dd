"""addFloatingIp and removeFloatingIp, as Nova's clients send them."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from app.database import LedgerDatabase, connection, transaction
from tests import make


async def servers(client: AsyncClient) -> dict[str, str]:
    """The ids of the project's servers by their names."""
    listed = (await client.get("/v2.1/servers")).json()["servers"]
    return {each["name"]: each["id"] for each in listed}


async def allocated(client: AsyncClient) -> str:
    response = await client.post("/v2.1/os-floating-ips")
    ip: str = response.json()["floating_ip"]["ip"]
    return ip


async def act(
    client: AsyncClient, server_id: str, action: str, **members: object
) -> Response:
    return await client.post(
        f"/v2.1/servers/{server_id}/action", json={action: members}
    )


async def floating(client: AsyncClient, server_id: str) -> dict[str, str]:
    """The floating IPs of a server, by the MAC that they have."""
    server = (await client.get(f"/v2.1/servers/{server_id}")).json()["server"]
    return {
        each["addr"]: each["OS-EXT-IPS-MAC:mac_addr"]
        for each in server["addresses"]["private"]
        if each["OS-EXT-IPS:type"] == "floating"
    }


async def stand(
    client: AsyncClient, database: LedgerDatabase, *fixed_ips: str
) -> tuple[str, str]:
    """A server with these fixed IPs, and a floating IP of the same project."""
    await make.pool(database)
    await make.server(database, *(fixed_ips or ("11.0.0.1",)))
    (server_id,) = (await servers(client)).values()
    return server_id, await allocated(client)


async def test_add_shows_at_once_wherever_it_is_looked_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database)

    response = await act(client, server_id, "addFloatingIp", address=ip)

    assert response.status_code == 202
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert floating_ip["instance_id"] == server_id
    assert floating_ip["fixed_ip"] == "11.0.0.1"
    (server,) = (await client.get("/v2.1/servers/detail")).json()["servers"]
    assert [
        (each["addr"], each["OS-EXT-IPS:type"])
        for each in server["addresses"]["private"]
    ] == [("11.0.0.1", "fixed"), (ip, "floating")]
    macs = {each["OS-EXT-IPS-MAC:mac_addr"] for each in server["addresses"]["private"]}
    assert len(macs) == 1
    assert await make.breaches(database) == []


async def test_the_first_ipv4_fixed_ip_is_meant(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database, "2001:db8::1", "11.0.0.9", "11.0.0.2")

    await act(client, server_id, "addFloatingIp", address=ip)

    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert floating_ip["fixed_ip"] == "11.0.0.2"


async def test_the_fixed_ip_of_an_ipv6_address_is_of_its_family(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:db8:1::7")
    await make.server(database, "11.0.0.1", "2001:db8::1")
    (server_id,) = (await servers(client)).values()
    ip = await allocated(client)

    response = await act(client, server_id, "addFloatingIp", address="2001:DB8:1:0::7")

    assert (response.status_code, ip) == (202, "2001:db8:1::7")
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert floating_ip["fixed_ip"] == "2001:db8::1"


async def test_without_a_fixed_ip_of_the_family_it_is_400(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database, "2001:db8::1")

    plain = await act(client, server_id, "addFloatingIp", address=ip)
    named = await act(
        client, server_id, "addFloatingIp", address=ip, fixed_address="2001:db8::1"
    )

    assert (plain.status_code, named.status_code) == (400, 400)
    assert "has no IPv4 fixed IP" in plain.json()["badRequest"]["message"]


@pytest.mark.parametrize("fixed_address", ["11.0.0.1", "11.0.0.2", None])
async def test_fixed_address_chooses(
    client: AsyncClient, database: LedgerDatabase, fixed_address: str | None
) -> None:
    server_id, ip = await stand(client, database, "11.0.0.1", "11.0.0.2")

    response = await act(
        client, server_id, "addFloatingIp", address=ip, fixed_address=fixed_address
    )

    assert response.status_code == 202
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert floating_ip["fixed_ip"] == (fixed_address or "11.0.0.1")


async def test_a_fixed_address_that_the_server_has_not_is_400(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database)
    await make.server(database, "11.0.0.2", name="db")

    for fixed_address in ("11.0.0.2", "192.0.2.1"):
        response = await act(
            client, server_id, "addFloatingIp", address=ip, fixed_address=fixed_address
        )

        assert response.status_code == 400
        assert fixed_address in response.json()["badRequest"]["message"]
    assert await floating(client, server_id) == {}


async def test_a_second_one_on_the_fixed_ip_is_400_here_and_409_in_the_draft(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, first = await stand(client, database)
    second = await allocated(client)
    await act(client, server_id, "addFloatingIp", address=first)

    here = await act(client, server_id, "addFloatingIp", address=second)
    draft = await make.associate(client, 2, "11.0.0.1")

    assert (here.status_code, draft.status_code) == (400, 409)
    assert here.json()["badRequest"]["code"] == 400
    assert list(await floating(client, server_id)) == [first]


async def test_the_same_again_is_nothing_to_do(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database)
    await act(client, server_id, "addFloatingIp", address=ip)
    before = (await client.get("/os-floating-ips/1")).headers["ETag"]

    response = await act(client, server_id, "addFloatingIp", address=ip)

    assert response.status_code == 202
    assert (await client.get("/os-floating-ips/1")).headers["ETag"] == before


async def test_add_to_another_server_moves(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    web, ip = await stand(client, database)
    await make.server(database, "11.0.0.2", name="db")
    db = (await servers(client))["db"]
    await act(client, web, "addFloatingIp", address=ip)

    response = await act(client, db, "addFloatingIp", address=ip)

    assert response.status_code == 202
    assert await floating(client, web) == {}
    assert list(await floating(client, db)) == [ip]
    assert await make.breaches(database) == []


async def test_remove_leaves_the_address_with_the_project(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database)
    await act(client, server_id, "addFloatingIp", address=ip)

    response = await act(client, server_id, "removeFloatingIp", address=ip)

    assert response.status_code == 202
    assert await floating(client, server_id) == {}
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert (floating_ip["ip"], floating_ip["instance_id"]) == (ip, None)


async def test_remove_from_a_server_that_has_it_not_is_409(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    web, ip = await stand(client, database)
    await make.server(database, "11.0.0.2", name="db")
    db = (await servers(client))["db"]

    nowhere = await act(client, web, "removeFloatingIp", address=ip)
    await act(client, web, "addFloatingIp", address=ip)
    elsewhere = await act(client, db, "removeFloatingIp", address=ip)

    assert (nowhere.status_code, elsewhere.status_code) == (409, 409)
    assert list(await floating(client, web)) == [ip]


@pytest.mark.parametrize("action", ["addFloatingIp", "removeFloatingIp"])
async def test_an_address_that_is_not_the_projects_is_404(
    client: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
    action: str,
) -> None:
    server_id, _ = await stand(client, database)
    foreign = await allocated(stranger)
    free = next(ip for ip in ("203.0.113.1", "203.0.113.2") if ip != foreign)

    for address in (foreign, free, "192.0.2.1"):
        response = await act(client, server_id, action, address=address)

        assert response.status_code == 404, address
        assert address in response.json()["itemNotFound"]["message"]


@pytest.mark.parametrize("action", ["addFloatingIp", "removeFloatingIp"])
async def test_a_server_that_is_unknown_is_404(
    client: AsyncClient, database: LedgerDatabase, action: str
) -> None:
    _, ip = await stand(client, database)

    for server_id in (str(uuid4()), "1", "web"):
        response = await act(client, server_id, action, address=ip)

        assert response.status_code == 404
        assert server_id in response.json()["itemNotFound"]["message"]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"address": ""},
        {"address": None},
        {"address": 5},
        {"address": "nobody"},
        {"address": "203.0.113.7/32"},
        {"address": ["203.0.113.7"]},
    ],
)
@pytest.mark.parametrize("action", ["addFloatingIp", "removeFloatingIp"])
async def test_an_address_that_is_none_is_400(
    client: AsyncClient,
    database: LedgerDatabase,
    action: str,
    members: dict[str, object],
) -> None:
    server_id, _ = await stand(client, database)

    response = await act(client, server_id, action, **members)

    assert response.status_code == 400
    assert "address" in response.json()["badRequest"]["message"]


@pytest.mark.parametrize("fixed_address", ["", 5, "web", "11.0.0.1/32"])
async def test_a_fixed_address_that_is_none_is_400(
    client: AsyncClient, database: LedgerDatabase, fixed_address: object
) -> None:
    server_id, ip = await stand(client, database)

    response = await act(
        client, server_id, "addFloatingIp", address=ip, fixed_address=fixed_address
    )

    assert response.status_code == 400


ADDRESS = {"address": "203.0.113.7"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "exactly one member"),
        (
            {"addFloatingIp": ADDRESS, "removeFloatingIp": ADDRESS},
            "exactly one member",
        ),
        ({"addFloatingIp": ADDRESS, "x": None}, "exactly one member"),
        ({"reboot": {"type": "SOFT"}}, "no such action: 'reboot'"),
        ({"os-start": None}, "no such action: 'os-start'"),
        ({"addfloatingip": ADDRESS}, "no such action"),
        ({"add": ADDRESS}, "no such action: 'add'"),
        ({"addFloatingIp": None}, "must be an object"),
        ({"addFloatingIp": "203.0.113.7"}, "must be an object"),
        ([], "must be an object"),
        (None, "is required"),
    ],
)
async def test_a_body_that_is_not_one_known_action_is_400(
    client: AsyncClient, database: LedgerDatabase, body: Any, says: str
) -> None:
    server_id, _ = await stand(client, database)

    response = await client.post(f"/v2.1/servers/{server_id}/action", json=body)

    assert response.status_code == 400
    assert says in response.json()["badRequest"]["message"]


async def test_unknown_members_of_an_action_mean_nothing(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id, ip = await stand(client, database)

    response = await act(client, server_id, "addFloatingIp", address=ip, x={"y": 1})

    assert response.status_code == 202


async def test_eight_servers_fight_for_one_address(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    for n in range(8):
        await make.server(database, f"11.0.0.{n}", name=f"s{n}")
    ids = list((await servers(client)).values())
    ip = await allocated(client)

    responses = await asyncio.gather(
        *(act(client, id, "addFloatingIp", address=ip) for id in ids * 2)
    )

    assert Counter(r.status_code for r in responses) == {202: 16}
    having = [id for id in ids if await floating(client, id)]
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert having == [floating_ip["instance_id"]]
    assert await make.breaches(database) == []


WAITING = """
SELECT count(*)
  FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'
"""


async def somebody_waits(database: LedgerDatabase, statement: str) -> None:
    """Return once a session waits for a lock in a statement with this text."""

    async def look() -> None:
        async with connection(database) as lent:
            while not await lent.fetchval(WAITING, statement):
                await lent.execute("SELECT pg_sleep(0.01)")

    async with asyncio.timeout(5):
        # A task of its own has a connection of its own.
        await asyncio.create_task(look())


async def test_remove_sees_what_a_move_before_it_has_done(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Without the lock it would take the address off the server it moved to."""
    web, ip = await stand(client, database)
    await make.server(database, "11.0.0.2", name="db")
    db = (await servers(client))["db"]
    await act(client, web, "addFloatingIp", address=ip)

    async with transaction(database) as other:
        await other.execute(
            "UPDATE addresses SET fixed_ip = '11.0.0.2' WHERE state = 'held'"
        )
        removing = asyncio.create_task(act(client, web, "removeFloatingIp", address=ip))
        await somebody_waits(database, "FOR UPDATE")

    assert (await removing).status_code == 409
    assert list(await floating(client, db)) == [ip]


@pytest.mark.parametrize("rounds", range(5))
async def test_server_removal_against_add_has_one_outcome(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    server_id, ip = await stand(client, database, "11.0.0.1", "11.0.0.2")

    removed, added = await asyncio.gather(
        client.delete(f"/v2.1/servers/{server_id}"),
        act(client, server_id, "addFloatingIp", address=ip),
    )

    assert removed.status_code == 204
    assert added.status_code in (202, 404)
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert floating_ip["instance_id"] is None
    assert await make.breaches(database) == []


async def test_add_keeps_the_server_from_being_removed_meanwhile(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Or another server might have its fixed IP by the time it is associated."""
    server_id, ip = await stand(client, database)

    async with transaction(database) as other:
        await other.execute("SELECT FROM servers FOR UPDATE")
        adding = asyncio.create_task(
            act(client, server_id, "addFloatingIp", address=ip)
        )
        await somebody_waits(database, "FOR KEY SHARE")
        await other.execute("DELETE FROM fixed_ips")
        await other.execute("DELETE FROM servers")
        await make.registered(other, "11.0.0.1")

    assert (await adding).status_code == 404
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert floating_ip["fixed_ip"] is None
