"""Changes that go together in one transaction: each gets what it would get alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.database import Connection, LedgerDatabase, connection, transaction
from app.ledger import quotas
from app.main import create_api, wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client

CHANGES = "SELECT count(DISTINCT CAST(xmin AS text)) FROM history WHERE until IS NULL"


async def transactions(database: LedgerDatabase) -> int:
    """Return how many transactions have begun the intervals of the present."""
    async with connection(database) as lent:
        count: int = await lent.fetchval(CHANGES)
        return count


async def allocate(client: AsyncClient, pool: str = "public") -> Response:
    return await client.post("/os-floating-ips", json={"pool": pool})


async def several(client: AsyncClient, count: int) -> list[int]:
    answers = await asyncio.gather(*(allocate(client) for _ in range(count)))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["floating_ip"]["id"] for answer in answers]


@pytest.fixture
async def patient(settings: Settings) -> AsyncIterator[AsyncClient]:
    """A member of `demo`, for whom a lock is waited for longer than a request has."""
    waiting = settings.model_copy(update={"lock_timeout": 60_000})
    async with LedgerDatabase(waiting) as database:
        app = wrap(create_api(waiting, database))
        async with make_client(app, "joe:demo") as client:
            yield client


async def test_many_that_come_at_once_share_a_few_transactions(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    for project in ("demo", "other"):
        await make.quota(database, -1, project)

    answers = await asyncio.gather(
        *(allocate(each) for each in (client, stranger) * 30)
    )

    given = [answer.json()["floating_ip"] for answer in answers]
    assert len({each["ip"] for each in given}) == 60
    assert len({each["id"] for each in given}) == 60
    assert await transactions(database) <= 10
    assert len((await client.get("/os-floating-ips")).json()["floating_ips"]) == 30
    assert await make.breaches(database) == []


async def test_replicas_never_give_one_address_twice(
    client: AsyncClient,
    settings: Settings,
    database: LedgerDatabase,
) -> None:
    """Each has transactions of its own, which meet at few addresses and one quota."""
    await make.pool(database, "203.0.113.0/28", quarantine=0)
    await make.quota(database, 12)
    another = wrap(create_api(settings, database))

    async def churn(client: AsyncClient) -> Counter[int]:
        seen: Counter[int] = Counter()
        for _ in range(15):
            answer = await allocate(client)
            seen[answer.status_code] += 1
            made = answer.json().get("floating_ip", {"id": 0})
            await client.delete(f"/os-floating-ips/{made['id']}")
        return seen

    async with make_client(another, "joe:demo") as other:
        seen = await asyncio.gather(*map(churn, (client, other) * 8))

    assert set(sum(seen, Counter())) <= {200, 403, 404}
    assert (await client.get("/os-floating-ips")).json() == {"floating_ips": []}
    assert await make.breaches(database) == []


async def test_refusals_of_some_are_not_the_others(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.pool(database, "198.51.100.1", name="scarce")
    await make.quota(database, 5, "other")
    await make.quota(database, 1000)  # Dealt into 64 shares, each with room for many.

    scarce = [allocate(client, "scarce") for _ in range(3)]
    unknown = [allocate(client, "nowhere") for _ in range(3)]
    plain = [allocate(client) for _ in range(20)]
    exceeding = [allocate(stranger) for _ in range(8)]
    answers = await asyncio.gather(*scarce, *unknown, *plain, *exceeding)

    statuses = [answer.status_code for answer in answers]
    assert Counter(statuses[:3]) == {200: 1, 404: 2}
    assert statuses[3:6] == [404] * 3
    assert statuses[6:26] == [200] * 20
    assert Counter(statuses[26:]) == {200: 5, 403: 3}
    assert "nowhere" in answers[3].text
    assert await make.breaches(database) == []


async def test_releases_of_what_is_not_there_spoil_no_other(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24", quarantine=0)
    mine = await several(client, 8)
    (theirs,) = await several(stranger, 1)
    attributes = {"floating_ip_attributes": {"protected": True}}
    path = f"/os-floating-ips/{mine[0]}/attributes"
    assert (await client.put(path, json=attributes)).status_code == 200

    asked = [*mine, mine[7], theirs, 10**9]
    answers = await asyncio.gather(
        *(client.delete(f"/os-floating-ips/{each}") for each in asked)
    )

    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 409
    assert statuses[1:7] == [202] * 6
    assert sorted((statuses[7], statuses[8])) == [202, 404]
    assert statuses[9:] == [404, 404]
    assert await make.breaches(database) == []


async def test_associations_to_one_fixed_ip_spoil_no_other(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    fixed_ips = [f"10.0.0.{n}" for n in range(1, 6)]
    await make.server(database, *fixed_ips)
    mine = await several(client, 6)

    targets = [*fixed_ips, fixed_ips[0]]
    answers = await asyncio.gather(
        *(
            make.associate(client, floating_ip, fixed_ip)
            for floating_ip, fixed_ip in zip(mine, targets, strict=True)
        )
    )

    statuses = [answer.status_code for answer in answers]
    assert statuses[1:5] == [202] * 4
    assert sorted((statuses[0], statuses[5])) == [202, 409]
    assert await make.breaches(database) == []


async def test_a_share_that_somebody_holds_is_not_waited_for(
    patient: AsyncClient, database: LedgerDatabase
) -> None:
    """The neighbours of one whose quota is locked whole are answered before it."""
    await make.pool(database, "203.0.113.0/24")
    await make.quota(database, 10, "locked")
    locked = {"X-Auth-Token": "joe:locked"}
    async with transaction(database) as tx:
        await quotas.allow(tx, "locked", 10)
        blocked = asyncio.create_task(patient.post("/os-floating-ips", headers=locked))
        others = await asyncio.gather(*(allocate(patient) for _ in range(5)))
        assert {other.status_code for other in others} == {200}
        assert not blocked.done()

    assert (await blocked).status_code == 200
    assert await make.breaches(database) == []


LOCK_SOME = "SELECT FROM addresses WHERE host(address) LIKE '%2' FOR UPDATE"


async def test_addresses_that_somebody_holds_are_passed_by(
    patient: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/27")
    await make.quota(database, 27)
    async with transaction(database) as tx:
        await tx.execute(LOCK_SOME)  # Three of thirty.
        given = await several(patient, 27)

    assert len(set(given)) == 27
    assert await make.breaches(database) == []


LOCK_FIXED_IP = "SELECT FROM fixed_ips WHERE address = CAST($1 AS inet) FOR UPDATE"


async def test_a_fixed_ip_that_somebody_holds_is_not_waited_for(
    patient: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.server(database, "10.0.0.1", "10.0.0.2")
    one, another = await several(patient, 2)
    async with transaction(database) as tx:
        await tx.execute(LOCK_FIXED_IP, "10.0.0.1")
        blocked = asyncio.create_task(make.associate(patient, one, "10.0.0.1"))
        answer = await make.associate(patient, another, "10.0.0.2")
        assert answer.status_code == 202
        assert not blocked.done()

    assert (await blocked).status_code == 202
    assert await make.breaches(database) == []


PAUSE = """
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() LIKE '%WITH seen AS%' THEN
        PERFORM pg_advisory_xact_lock(1);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER pause BEFORE UPDATE ON addresses EXECUTE FUNCTION pause()
