"""Requests refused so that others are served: too many at once, or of one project."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient, Response

from app.database import LedgerDatabase, transaction
from app.main import create_api, wrap
from app.pacing import PROJECTS_KEPT, AllocatesTooFast, Pace
from app.settings import Settings
from tests import make
from tests.conftest import make_client

XML = {"Accept": "application/xml"}
IN_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<serviceUnavailable xmlns="'
    'http://docs.openstack.org/compute/api/v1.1" code="503"><message>'
    "The service has all the requests it can serve; try again."
    "</message></serviceUnavailable>"
)


@asynccontextmanager
async def bounded(
    settings: Settings, database: LedgerDatabase, **bounds: int
) -> AsyncIterator[AsyncClient]:
    """A member of `demo`, of a service with these bounds."""
    changed = settings.model_copy(update=bounds)
    async with make_client(wrap(create_api(changed, database)), "joe:demo") as client:
        yield client


@asynccontextmanager
async def hanging(
    database: LedgerDatabase, client: AsyncClient, count: int
) -> AsyncIterator[list["asyncio.Task[Response]"]]:
    """So many lists of floating IPs, which wait until the block ends."""
    async with transaction(database) as tx:
        await tx.execute("LOCK TABLE addresses IN ACCESS EXCLUSIVE MODE")
        tasks = [
            asyncio.create_task(client.get("/os-floating-ips")) for _ in range(count)
        ]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
        yield tasks
    for task in tasks:
        assert (await task).status_code == 200


async def test_beyond_the_bound_requests_are_refused_at_once(
    settings: Settings, database: LedgerDatabase
) -> None:
    async with bounded(settings, database, concurrency=3) as client:
        async with hanging(database, client, 3):
            plain = await client.get("/os-floating-ips")
            compute = await client.get("/v2.1/servers")
            network = await client.get("/v2.0/floatingips")
            xml = await client.post("/os-floating-ips", headers=XML)
            suffixed = await client.get("/os-floating-ips.xml")
            head = await client.head("/os-floating-ips")
            alive = await client.get("/livez")

        assert plain.json()["serviceUnavailable"]["code"] == 503
        assert compute.json()["serviceUnavailable"]["code"] == 503
        assert network.json()["NeutronError"]["type"] == "HTTPServiceUnavailable"
        assert (xml.text, suffixed.text) == (IN_XML, IN_XML)
        assert head.content == b""
        for each in (plain, compute, network, xml, suffixed, head):
            assert each.status_code == 503
            assert each.headers["Retry-After"] == "1"
            assert each.headers["X-OpenStack-Request-Id"].startswith("req-")
            assert each.headers["Cache-Control"] == "no-store"
        assert alive.status_code == 200
        assert (await client.get("/os-floating-ips")).status_code == 200


async def test_one_project_has_so_many_under_way_and_others_have_theirs(
    settings: Settings, database: LedgerDatabase
) -> None:
    async with bounded(settings, database, project_concurrency=2) as client:
        async with hanging(database, client, 2):
            refused = await client.get("/os-floating-ip-pools")
            network = await client.get("/v2.0/floatingips")
            xml = await client.get("/os-floating-ip-pools", headers=XML)
            other = {"X-Auth-Token": "eve:other"}
            served = await client.get("/os-floating-ip-pools", headers=other)

        assert [each.status_code for each in (refused, network, xml)] == [429] * 3
        assert refused.headers["Retry-After"] == "1"
        assert refused.json() == {
            "overLimit": {
                "code": 429,
                "message": "The project has 2 requests under way already.",
                "retryAfter": 1,
            }
        }
        assert network.json()["NeutronError"]["type"] == "HTTPTooManyRequests"
        assert "<overLimit " in xml.text
        assert 'retryAfter="1"' in xml.text
        assert served.status_code == 200


async def test_every_turn_is_given_back(
    settings: Settings, database: LedgerDatabase
) -> None:
    """After refusals of all kinds, and after clients that went away."""
    await make.pool(database)
    async with bounded(
        settings, database, project_concurrency=1, concurrency=1
    ) as client:
        for method, path, status in (
            ("GET", "/os-floating-ips/17", 404),
            ("GET", "/os-floating-ips?limit=0", 400),
            ("PUT", "/os-quota-sets/demo", 403),
            ("GET", "/nowhere", 404),
            ("DELETE", "/os-floating-ips", 405),
            ("POST", "/os-floating-ips", 200),
        ):
            assert (await client.request(method, path)).status_code == status
        async with transaction(database) as tx:
            await tx.execute("LOCK TABLE addresses IN ACCESS EXCLUSIVE MODE")
            waiting = asyncio.create_task(client.get("/os-floating-ips"))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        assert (await client.get("/os-floating-ips")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/os-floating-ips", None),
        ("/v2.1/os-floating-ips", {"pool": "public"}),
        ("/v2.0/floatingips", {"floatingip": {"floating_network_id": "public"}}),
        ("/os-floating-ips/batch", {"allocate_addresses": {"count": 1}}),
        ("/servers", {"server": {"name": "web"}}),
    ],
)
async def test_a_project_allocates_so_many_in_a_minute(
    settings: Settings, database: LedgerDatabase, path: str, body: object
) -> None:
    await make.pool(database)
    bounds = {"allocation_rate": 3, "auto_associate": True}
    async with bounded(settings, database, **bounds) as client:
        answers = [await client.post(path, json=body) for _ in range(4)]
        other = {"X-Auth-Token": "eve:other"}
        others = await client.post(path, json=body, headers=other)
        listed = (await client.get("/os-floating-ips")).json()["floating_ips"]

    statuses = [answer.status_code for answer in answers]
    assert set(statuses[:3]) <= {200, 201}
    assert statuses[3] == 429
    assert 15 <= int(answers[3].headers["Retry-After"]) <= 20
    assert "may allocate 3 floating IPs a minute" in answers[3].text
    assert others.status_code == statuses[0]
    assert len(listed) == 3
    assert await make.breaches(database) == []


def test_a_bucket_fills_again_and_no_more_than_full() -> None:
    pace = Pace(60)
    pace.keep("a", 60, 0.0)
    with pytest.raises(AllocatesTooFast) as refusal:
        pace.keep("a", 2, 1.0)
    assert refusal.value.headers == {"Retry-After": "1"}
    pace.keep("a", 2, 2.0)

    pace.keep("a", 60, 10_000.0)
    with pytest.raises(AllocatesTooFast):
        pace.keep("a", 1, 10_000.5)


def test_more_than_a_bucket_can_hold_waits_for_a_full_one_and_leaves_a_debt() -> None:
    pace = Pace(60)
    pace.keep("a", 1, 0.0)
    with pytest.raises(AllocatesTooFast):
        pace.keep("a", 180, 0.0)
    pace.keep("a", 180, 1.0)

    with pytest.raises(AllocatesTooFast) as refusal:
        pace.keep("a", 1, 1.0)
    assert refusal.value.headers == {"Retry-After": "121"}


def test_a_bounded_number_of_projects_is_remembered() -> None:
    pace = Pace(60)
    for number in range(PROJECTS_KEPT + 100):
        pace.keep(str(number), 60, 0.0)

    pace.keep("0", 1, 0.0)
    with pytest.raises(AllocatesTooFast):
        pace.keep(str(PROJECTS_KEPT), 1, 0.0)


async def test_a_flood_of_one_tenant_starves_nobody(
    settings: Settings, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24", quarantine=0)
    bounds = {"concurrency": 64, "project_concurrency": 16}
    seen: Counter[int] = Counter()
    async with bounded(settings, database, **bounds) as client:
        is_over = asyncio.Event()

        async def flood() -> None:
            flooding = {"X-Auth-Token": "eve:flood"}
            while not is_over.is_set():
                answer = await client.post("/os-floating-ips", headers=flooding)
                seen[answer.status_code] += 1
                await asyncio.sleep(0.01)  # Else what is refused leaves no turn.

        floods = [asyncio.create_task(flood()) for _ in range(48)]
        mine = []
        for _ in range(30):
            made = await client.post("/os-floating-ips")
            made.raise_for_status()
            floating_ip_id = made.json()["floating_ip"]["id"]
            mine.append(await client.delete(f"/os-floating-ips/{floating_ip_id}"))
        is_over.set()
        await asyncio.gather(*floods)

    assert {answer.status_code for answer in mine} == {202}
    assert seen[429] > 0
    assert set(seen) <= {200, 403, 429, 503}
