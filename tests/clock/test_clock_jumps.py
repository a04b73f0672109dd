"""Promises that speak of time, while the clock of Postgres jumps both ways."""

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from httpx import AsyncClient
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection, transaction
from app.settings import Settings
from app.sweeper import Sweeper
from tests import make
from tests.clock.conftest import Clock
from tests.conftest import make_client

HOUR, DAY = 3600, 86_400


async def release_one(client: AsyncClient) -> None:
    await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")


async def status_of(client: AsyncClient) -> int:
    """Ask for any address, and return what came of it."""
    return (await client.post("/os-floating-ips")).status_code


async def rests_until(database: LedgerDatabase) -> datetime:
    async with connection(database) as lent:
        time: datetime = await lent.fetchval("SELECT rests_until FROM addresses")
    return time


async def intervals(database: LedgerDatabase) -> list[Any]:
    async with connection(database) as lent:
        return await lent.fetch(
            "SELECT project_id, since, until FROM history ORDER BY id"
        )


async def test_what_rests_goes_to_others_only_when_the_clock_has_come_to_its_time(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase, clock: Clock
) -> None:
    await make.pool(database, "203.0.113.7", quarantine=HOUR)
    await release_one(client)
    until = await rests_until(database)

    seen = []
    for jump in (0, HOUR - 60, -DAY, 30 * DAY):
        clock.jump(jump)
        seen.append(await status_of(stranger))

    assert seen == [404, 404, 404, 200]
    assert (await intervals(database))[-1]["since"] > until
    assert await make.breaches(database) == []


async def test_what_was_released_in_the_future_rests_until_then(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase, clock: Clock
) -> None:
    """The clock was ahead, and goes right again: the address rests longer, not less."""
    await make.pool(database, "203.0.113.7", quarantine=HOUR)
    clock.set(2 * HOUR)
    await release_one(client)
    clock.set(0)

    seen = [await status_of(stranger)]
    clock.set(2 * HOUR)
    seen.append(await status_of(stranger))
    clock.set(0)
    seen.append(await status_of(client))

    assert seen == [404, 404, 200]
    told = await intervals(database)
    assert [row["project_id"] for row in told] == ["demo", "demo"]
    assert told[1]["since"] == told[0]["until"]
    assert await make.breaches(database) == []


async def test_an_address_whose_time_was_over_a_moment_ago_is_busy(
    stranger: AsyncClient, client: AsyncClient, database: LedgerDatabase, clock: Clock
) -> None:
    """Its request began after that time; when it gets the lock, the clock is before."""
    await make.pool(database, "203.0.113.7", quarantine=HOUR)
    await release_one(client)
    clock.jump(2 * HOUR)
    asked = {"allocate_address": {"address": "203.0.113.7"}}

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses FOR UPDATE")
        asking = asyncio.create_task(stranger.post("/os-floating-ips", json=asked))
        await asyncio.sleep(0.3)
        clock.jump(-2 * HOUR)
    response = await asking

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert (await stranger.post("/os-floating-ips", json=asked)).status_code == 409
    assert await make.breaches(database) == []


async def test_an_address_that_leaves_its_pool_and_comes_back_rests_on(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
    clock: Clock,
) -> None:
    await make.pool(database, "203.0.113.7", quarantine=HOUR)
    await release_one(client)
    until = await rests_until(database)

    await admin.put("/os-floating-ips-bulk/delete", json={"ip_range": "203.0.113.7"})
    clock.jump(-DAY)
    added = {"floating_ips_bulk_create": {"ip_range": "203.0.113.7"}}
    await admin.post("/os-floating-ips-bulk", json=added)
    seen = [await status_of(stranger)]
    clock.jump(DAY)
    seen.append(await status_of(stranger))
    clock.jump(HOUR)
    seen.append(await status_of(stranger))

    assert seen == [404, 404, 200]
    assert (await intervals(database))[-1]["since"] > until
    assert await make.breaches(database) == []


async def test_a_life_goes_on_while_the_clock_is_behind_it(
    client: AsyncClient, database: LedgerDatabase, clock: Clock
) -> None:
    """All of it is then told at one time, which is when it began."""
    await make.pool(database, "203.0.113.7", quarantine=0)
    await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client)

    clock.jump(-DAY)
    associated = await make.associate(client, floating_ip_id, "11.0.0.1")
    released = await client.delete(f"/os-floating-ips/{floating_ip_id}")

    assert [associated.status_code, released.status_code] == [202, 202]
    told = await intervals(database)
    assert {row["until"] - row["since"] for row in told} == {timedelta(0)}
    assert await make.breaches(database) == []