"""
RESUME = "DROP TRIGGER pause ON addresses; DROP FUNCTION pause()"


@pytest.fixture
async def paused(database: LedgerDatabase) -> AsyncIterator[Connection]:
    """Keep what goes together between its snapshot and its locks, until unlocked."""
    async with connection(database) as lent:
        await lent.execute(PAUSE)
        await lent.execute("SELECT pg_advisory_lock(1)")
        yield lent
        await lent.execute("SELECT pg_advisory_unlock_all()")
        await lent.execute(RESUME)


Change = Callable[[AsyncClient, int], Coroutine[None, None, Response]]


async def release(client: AsyncClient, floating_ip_id: int) -> Response:
    return await client.delete(f"/os-floating-ips/{floating_ip_id}")


async def associate(client: AsyncClient, floating_ip_id: int) -> Response:
    return await make.associate(client, floating_ip_id, "10.0.0.1")


async def disassociate(client: AsyncClient, floating_ip_id: int) -> Response:
    return await client.post(f"/os-floating-ips/{floating_ip_id}/removeFloatingIp")


@pytest.mark.parametrize(
    ("before", "change", "meanwhile"),
    [
        ([], release, [associate]),
        ([], associate, [associate, disassociate]),
        ([associate], disassociate, [disassociate, associate]),
    ],
)
async def test_what_has_changed_since_the_snapshot_goes_alone(
    client: AsyncClient,
    app: ASGIApp,
    database: LedgerDatabase,
    paused: Connection,
    before: list[Change],
    change: Change,
    meanwhile: list[Change],
) -> None:
    """Locks find the newest version of a row, beside a history that is older."""
    await make.pool(database, "203.0.113.7")
    await make.server(database, "10.0.0.1")
    async with make_client(app, "joe:demo", alone=True) as other:
        floating_ip_id = await make.floating_ip(other)
        for each in before:
            assert (await each(other, floating_ip_id)).status_code == 202
        changing = asyncio.create_task(change(client, floating_ip_id))
        await make.somebody_waits(database)
        for each in meanwhile:
            assert (await each(other, floating_ip_id)).status_code == 202
        await paused.execute("SELECT pg_advisory_unlock(1)")

    assert (await changing).status_code == 202
    assert await make.breaches(database) == []
