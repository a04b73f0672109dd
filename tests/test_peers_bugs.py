"""What users of other address managers suffer from, by the names of their reports."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from httpx import AsyncClient, Response

from app.database import LedgerDatabase
from tests import make


async def held(client: AsyncClient) -> list[Any]:
    listed: list[Any] = (await client.get("/os-floating-ips")).json()["floating_ips"]
    return listed


async def test_netbox_2519_sixteen_that_ask_for_the_next_free_one_get_sixteen(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """netbox#2519: parallel requests for the next available IP got the same one."""
    await make.pool(database, "203.0.113.0/27")
    await make.quota(database, 16)

    responses = await asyncio.gather(
        *(client.post("/os-floating-ips") for _ in range(16))
    )

    assert {response.status_code for response in responses} == {200}
    assert len({r.json()["floating_ip"]["ip"] for r in responses}) == 16
    assert await make.breaches(database) == []


async def claim_at_once(client: AsyncClient, fixed_ips: list[str]) -> list[Any]:
    """Claim a floating IP for each fixed IP; return them in that order."""
    bodies = [
        {"allocate_address": {"reuse_unassociated": True, "fixed_ip": fixed_ip}}
        for fixed_ip in fixed_ips
    ]
    responses = await asyncio.gather(
        *(client.post("/os-floating-ips", json=body) for body in bodies)
    )
    return [response.json()["floating_ip"] for response in responses]


async def test_machine_controller_313_two_clusters_pick_two_unattached_ones(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """machine-controller#313: both listed the unattached ones and took the first."""
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")

    for _ in range(10):
        there = {await make.floating_ip(client) for _ in range(2)}
        got = await claim_at_once(client, ["11.0.0.1", "11.0.0.2"])

        assert {each["id"] for each in got} == there
        assert [each["fixed_ip"] for each in got] == ["11.0.0.1", "11.0.0.2"]
        for each in there:
            await client.delete(f"/os-floating-ips/{each}")


async def test_machine_controller_313_one_unattached_one_goes_to_one_cluster(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    fixed_ips = [f"11.0.0.{n}" for n in range(1, 9)]
    await make.server(database, *fixed_ips)
    there = await make.floating_ip(client)

    got = await claim_at_once(client, fixed_ips)

    ids = {each["id"] for each in got}
    assert there in ids
    assert len(ids) == 8
    assert await make.breaches(database) == []


async def test_cluster_api_1632_a_loop_of_retries_after_time_outs_makes_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """cluster-api-provider-openstack#1632: each try allocated another one."""
    await make.pool(database)
    sent: list[asyncio.Task[Response]] = []

    async def reconcile() -> Response:
        """Ask, and give up after a moment; the service may not."""
        headers = {"Idempotency-Key": "machine-7"}
        sent.append(
            asyncio.create_task(client.post("/os-floating-ips", headers=headers))
        )
        return await asyncio.wait_for(asyncio.shield(sent[-1]), 0.001 * len(sent))

    answer = None
    while answer is None or answer.status_code != 200:
        with suppress(TimeoutError):
            answer = await reconcile()
    await asyncio.gather(*sent)

    assert len(sent) > 1
    assert await held(client) == [answer.json()["floating_ip"]]
    assert await make.breaches(database) == []


async def test_neutrons_gate_119_writers_on_a_quota_of_100_make_100(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Neutron's gate is content if they make up to 119."""
    await make.pool(database, "203.0.113.0/24")
    await make.quota(database, 100)

    responses = await asyncio.gather(
        *(client.post("/os-floating-ips") for _ in range(119))
    )

    assert Counter(r.status_code for r in responses) == {200: 100, 403: 19}
    assert len(await held(client)) == 100
    assert await make.breaches(database) == []


async def test_neutrons_gate_119_writers_make_100_while_the_quota_is_set_again(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.quota(database, 100)

    async def set_again() -> list[int]:
        same = {"quota_set": {"floating_ips": 100}}
        path = "/os-quota-sets/demo"
        return [(await admin.put(path, json=same)).status_code for _ in range(10)]

    setting = asyncio.create_task(set_again())
    responses = await asyncio.gather(
        *(client.post("/os-floating-ips") for _ in range(119))
    )

    assert await setting == [200] * 10
    assert Counter(r.status_code for r in responses) == {200: 100, 403: 19}
    assert await make.breaches(database) == []


async def test_neutrons_gate_a_quota_that_goes_down_and_up_is_never_exceeded(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.quota(database, 100)

    async def go_down_and_up() -> None:
        for allowed in (30, 100, 0, 100):
            changed = {"quota_set": {"floating_ips": allowed}}
            await admin.put("/os-quota-sets/demo", json=changed)

    async def churn() -> Counter[int]:
        seen: Counter[int] = Counter()
        for _ in range(20):
            response = await client.post("/os-floating-ips")
            seen[response.status_code] += 1
            made = response.json().get("floating_ip", {"id": 0})
            if made["id"] % 3 == 0:
                released = await client.delete(f"/os-floating-ips/{made['id']}")
                seen[released.status_code] += made["id"] > 0
        return seen

    *counts, _ = await asyncio.gather(*(churn() for _ in range(8)), go_down_and_up())

    assert sum((each for each in counts if each), Counter()).keys() <= {200, 202, 403}
    assert await make.breaches(database) == []
    room = 100 - len(await held(client))
    more = [await client.post("/os-floating-ips") for _ in range(room + 1)]
    assert [r.status_code for r in more] == [200] * room + [403]


async def test_ndss_18_whoever_allocates_in_a_loop_meets_nobodys_fresh_address(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    """Cloud strife (NDSS 2018): a released address was had within 70 s."""
    await make.pool(database, "203.0.113.0/27")

    async def loop(each: AsyncClient) -> list[str]:
        """Allocate, and release what was allocated; four at a time."""
        ips = []
        for _ in range(15):
            made = [await each.post("/os-floating-ips") for _ in range(4)]
            shown = [response.json()["floating_ip"] for response in made]
            ips += [floating_ip["ip"] for floating_ip in shown]
            for floating_ip in shown:
                await each.delete(f"/os-floating-ips/{floating_ip['id']}")
        return ips

    victims, attackers = await asyncio.gather(loop(client), loop(stranger))

    assert len(victims) == len(attackers) == 60
    assert not set(victims) & set(attackers)
    assert await make.breaches(database) == []