TOO_EARLY = """
SELECT address, project_id, since
  FROM (SELECT address, project_id, since,
               lag(project_id) OVER before AS former,
               lag(until) OVER before AS released
          FROM history
        WINDOW before AS (PARTITION BY address ORDER BY id)) AS intervals
 WHERE former <> project_id AND since < released + interval '1 hour'
"""

JUMPS = (2 * HOUR, -2 * HOUR, 3 * DAY, -3 * DAY, -2 * HOUR, 2 * HOUR, -DAY, DAY, -90)
FIXED_IPS = ("11.0.0.1", "11.0.0.2")
STEPS = 120


class Load:
    """Clients of a few projects and an admin, who know nothing of the clock."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.chance = random.Random(7)
        self.statuses: Counter[int] = Counter()

    async def project(self, project_id: str) -> None:
        """Allocate, associate, disassociate, release."""
        known = [1]
        async with make_client(self.app, f"joe:{project_id}") as client:
            for _ in range(STEPS):
                response = await self._step(client, self.chance.choice(known[-4:]))
                self.statuses[response.status_code] += 1
                if response.status_code == 200:
                    shown = response.json()
                    made = shown.get("floating_ips") or [shown["floating_ip"]]
                    known += [each["id"] for each in made]

    async def _step(self, client: AsyncClient, floating_ip_id: int) -> Any:
        one = f"/os-floating-ips/{floating_ip_id}"
        fixed_ip = self.chance.choice(FIXED_IPS)
        claim = {"reuse_unassociated": True, "fixed_ip": fixed_ip}
        requests: list[tuple[str, str, Any]] = [
            ("POST", "/os-floating-ips", None),
            ("POST", "/os-floating-ips", {"allocate_address": claim}),
            ("POST", "/os-floating-ips/batch", {"allocate_addresses": {"count": 2}}),
            ("DELETE", one, None),
            ("DELETE", one, None),
            (
                "POST",
                f"{one}/addFloatingIp",
                {"associate_address": {"fixed_ip": fixed_ip}},
            ),
            ("POST", f"{one}/removeFloatingIp", None),
        ]
        method, path, body = self.chance.choice(requests)
        return await client.request(method, path, json=body)

    async def admin(self) -> None:
        """Take an address out and put it back, hold one back and let it go."""
        out, hold = {"ip_range": "203.0.113.6"}, {"address": "203.0.113.5"}
        requests: list[tuple[str, str, Any]] = [
            ("PUT", "/os-floating-ips-bulk/delete", out),
            ("POST", "/os-floating-ips-bulk", {"floating_ips_bulk_create": out}),
            (
                "POST",
                "/os-floating-ip-holds",
                {"floating_ip_hold": hold | {"reason": "spam"}},
            ),
            ("DELETE", "/os-floating-ip-holds/203.0.113.5", None),
        ]
        async with make_client(self.app, "admin:operators") as admin:
            for number in range(STEPS):
                method, path, body = requests[number % len(requests)]
                response = await admin.request(method, path, json=body)
                self.statuses[response.status_code] += 1


async def test_a_load_amid_jumps_keeps_the_promises_and_meets_no_500(
    app: ASGIApp, database: LedgerDatabase, settings: Settings, clock: Clock
) -> None:
    await make.pool(database, "203.0.113.0/29", quarantine=HOUR)
    load = Load(app)
    for project_id in ("red", "blue", "green"):
        await make.server(database, *FIXED_IPS, project_id=project_id)

    async def jump_for_ever() -> None:
        while True:
            for seconds in JUMPS:
                await asyncio.sleep(0.05)
                clock.jump(seconds)
                await Sweeper(database, settings).sweep()

    jumping = asyncio.create_task(jump_for_ever())
    asking = [load.project(each) for each in ("red", "blue", "green") for _ in range(2)]
    await asyncio.gather(*asking, load.admin())
    jumping.cancel()
    await asyncio.gather(jumping, return_exceptions=True)

    assert load.statuses.keys() <= {200, 202, 403, 404, 409, 503}
    assert load.statuses[200] > 50
    assert await make.breaches(database) == []
    async with connection(database) as lent:
        assert await lent.fetch(TOO_EARLY) == []
