"""A quota in shares: hard under any concurrency, and nobody waits for a disk."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.auth import Caller, Role
from app.database import LedgerDatabase, connection, transaction
from app.ledger import allocation, quotas
from app.main import create_api, wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client

JOE = Caller("joe", "demo", Role.MEMBER, "req-1")


@pytest.fixture(autouse=True)
async def pool(database: LedgerDatabase) -> None:
    """A pool that is never exhausted and whose addresses do not rest."""
    await make.pool(database, "203.0.113.0/24", quarantine=0)


async def allocate(client: AsyncClient) -> Response:
    return await client.post("/os-floating-ips")


async def release(client: AsyncClient, floating_ip_id: int) -> Response:
    return await client.delete(f"/os-floating-ips/{floating_ip_id}")


async def batch(client: AsyncClient, count: int) -> Response:
    body = {"allocate_addresses": {"count": count}}
    return await client.post("/os-floating-ips/batch", json=body)


async def fill(client: AsyncClient, count: int) -> list[int]:
    response = await batch(client, count)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["floating_ips"]]


async def held(client: AsyncClient) -> int:
    return len((await client.get("/os-floating-ips")).json()["floating_ips"])


async def statuses(*requests: asyncio.Task[Response]) -> Counter[int]:
    return Counter(response.status_code for response in await asyncio.gather(*requests))


async def shares(database: LedgerDatabase, project_id: str = "demo") -> list[int]:
    """Return the room of each share, in order."""
    async with connection(database) as lent:
        rows = await lent.fetch(
            "SELECT room FROM quota_shares WHERE project_id = $1 ORDER BY number",
            project_id,
        )
    return [row["room"] for row in rows]


def at_once(count: int, client: AsyncClient) -> list[asyncio.Task[Response]]:
    return [asyncio.create_task(allocate(client)) for _ in range(count)]


@pytest.mark.parametrize("quota", [1, 7, 40])
@make.both_ways
async def test_writers_beyond_the_quota_are_refused_and_no_others(
    client: AsyncClient, database: LedgerDatabase, quota: int
) -> None:
    await make.quota(database, quota)

    answers = await statuses(*at_once(quota + 8, client))

    assert answers == {200: quota, 403: 8}
    assert await held(client) == quota
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    ("quota", "dealt"),
    [
        (0, [0]),
        (1, [1]),
        (3, [1, 1, 1]),
        (64, [1] * 64),
        (65, [2] + [1] * 63),
        (200, [4] * 8 + [3] * 56),
    ],
)
async def test_a_quota_is_dealt_into_64_shares_at_most(
    database: LedgerDatabase, quota: int, dealt: list[int]
) -> None:
    await make.quota(database, quota)

    assert await shares(database) == dealt


@make.both_ways
async def test_sixteen_that_are_a_projects_first_find_its_quota_dealt_once(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    assert await shares(database) == []

    answers = await statuses(*at_once(16, client))

    assert answers == {200: 10, 403: 6}
    assert await shares(database) == [0] * 10
    assert await make.breaches(database) == []


@make.both_ways
async def test_a_quota_below_use_takes_nothing_and_each_release_reduces_the_debt(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    ids = await fill(client, 8)

    await make.quota(database, 5)
    debt = await shares(database)
    answers = []
    for floating_ip_id in ids[:4]:
        answers.append((await allocate(client)).status_code)
        await release(client, floating_ip_id)

    assert debt == [-3, 0, 0, 0, 0]
    assert answers == [403] * 4
    assert await held(client) == 4
    assert (await allocate(client)).status_code == 200
    assert (await allocate(client)).status_code == 403
    assert await make.breaches(database) == []


@make.both_ways
async def test_releases_at_once_pay_the_debt_exactly(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 12)
    ids = await fill(client, 12)
    await make.quota(database, 4)

    released = await asyncio.gather(*(release(client, each) for each in ids[:10]))
    allocated = await statuses(*at_once(6, client))

    assert {response.status_code for response in released} == {202}
    assert allocated == {200: 2, 403: 4}
    assert await make.breaches(database) == []


@make.both_ways
async def test_allocations_while_a_debt_is_paid_stop_at_the_quota(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    ids = await fill(client, 10)
    await make.quota(database, 5)

    answers = await asyncio.gather(
        *(allocate(client) for _ in range(10)),
        *(release(client, each) for each in ids),
        *(allocate(client) for _ in range(10)),
    )

    gotten = sum(response.status_code == 200 for response in answers)
    assert gotten == await held(client) <= 5
    assert await make.breaches(database) == []


async def test_raising_and_lowering_under_load_never_lets_more_than_the_highest(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 2)

    async def churn() -> None:
        for _ in range(10):
            response = await allocate(client)
            assert response.status_code in (200, 403)
            if response.status_code == 200 and await held(client) > 3:
                await release(client, response.json()["floating_ip"]["id"])

    async def change() -> None:
        for quota in (12, 3, -1, 12, 0, 5, -1, 12):
            body = {"quota_set": {"floating_ips": quota}}
            assert (await admin.put("/os-quota-sets/demo", json=body)).is_success

    await asyncio.gather(*(churn() for _ in range(6)), change())

    assert await make.breaches(database) == []
    more = await statuses(*at_once(16, client))
    assert await held(client) == 12, more
    assert await make.breaches(database) == []


async def test_minus_one_is_no_limit_and_a_limit_again_counts_what_is_held(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, -1)
    ids = await fill(client, 30)
    await make.quota(database, 31)

    answers = await statuses(*at_once(4, client))
    await make.quota(database, -1)
    unlimited = await statuses(*at_once(4, client))
    await client.post(
        "/os-floating-ips/batch/release", json={"release_addresses": {"ids": ids}}
    )

    assert answers == {200: 1, 403: 3}
    assert unlimited == {200: 4}
    assert await held(client) == 5
    assert await make.breaches(database) == []


@pytest.fixture
async def generous(
    settings: Settings, database: LedgerDatabase
) -> AsyncIterator[AsyncClient]:
    """The same member, at a replica that has been given another default."""
    changed = settings.model_copy(update={"default_quota": 15})
    api: FastAPI = create_api(changed, database)
    async with make_client(wrap(api), "joe:demo") as client:
        yield client


async def test_a_default_that_has_changed_holds_from_the_next_allocation_on(
    client: AsyncClient, generous: AsyncClient, database: LedgerDatabase
) -> None:
    before = await statuses(*at_once(12, client))
    more = await statuses(*at_once(12, generous))
    again = await statuses(*at_once(3, client))

    assert before == {200: 10, 403: 2}
    assert more == {200: 5, 403: 7}
    assert again == {403: 3}
    assert await make.breaches(database) == []


async def test_replicas_with_two_defaults_keep_the_higher_one(
    client: AsyncClient, generous: AsyncClient, database: LedgerDatabase
) -> None:
    """As while settings are rolled out; releases count whatever was dealt last."""
    answers = await statuses(*at_once(12, client), *at_once(12, generous))

    assert answers[200] <= 15
    assert answers[200] + answers[403] == 24
    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    released = await asyncio.gather(*(release(client, each["id"]) for each in listed))
    assert {response.status_code for response in released} == {202}
    assert await make.breaches(database) == []


async def test_a_quota_of_its_own_beats_every_default(
    client: AsyncClient, generous: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 3)

    assert await statuses(*at_once(5, generous)) == {200: 3, 403: 2}
    assert await statuses(*at_once(2, client)) == {403: 2}


async def test_a_batch_takes_room_that_is_spread_over_the_shares(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 100)
    ids = await fill(client, 70)
    for floating_ip_id in ids[::7]:
        await release(client, floating_ip_id)

    too_many = await batch(client, 41)
    all_of_it = await batch(client, 40)

    assert (too_many.status_code, all_of_it.status_code) == (403, 200)
    assert set(await shares(database)) == {0}
    assert await make.breaches(database) == []


async def test_batches_at_once_stop_at_the_quota(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 70)

    answers = await asyncio.gather(
        *(batch(client, 20) for _ in range(5)), *(allocate(client) for _ in range(12))
    )

    many = Counter(response.status_code for response in answers[:5])
    single = Counter(response.status_code for response in answers[5:])
    assert set(many) <= {200, 403}
    assert many[200] * 20 + single[200] == await held(client) <= 70
    assert many[200] == 3 or single[200] == 12
    assert await make.breaches(database) == []


@make.both_ways
async def test_while_all_room_is_merely_locked_it_is_waited_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """What the other transactions take may come back: a refusal would be too early."""
    await make.quota(database, 2)

    async with connection(database) as other:
        undecided = other.transaction()
        await undecided.start()
        await other.execute("SELECT FROM quota_shares FOR UPDATE")
        asking = [*at_once(2, client), asyncio.create_task(batch(client, 2))]
        await asyncio.sleep(0.2)
        answered_early = any(each.done() for each in asking)
        await undecided.rollback()

    answers = await statuses(*asking)
    assert not answered_early
    assert answers in ({200: 2, 403: 1}, {200: 1, 403: 2})
    assert await held(client) == 2
    assert await make.breaches(database) == []


async def test_room_that_is_locked_for_too_long_is_a_503(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 1)

    async with transaction(database) as other:
        await other.execute("SELECT FROM quota_shares FOR UPDATE")
        # A task of its own: `databases` lends one connection to each task.
        response = await asyncio.create_task(allocate(client))

    assert response.status_code == 503
    assert await make.breaches(database) == []


async def test_one_project_does_not_wait_for_its_own_allocation_under_way(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 3)

    async with transaction(database) as other:
        await allocation.allocate(other, JOE, "public", 10)
        meanwhile = await asyncio.create_task(statuses(*at_once(2, client)))

    assert meanwhile == {200: 2}
    assert (await allocate(client)).status_code == 403
    assert await make.breaches(database) == []


async def test_a_release_does_not_wait_for_an_allocation_under_way(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 3)
    (first,) = await fill(client, 1)

    async with transaction(database) as other:
        await allocation.allocate(other, JOE, "public", 10)
        released = await asyncio.create_task(release(client, first))

    assert released.status_code == 202
    assert await make.breaches(database) == []


@make.both_ways
async def test_a_release_while_the_quota_is_dealt_anew_gives_its_room_back(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """It waits for shares that are gone when it gets to them."""
    (first, second) = await fill(client, 2)

    async with transaction(database) as other:
        await quotas.allow(other, "demo", 2)
        releasing = asyncio.create_task(release(client, first))
        await asyncio.sleep(0.3)
        assert not releasing.done()

    assert (await releasing).status_code == 202
    assert await make.breaches(database) == []
    assert (await allocate(client)).status_code == 200
    assert (await allocate(client)).status_code == 403
    assert (await release(client, second)).status_code == 202


@make.both_ways
async def test_an_allocation_while_the_quota_is_dealt_anew_counts_in_the_new_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 1)
    await fill(client, 1)

    async with transaction(database) as other:
        await quotas.allow(other, "demo", 2)
        asking = at_once(2, client)
        await asyncio.sleep(0.3)

    assert await statuses(*asking) in ({200: 1, 403: 1}, {403: 2})
    assert await make.breaches(database) == []


@pytest.mark.parametrize("project_is_known", [True, False])
async def test_a_release_of_what_is_not_there_changes_nothing(
    client: AsyncClient, database: LedgerDatabase, project_is_known: bool
) -> None:
    if project_is_known:
        await make.quota(database, 1)
        await fill(client, 1)
    before = await shares(database)

    answers = [await release(client, 99) for _ in range(3)]
    answers.append(
        await client.post(
            "/os-floating-ips/batch/release", json={"release_addresses": {"ids": [98]}}
        )
    )

    assert [response.status_code for response in answers] == [404] * 4
    assert await shares(database) == before
    assert await make.breaches(database) == []


async def test_what_a_server_takes_along_comes_back_to_the_quota_under_load(
    api: FastAPI, settings: Settings, database: LedgerDatabase
) -> None:
    api.state.settings = settings.model_copy(update={"auto_associate": True})
    async with make_client(wrap(api), "joe:demo") as client:
        await make.quota(database, 4)

        async def churn() -> None:
            for _ in range(5):
                made = await client.post("/servers", json={"server": {"name": "web"}})
                assert made.status_code in (200, 403)
                if made.status_code == 200:
                    await client.delete(f"/servers/{made.json()['server']['id']}")

        await asyncio.gather(*(churn() for _ in range(6)))

        assert await held(client) == 0
    assert sum(await shares(database)) == 4
    assert await make.breaches(database) == []


async def test_projects_do_not_touch_each_others_shares(
    app: ASGIApp, database: LedgerDatabase
) -> None:
    async def churn(number: int) -> None:
        async with make_client(app, f"joe:project-{number}") as client:
            ids = await fill(client, 5)
            await asyncio.gather(*(release(client, each) for each in ids[number:]))

    await asyncio.gather(*(churn(number) for number in range(6)))

    rooms = [sum(await shares(database, f"project-{n}")) for n in range(6)]
    assert rooms == [10, 9, 8, 7, 6, 5]
    assert await make.breaches(database) == []
