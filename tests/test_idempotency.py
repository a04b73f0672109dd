"""One effect per Idempotency-Key, and the same answer again."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import asyncpg
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection, transaction
from app.faces import http
from app.faces.once import fingerprint, once
from app.ledger import holds, idempotency
from app.ledger.addresses import parse_address
from tests import make
from tests.conftest import make_client
from tests.test_no_input_breaks_it import ledger

KEY = {"Idempotency-Key": "tuesday"}
REPLAYED = "Idempotency-Replayed"
XML = {"Accept": "application/xml", "Content-Type": "application/xml"}

CHANGES: dict[str, tuple[str, str, object]] = {
    "allocate_floating_ip": ("POST", "/os-floating-ips", None),
    "associate_floating_ip": (
        "POST",
        "/os-floating-ips/1/addFloatingIp",
        {"associate_address": {"fixed_ip": "11.0.0.2"}},
    ),
    "disassociate_floating_ip": ("POST", "/os-floating-ips/1/removeFloatingIp", None),
    "release_floating_ip": ("DELETE", "/os-floating-ips/1", None),
    "register_server": ("POST", "/servers", {"server": {"name": "db"}}),
    "remove_server": ("DELETE", "/servers/1", None),
    "update_quota_set": (
        "PUT",
        "/os-quota-sets/demo",
        {"quota_set": {"floating_ips": 7}},
    ),
    "create_floating_ips_bulk": (
        "POST",
        "/os-floating-ips-bulk",
        {"floating_ips_bulk_create": {"ip_range": "198.51.100.7"}},
    ),
    "delete_floating_ips_bulk": (
        "PUT",
        "/os-floating-ips-bulk/delete",
        {"ip_range": "192.0.2.7"},
    ),
    "update_floating_ip_attributes": (
        "PUT",
        "/os-floating-ips/1/attributes",
        {"floating_ip_attributes": {"tags": ["web"]}},
    ),
    "allocate_floating_ips": (
        "POST",
        "/os-floating-ips/batch",
        {"allocate_addresses": {"count": 2}},
    ),
    "release_floating_ips": (
        "POST",
        "/os-floating-ips/batch/release",
        {"release_addresses": {"ids": [1]}},
    ),
    "update_floating_ip_pool": (
        "PUT",
        "/os-floating-ip-pools/public",
        {"floating_ip_pool": {"quarantine_seconds": 7}},
    ),
    "place_floating_ip_hold": (
        "POST",
        "/os-floating-ip-holds",
        {"floating_ip_hold": {"address": "192.0.2.7", "reason": "abuse"}},
    ),
    "lift_floating_ip_hold": ("DELETE", "/os-floating-ip-holds/192.0.2.8", None),
}
"""A request of each operation that changes something, with an effect on `something`."""

OTHER_FACES = ("compute_", "network_")
"""Their operations do the same through the same dependency."""


async def something(client: AsyncClient, database: LedgerDatabase) -> None:
    """Make what every one of these requests changes."""
    await make.pool(database)
    await make.pool(database, "192.0.2.7", name="other")
    await make.pool(database, "192.0.2.8", name="other")
    async with transaction(database) as tx:
        await holds.place(tx, parse_address("192.0.2.8"), "abuse", None)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")


async def held(client: AsyncClient) -> list[int]:
    listed = await client.get("/os-floating-ips")
    return [each["id"] for each in listed.json()["floating_ips"]]


async def keys(database: LedgerDatabase) -> int:
    async with connection(database) as lent:
        count: int = await lent.fetchval("SELECT count(*) FROM idempotency_keys")
    return count


def is_replay(response: Response) -> bool:
    assert response.headers.get(REPLAYED) in (None, "true")
    return REPLAYED in response.headers


def test_every_change_goes_through_once_and_no_route_else_has_a_database(
    api: FastAPI,
) -> None:
    found = set()
    for context in iter_route_contexts(api.routes):
        if not (context.methods or set()) - {"GET", "HEAD"}:
            continue
        route = context.original_route
        assert isinstance(route, APIRoute), context.path
        calls = [dependency.call for dependency in route.dependant.dependencies]
        assert once in calls, route.name
        assert http._database not in calls, f"{route.name} can have a transaction"
        found.add(route.name)

    of_the_draft = {name for name in found if not name.startswith(OTHER_FACES)}
    assert of_the_draft == CHANGES.keys()


def test_no_two_operations_share_the_name_that_keys_are_scoped_by(api: FastAPI) -> None:
    routes = [context.original_route for context in iter_route_contexts(api.routes)]
    named = {(r.name, r.endpoint) for r in routes if isinstance(r, APIRoute)}

    assert max(Counter(name for name, _ in named).values()) == 1


@pytest.mark.parametrize("name", CHANGES)
async def test_the_same_request_again_has_no_effect_and_the_same_answer(
    admin: AsyncClient, database: LedgerDatabase, name: str
) -> None:
    method, path, body = CHANGES[name]
    await something(admin, database)
    before = await ledger(database)

    first = await admin.request(method, path, json=body, headers=KEY)
    after = await ledger(database)
    again = await admin.request(method, path, json=body, headers=KEY)

    assert first.is_success
    assert after != before
    assert await ledger(database) == after
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (is_replay(first), is_replay(again)) == (False, True)
    same = ("ETag", "Content-Type", "Content-Length", "Cache-Control")
    assert [again.headers.get(h) for h in same] == [first.headers.get(h) for h in same]
    ids = {each.headers["X-OpenStack-Request-Id"] for each in (first, again)}
    assert len(ids) == 2


async def test_without_a_key_the_same_request_is_another(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    responses = [await client.post("/os-floating-ips") for _ in range(2)]

    assert [is_replay(response) for response in responses] == [False, False]
    assert await held(client) == [1, 2]
    assert await keys(database) == 0


async def test_the_answer_outlives_what_it_tells_of(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    first = await client.post("/os-floating-ips", headers=KEY)
    await client.delete("/os-floating-ips/1")

    again = await client.post("/os-floating-ips", headers=KEY)

    assert (again.status_code, again.content) == (200, first.content)
    assert await held(client) == []


@pytest.mark.parametrize("order", [["XML", "JSON", "XML"], ["JSON", "XML", "JSON"]])
async def test_xml_and_json_are_one_request_and_each_gets_its_own_type(
    client: AsyncClient, database: LedgerDatabase, order: list[str]
) -> None:
    await make.pool(database, "203.0.113.7")

    async def as_xml() -> Response:
        body = '<?xml version="1.0"?>\n<pool>\n  public\n</pool>'
        return await client.post("/os-floating-ips", content=body, headers=KEY | XML)

    async def as_json() -> Response:
        return await client.post(
            "/os-floating-ips", json={"pool": "public"}, headers=KEY
        )

    send = {"XML": as_xml, "JSON": as_json}
    responses = [await send[kind]() for kind in order]

    assert [is_replay(response) for response in responses] == [False, True, True]
    for response in responses:
        assert response.status_code == 200
        if response.headers["Content-Type"] == "application/xml":
            assert "<id>1</id><ip>203.0.113.7</ip><fixed_ip>null</f" in response.text
            assert response.headers["ETag"] == '"1-xml"'
        else:
            assert response.json()["floating_ip"]["ip"] == "203.0.113.7"
            assert response.headers["ETag"] == '"1"'
    assert await held(client) == [1]


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (b"", b"{}", True),
        (b"", b" null ", True),
        (b'{"a": 1, "b": [1, 2]}', b'{"b":[1,2],"a":1}', True),
        (b'{"a": "\\u00e9"}', '{"a": "\u00e9"}'.encode(), True),
        (b'{"a": {"b": 1, "c": 2}}', b'{"a": {"c": 2, "b": 1}}', True),
        (b'{"a": 1}', b'{"a": 2}', False),
        (b'{"a": 1}', b'{"a": "1"}', False),
        (b'{"a": 1}', b'{"a": true}', False),
        (b'{"a": [1, 2]}', b'{"a": [2, 1]}', False),
        (b'{"a": null}', b"", False),
        (b"[]", b"{}", False),
        (b'"null"', b"null", False),
        (b"no JSON", b"no JSON", True),
        (b"no JSON", b"no  JSON", False),
        (b"[" * 60_000, b"[" * 60_000, True),
        (b"[" * 60_000, b"[" * 59_999, False),
    ],
)
def test_what_two_bodies_mean_is_compared(
    one: bytes, other: bytes, *, are_equal: bool
) -> None:
    assert (fingerprint({}, [], one) == fingerprint({}, [], other)) is are_equal


def test_path_and_query_are_compared_too() -> None:
    said = {
        fingerprint({}, [], b""),
        fingerprint({"id": "1"}, [], b""),
        fingerprint({"id": "2"}, [], b""),
        fingerprint({}, [("id", "1")], b""),
        fingerprint({}, [("id", "1"), ("id", "2")], b""),
        fingerprint({}, [], b'{"id": "1"}'),
    }

    assert len(said) == 6


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/os-floating-ips/1/addFloatingIp",
            {"associate_address": {"fixed_ip": "11.0.0.2"}},
        ),
        (
            "/os-floating-ips/2/addFloatingIp",
            {"associate_address": {"fixed_ip": "11.0.0.1"}},
        ),
        (
            "/os-floating-ips/1/addFloatingIp?x=1",
            {"associate_address": {"fixed_ip": "11.0.0.1"}},
        ),
    ],
    ids=["another body", "another id", "another query"],
)
async def test_another_request_with_the_key_is_a_422(
    client: AsyncClient, database: LedgerDatabase, path: str, body: object
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    for _ in range(2):
        await make.floating_ip(client)
    first = "/os-floating-ips/1/addFloatingIp"
    asked = {"associate_address": {"fixed_ip": "11.0.0.1"}}
    await client.post(first, json=asked, headers=KEY)
    before = await ledger(database)

    other = await client.post(path, json=body, headers=KEY)
    again = await client.post(first, json=asked, headers=KEY)

    assert other.status_code == 422
    assert other.json()["computeFault"]["message"] == (
        "Idempotency-Key 'tuesday': another request was sent with it before."
    )
    assert await ledger(database) == before
    assert (again.status_code, is_replay(again)) == (202, True)


async def test_each_project_has_keys_of_its_own(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    responses = [
        await each.post("/os-floating-ips", headers=KEY) for each in (client, stranger)
    ]

    assert [is_replay(response) for response in responses] == [False, False]
    assert (await held(client), await held(stranger)) == ([1], [2])


async def test_each_operation_has_keys_of_its_own(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await client.post("/os-floating-ips", headers=KEY)

    released = await client.delete("/os-floating-ips/1", headers=KEY)

    assert (released.status_code, is_replay(released)) == (202, False)
    assert await held(client) == []


async def test_both_mounts_and_whoever_acts_as_the_project_share_its_keys(
    client: AsyncClient, database: LedgerDatabase, app: ASGIApp
) -> None:
    await make.pool(database)
    await client.post("/os-floating-ips", headers=KEY)

    mounted = await client.post("/v1.1/demo/os-floating-ips", headers=KEY)
    async with make_client(app, "admin:elsewhere") as admin:
        acting = await admin.post("/v1.1/demo/os-floating-ips.json", headers=KEY)

    assert (is_replay(mounted), is_replay(acting)) == (True, True)
    assert await held(client) == [1]


async def test_a_refusal_is_not_kept(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7", name="other")
    await make.pool(database, "203.0.113.8")
    await client.post("/os-floating-ips")
    refused = await client.post("/os-floating-ips", headers=KEY)
    await make.pool(database, "203.0.113.9")

    tried = await client.post("/os-floating-ips", headers=KEY)

    assert refused.status_code == 404
    assert (tried.status_code, is_replay(tried)) == (200, False)
    assert tried.json()["floating_ip"]["ip"] == "203.0.113.9"


async def test_while_the_first_is_under_way_the_second_is_told_to_wait(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await something(client, database)
    path = "/os-floating-ips/1/removeFloatingIp"

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses WHERE state = 'held' FOR UPDATE")
        first = asyncio.create_task(client.post(path, headers=KEY))
        await make.somebody_waits(database)
        second = await asyncio.create_task(client.post(path, headers=KEY))
        elsewhere = await asyncio.create_task(client.post("/servers", headers=KEY))
    third = [await first, await client.post(path, headers=KEY)]

    assert second.status_code == 409
    assert second.headers["Retry-After"] == "1"
    assert second.json()["conflictingRequest"]["message"] == (
        "Idempotency-Key 'tuesday': the first request with it is under way."
    )
    assert elsewhere.status_code == 400
    assert [(r.status_code, is_replay(r)) for r in third] == [(202, False), (202, True)]


async def test_the_key_is_locked_before_its_answer_is_looked_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Else what its holder commits in between would not be seen."""
    await make.pool(database)

    async with transaction(database) as other:
        await other.execute("LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.create_task(client.post("/os-floating-ips", headers=KEY))
        await make.somebody_waits(database)
        locked = await other.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )

    assert locked == 1
    assert (await asking).status_code == 200


