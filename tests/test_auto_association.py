import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from app.database import LedgerDatabase
from app.main import wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client

WEB = {"server": {"name": "web"}}


@pytest.fixture
async def auto(api: FastAPI, settings: Settings) -> AsyncIterator[AsyncClient]:
    """A member of `demo`, where servers get a floating IP by themselves."""
    api.state.settings = settings.model_copy(update={"auto_associate": True})
    async with make_client(wrap(api), "admin:demo") as client:
        yield client


async def held(client: AsyncClient) -> int:
    return len((await client.get("/os-floating-ips")).json()["floating_ips"])


async def test_a_new_server_has_a_floating_ip_at_once(
    auto: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")

    server = (await auto.post("/servers", json=WEB)).json()["server"]

    assert server["addresses"]["public"] == [{"version": 4, "addr": "203.0.113.7"}]
    assert (await auto.get(f"/servers/{server['id']}")).json() == {"server": server}
    (listed,) = (await auto.get("/os-floating-ips")).json()["floating_ips"]
    assert listed["instance_id"] == server["id"]
    assert await make.breaches(database) == []


async def test_it_goes_with_its_server(
    auto: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.quota(database, 1)

    for _ in range(3):
        server = (await auto.post("/servers", json=WEB)).json()["server"]
        assert (await auto.delete(f"/servers/{server['id']}")).status_code == 202

    assert await held(auto) == 0
    assert await make.breaches(database) == []


@pytest.mark.parametrize("by_hand", ["disassociated", "moved", "moved back"])
async def test_once_changed_by_hand_it_is_an_ordinary_one(
    auto: AsyncClient, database: LedgerDatabase, by_hand: str
) -> None:
    await make.pool(database, "203.0.113.7")
    asked = {"server": {"name": "web", "fixed_ips": ["11.0.0.1"]}}
    server_id = (await auto.post("/servers", json=asked)).json()["server"]["id"]
    other = await make.server(database, "11.0.0.2", name="db")

    if by_hand == "disassociated":
        await auto.post("/os-floating-ips/1/removeFloatingIp")
    if by_hand.startswith("moved"):
        await make.associate(auto, 1, "11.0.0.2")
    if by_hand == "moved back":
        await make.associate(auto, 1, "11.0.0.1")
    await auto.delete(f"/servers/{server_id}")
    await auto.delete(f"/servers/{other}")

    assert await held(auto) == 1
    assert await make.breaches(database) == []


async def test_releasing_it_by_hand_leaves_the_server(
    auto: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    server_id = (await auto.post("/servers", json=WEB)).json()["server"]["id"]

    await auto.delete("/os-floating-ips/1")

    shown = (await auto.get(f"/servers/{server_id}")).json()["server"]
    assert shown["addresses"]["public"] == []
    assert (await auto.delete(f"/servers/{server_id}")).status_code == 202
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    ("quota", "ip_range", "fixed_ips", "status"),
    [
        (0, "203.0.113.7", ["11.0.0.1"], 403),
        (5, None, ["11.0.0.1"], 404),
        (5, "203.0.113.7", ["2001:db8::1"], 400),
        (5, "203.0.113.7", ["11.0.0.9"], 409),
    ],
)
async def test_a_registration_is_refused_whole(
    auto: AsyncClient,
    database: LedgerDatabase,
    quota: int,
    ip_range: str | None,
    fixed_ips: list[str],
    status: int,
) -> None:
    await make.server(database, "11.0.0.9", name="there")
    await make.quota(database, quota)
    if ip_range:
        await make.pool(database, ip_range)

    response = await auto.post(
        "/servers", json={"server": {"name": "web", "fixed_ips": fixed_ips}}
    )

    assert response.status_code == status
    assert len((await auto.get("/servers")).json()["servers"]) == 1
    assert await held(auto) == 0
    assert await make.breaches(database) == []


async def test_a_server_for_another_project_counts_against_that_projects_quota(
    auto: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    await auto.post("/servers", json={"server": {"name": "w", "project_id": "other"}})

    assert (await held(auto), await held(stranger)) == (0, 1)
    assert await make.breaches(database) == []


async def test_as_many_servers_at_once_as_the_quota_has_room_for(
    auto: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.quota(database, 5)

    responses = await asyncio.gather(
        *(auto.post("/servers", json=WEB) for _ in range(12))
    )

    assert Counter(r.status_code for r in responses) == {200: 5, 403: 7}
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(6))
async def test_removal_against_changes_by_hand_has_one_outcome(
    auto: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    asked = {"server": {"name": "web", "fixed_ips": ["11.0.0.1"]}}
    server_id = (await auto.post("/servers", json=asked)).json()["server"]["id"]
    await make.server(database, "11.0.0.2", name="db")

    responses = await asyncio.gather(
        auto.delete(f"/servers/{server_id}"),
        auto.post("/os-floating-ips/1/removeFloatingIp"),
        make.associate(auto, 1, "11.0.0.2"),
        auto.delete("/os-floating-ips/1") if rounds % 2 else auto.get("/servers"),
    )

    assert all(r.status_code < 500 for r in responses)
    assert (await auto.get(f"/servers/{server_id}")).status_code == 404
    assert await make.breaches(database) == []