@pytest.mark.parametrize("rounds", range(5))
async def test_sixteen_at_once_have_one_effect(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)

    responses = await asyncio.gather(
        *(client.post("/os-floating-ips", headers=KEY) for _ in range(16))
    )

    counts = Counter(response.status_code for response in responses)
    assert counts[200] >= 1
    assert counts[200] + counts[409] == 16
    assert len({r.content for r in responses if r.status_code == 200}) == 1
    made = [r for r in responses if r.status_code == 200 and not is_replay(r)]
    assert len(made) == 1
    assert await held(client) == [made[0].json()["floating_ip"]["id"]]
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(20))
async def test_whoever_comes_after_a_twin_never_does_its_work_again(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    """A second release would be a 404."""
    await make.pool(database)
    await make.floating_ip(client)

    async def insist() -> list[int]:
        statuses = [409]
        while statuses[-1] == 409:
            response = await client.delete("/os-floating-ips/1", headers=KEY)
            statuses.append(response.status_code)
        return statuses

    told = await asyncio.gather(*(insist() for _ in range(8)))

    assert {statuses[-1] for statuses in told} == {202}
    assert await keys(database) == 1


COMMIT_FAILS = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the server stops' USING ERRCODE = 'admin_shutdown';
END
$$;
CREATE CONSTRAINT TRIGGER commit_fails AFTER INSERT ON history
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()
"""
COMMIT_WORKS = "DROP TRIGGER commit_fails ON history; DROP FUNCTION fail"


async def test_where_the_commit_fails_there_is_neither_effect_nor_answer(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    async with connection(database) as lent:
        await lent.execute(COMMIT_FAILS)
    try:
        failed = await client.post("/os-floating-ips", headers=KEY)
    finally:
        async with connection(database) as lent:
            await lent.execute(COMMIT_WORKS)
    kept = await keys(database)

    tried = await client.post("/os-floating-ips", headers=KEY)

    assert (failed.status_code, kept) == (503, 0)
    assert (tried.status_code, is_replay(tried)) == (200, False)
    assert len(await held(client)) == 1


async def test_requests_cancelled_at_random_moments_and_sent_again_have_one_effect(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.quota(database, -1)
    chance = random.Random(7)
    cancelled = 0

    async def insist(number: int) -> int:
        """Send it again, with ever more patience, and once more when it was heard."""
        nonlocal cancelled
        key = {"Idempotency-Key": f"key-{number}"}
        patience, statuses = 0.004, [0]
        while statuses[-1] != 200:
            asking = asyncio.create_task(client.post("/os-floating-ips", headers=key))
            done, _ = await asyncio.wait({asking}, timeout=chance.random() * patience)
            if done:
                statuses.append(asking.result().status_code)
            cancelled += asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            patience *= 1.5
        again = await client.post("/os-floating-ips", headers=key)
        assert (again.content, is_replay(again)) == (asking.result().content, True)
        assert set(statuses) <= {0, 200, 409}
        floating_ip_id: int = again.json()["floating_ip"]["id"]
        return floating_ip_id

    ids: list[int] = []
    for batch in range(10):
        numbers = range(4 * batch, 4 * batch + 4)
        ids += await asyncio.gather(*(insist(number) for number in numbers))

    assert cancelled > 40
    assert await held(client) == sorted(ids)
    assert await keys(database) == 40
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    "lines",
    [
        [""],
        ["two words"],
        ["x" * 256],
        ["d\u00e9j\u00e0"],
        ["a\x7fb"],
        ["a", "a"],
        ["a", "b"],
    ],
)
async def test_a_key_that_is_none_is_a_400(
    client: AsyncClient, database: LedgerDatabase, lines: list[str]
) -> None:
    await make.pool(database)
    headers = [(b"idempotency-key", line.encode("latin-1")) for line in lines]

    response = await client.post("/os-floating-ips", headers=headers)

    assert response.status_code == 400
    message = response.json()["badRequest"]["message"]
    assert message.startswith("Idempotency-Key '")
    assert "must be one line of 1 to 255 visible ASCII characters" in message
    assert await held(client) == []


@pytest.mark.parametrize("key", ["!", "~" * 255, '"quoted"', "a,b", "A", "a"])
async def test_a_key_is_taken_as_it_is(
    client: AsyncClient, database: LedgerDatabase, key: str
) -> None:
    await make.pool(database)
    await client.post("/os-floating-ips", headers={"Idempotency-Key": "a"})

    response = await client.post("/os-floating-ips", headers={"Idempotency-Key": key})

    assert response.status_code == 200
    assert is_replay(response) == (key == "a")


async def test_reads_take_no_notice_of_a_key(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    headers = {"Idempotency-Key": "two words"}

    listed = await client.get("/os-floating-ips", headers=headers)

    assert (listed.status_code, is_replay(listed)) == (200, False)
    assert await keys(database) == 0


@pytest.mark.parametrize("key", ["tuesday", "two words"])
async def test_who_may_not_is_refused_before_the_key_is_read(
    app: ASGIApp, client: AsyncClient, database: LedgerDatabase, key: str
) -> None:
    await make.pool(database)
    await client.post("/os-floating-ips", headers=KEY)

    statuses = []
    for token in ("reader:demo", "nobody"):
        async with make_client(app, token) as other:
            response = await other.post(
                "/os-floating-ips", headers={"Idempotency-Key": key}
            )
        statuses.append(response.status_code)

    assert statuses == [403, 401]


INSERT = """
INSERT INTO idempotency_keys (project_id, route, key, fingerprint, status, headers,
                              body, created_at)
VALUES ('demo', 'allocate_floating_ip', $1, '', $2, '{}', '', now() - $3::interval)
"""


async def insert(
    database: LedgerDatabase, key: str, status: int = 200, hours: float = 0
) -> None:
    async with connection(database) as lent:
        await lent.execute(INSERT, key, status, timedelta(hours=hours))


async def test_the_database_keeps_one_answer_for_a_key(
    database: LedgerDatabase,
) -> None:
    await insert(database, "a")

    with pytest.raises(asyncpg.UniqueViolationError) as violation:
        await insert(database, "a")

    assert violation.value.constraint_name == "idempotency_keys_pkey"


@pytest.mark.parametrize("status", [199, 300, 404, 500])
async def test_the_database_keeps_no_refusal(
    database: LedgerDatabase, status: int
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as violation:
        await insert(database, "a", status)

    assert violation.value.constraint_name == "stored_answer_is_a_success"


async def left(database: LedgerDatabase) -> list[str]:
    async with connection(database) as lent:
        rows = await lent.fetch("SELECT key FROM idempotency_keys ORDER BY key")
    return [row["key"] for row in rows]


async def test_old_answers_are_forgotten_oldest_first_and_a_few_at_a_time(
    database: LedgerDatabase,
) -> None:
    for number, hours in enumerate([23.9, 30, 24.1, 26, 0, 28]):
        await insert(database, f"key-{number}", hours=hours)

    swept = []
    for _ in range(3):
        async with transaction(database) as tx:
            swept.append(await idempotency.sweep(tx, timedelta(hours=24), 3))
        swept.append(len(await left(database)))

    assert swept == [3, 3, 1, 2, 0, 2]
    assert await left(database) == ["key-0", "key-4"]


async def test_two_that_forget_at_once_do_not_wait_for_each_other(
    database: LedgerDatabase,
) -> None:
    for number in range(6):
        await insert(database, f"key-{number}", hours=25)

    async def sweep() -> int:
        async with transaction(database) as tx:
            return await idempotency.sweep(tx, timedelta(hours=24), 4)

    async with transaction(database) as other:
        first = await idempotency.sweep(other, timedelta(hours=24), 4)
        second = await asyncio.wait_for(asyncio.create_task(sweep()), 1)

    assert (first, second) == (4, 2)


async def test_what_was_forgotten_is_done_again(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await client.post("/os-floating-ips", headers=KEY)
    async with transaction(database) as tx:
        await idempotency.sweep(tx, timedelta(0), 10)

    again = await client.post("/os-floating-ips", headers=KEY)

    assert (again.status_code, is_replay(again)) == (200, False)
    assert await held(client) == [1, 2]
