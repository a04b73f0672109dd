"""Many floating IPs at once: all that are asked for, or none."""

import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection, transaction
from app.wire.xml_reader import MAX_BODY, MAX_ELEMENTS
from tests import make
from tests.conftest import make_client

BATCH = "/os-floating-ips/batch"
RELEASE = "/os-floating-ips/batch/release"


async def allocate(
    client: AsyncClient, count: object, key: str | None = None, **members: object
) -> Response:
    body = {"allocate_addresses": {"count": count, **members}}
    headers = {"Idempotency-Key": key} if key else None
    return await client.post(BATCH, json=body, headers=headers)


async def release(client: AsyncClient, ids: object, key: str | None = None) -> Response:
    body = {"release_addresses": {"ids": ids}}
    headers = {"Idempotency-Key": key} if key else None
    return await client.post(RELEASE, json=body, headers=headers)


async def held(client: AsyncClient) -> list[int]:
    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    return [each["id"] for each in listed]


async def test_a_batch_is_allocated_and_released_in_both_types(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    allocated = await allocate(client, 3)
    listed = await client.get("/os-floating-ips")
    released = await release(client, [2, 1])

    assert allocated.status_code == 200
    assert allocated.json() == listed.json()
    assert [each["id"] for each in allocated.json()["floating_ips"]] == [1, 2, 3]
    assert (released.status_code, released.content) == (202, b"")
    assert await held(client) == [3]
    assert await make.breaches(database) == []


async def test_the_same_in_xml(client: AsyncClient, database: LedgerDatabase) -> None:
    await make.pool(database, "203.0.113.7")
    await make.pool(database, "198.51.100.7", "second")

    allocated = await make.send_xml(
        client,
        "POST",
        BATCH,
        "<allocate_addresses><count>1</count><pool>second</pool></allocate_addresses>",
    )
    await client.post("/os-floating-ips")
    released = await make.send_xml(
        client,
        "POST",
        RELEASE,
        "<release_addresses><ids><id>1</id><id>2</id></ids></release_addresses>",
    )

    assert make.without_declaration(allocated) == (
        "<floating_ips><floating_ip><id>1</id><ip>198.51.100.7</ip>"
        "<fixed_ip>null</fixed_ip><instance_id>null</instance_id></floating_ip>"
        "</floating_ips>"
    )
    assert (released.status_code, released.content) == (202, b"")
    assert await held(client) == []


@pytest.mark.parametrize(
    "count", [0, -1, 1001, 2**63, 1.0, 1.5, "3", None, True, [], {}]
)
async def test_counts_out_of_rule_are_400(
    client: AsyncClient, database: LedgerDatabase, count: object
) -> None:
    await make.pool(database)

    response = await allocate(client, count)

    assert response.status_code == 400
    assert "allocate_addresses.count" in response.json()["badRequest"]["message"]
    assert await held(client) == []


@pytest.mark.parametrize(
    "ids",
    [
        [],
        [1, 1],
        [0],
        [-1],
        [2**63],
        [1.0],
        ["1"],
        [None],
        [True],
        [[1]],
        1,
        "1",
        None,
        {"id": 1},
        list(range(1, 1002)),
    ],
)
async def test_ids_out_of_rule_are_400_and_nothing_is_released(
    client: AsyncClient, database: LedgerDatabase, ids: object
) -> None:
    await make.pool(database)
    await make.floating_ip(client)

    response = await release(client, ids)

    assert response.status_code == 400
    assert "release_addresses.ids" in response.json()["badRequest"]["message"]
    assert await held(client) == [1]


@pytest.mark.parametrize("path", [BATCH, RELEASE])
@pytest.mark.parametrize("body", ["", "{}", "null", '{"pool": "public"}'])
async def test_without_its_envelope_it_is_400(
    client: AsyncClient, database: LedgerDatabase, path: str, body: str
) -> None:
    await make.pool(database)

    response = await client.post(
        path, content=body, headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 400
    assert await held(client) == []


@pytest.mark.parametrize("mount", ["", "/v1.1/demo"])
async def test_batch_is_the_id_of_no_floating_ip(
    client: AsyncClient, database: LedgerDatabase, mount: str
) -> None:
    for method, path, status in (
        ("GET", BATCH, 404),
        ("DELETE", BATCH, 404),
        ("POST", f"{BATCH}/addFloatingIp", 404),
        ("GET", f"{BATCH}/attributes", 404),
        ("GET", RELEASE, 405),
        ("PUT", BATCH, 405),
    ):
        response = await client.request(method, f"{mount}{path}")
        assert response.status_code == status
    assert response.headers["Allow"] == "POST"


async def test_refusals_come_in_the_order_of_the_design(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/29")
    await make.quota(database, 2)

    unknown = await allocate(client, 3, pool="nowhere")
    over_quota = await allocate(client, 7)
    await make.quota(database, 10)
    too_many = await allocate(client, 7)

    answers = [unknown, over_quota, too_many]
    assert [response.status_code for response in answers] == [404, 403, 404]
    assert "'nowhere'" in unknown.text
    assert "no address is free" in too_many.text
    assert await held(client) == []
    assert await make.breaches(database) == []


async def test_a_refused_batch_leaves_all_of_the_pool_and_of_the_quota(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/29")
    await make.quota(database, 6)

    for _ in range(3):
        assert (await allocate(client, 7)).status_code == 403
    await make.quota(database, 7)
    for _ in range(3):
        assert (await allocate(client, 7)).status_code == 404

    assert (await allocate(client, 6)).status_code == 200
    assert await make.breaches(database) == []


async def test_only_a_member_allocates_and_releases(
    client: AsyncClient, app: ASGIApp, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await allocate(client, 1)

    async with make_client(app, "reader:demo") as reader:
        answers = await allocate(reader, 1), await release(reader, [1])

    assert [response.status_code for response in answers] == [403, 403]
    assert await held(client) == [1]


async def test_a_project_gets_its_own_resting_ones_first_then_free_ones(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    first = (await allocate(client, 3)).json()["floating_ips"]
    await release(client, [1, 2, 3])
    foreign = (await allocate(stranger, 3)).json()["floating_ips"]
    await release(stranger, [4, 5, 6])

    again = (await allocate(client, 5)).json()["floating_ips"]

    given = {each["ip"] for each in again}
    assert {each["ip"] for each in first} < given
    assert given & {each["ip"] for each in foreign} == set()
    assert await make.breaches(database) == []


@pytest.mark.parametrize("count", [2, 4])
async def test_its_own_and_others_whose_rest_is_over_are_enough_together(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase, count: int
) -> None:
    """Its own count once, though their time is over as well."""
    await make.pool(database, "203.0.113.0/29")
    await make.quota(database, 6)
    own = (await allocate(client, 3)).json()["floating_ips"]
    await allocate(stranger, 3)
    await release(client, [each["id"] for each in own[: count // 2]])
    await release(stranger, [4, 5])
    await make.time_pass(database)

    response = await allocate(client, count)

    assert response.status_code == 200, response.text
    assert len(response.json()["floating_ips"]) == count
    assert await make.breaches(database) == []


async def test_an_unknown_or_foreign_id_is_404_and_none_is_released(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await allocate(client, 2)
    await allocate(stranger, 1)

    foreign = await release(client, [1, 3, 2])
    unknown = await release(client, [99, 1, 98])

    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json()["itemNotFound"]["message"] == (
        "Floating IP '3' was not found."
    )
    assert "'98'" in unknown.text
    assert (await held(client), await held(stranger)) == ([1, 2], [3])
    assert await make.breaches(database) == []


async def test_associated_ones_are_disassociated(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    await allocate(client, 2)

    assert (await release(client, [3, 1, 2])).status_code == 202

    server = (await client.get(f"/servers/{server_id}")).json()["server"]
    assert server["addresses"]["public"] == []
    assert await make.breaches(database) == []


async def test_a_thousand_at_once_in_json_and_in_xml(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """The ids of a thousand fit into what the XML reader takes, however long."""
    await make.pool(database, "10.0.0.0/20", quarantine=0)
    await make.quota(database, 1000)

    allocated = await allocate(client, 1000)
    more = await client.post("/os-floating-ips")
    released = await release(client, await held(client))
    again = await make.send_xml(
        client,
        "POST",
        BATCH,
        "<allocate_addresses><count>1000</count></allocate_addresses>",
    )
    ids = "".join(f"<id>{n}</id>" for n in await held(client))
    document = f"<release_addresses><ids>{ids}</ids></release_addresses>"
    gone = await make.send_xml(client, "POST", RELEASE, document)

    assert len(allocated.json()["floating_ips"]) == 1000
    assert more.status_code == 403
    assert again.text.count("<floating_ip>") == 1000
    answers = [released, again, gone]
    assert [response.status_code for response in answers] == [202, 200, 202]
    assert await held(client) == []
    assert await make.breaches(database) == []


async def test_the_longest_ids_of_a_thousand_are_no_longer_than_a_body(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    ids = [2**63 - 1 - n for n in range(1000)]
    document = (
        "<release_addresses>\n  <ids>\n"
        + "".join(f"    <id>{each}</id>\n" for each in ids)
        + "  </ids>\n</release_addresses>"
    )
    assert len(document) < MAX_BODY
    assert document.count("</") < MAX_ELEMENTS == 4096

    as_xml = await make.send_xml(client, "POST", RELEASE, document)
    as_json = await release(client, ids)

    assert (as_xml.status_code, as_json.status_code) == (404, 404)


async def test_a_pool_of_both_families_gives_both(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.pool(database, "2001:db8::7")

    allocated = (await allocate(client, 2)).json()["floating_ips"]

    assert {each["ip"] for each in allocated} == {"203.0.113.7", "2001:db8::7"}


@pytest.mark.parametrize("rounds", range(4))
async def test_of_two_batches_at_once_on_a_scarce_pool_one_gets_all(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await asyncio.gather(make.quota(database, 20), make.quota(database, 20, "other"))

    answers = await asyncio.gather(allocate(client, 9), allocate(stranger, 9))

    assert sorted(response.status_code for response in answers) == [200, 404]
    assert sorted([len(await held(client)), len(await held(stranger))]) == [0, 9]
    assert await make.breaches(database) == []


async def test_batches_and_single_ones_share_a_pool_without_an_address_left(
    app: ASGIApp, database: LedgerDatabase
) -> None:
    """62 addresses, 62 wanted: nobody is refused because of somebody else's lock."""
    await make.pool(database, "203.0.113.0/26")
    counts = [10, 10, 10, 10, 8, 8, 1, 1, 1, 1, 1, 1]

    async def ask(number: int) -> Response:
        async with make_client(app, f"joe:project-{number}") as client:
            return await allocate(client, counts[number])

    answers = await asyncio.gather(*(ask(number) for number in range(len(counts))))

    assert Counter(response.status_code for response in answers) == {200: 12}
    ips = [each["ip"] for r in answers for each in r.json()["floating_ips"]]
    assert len(set(ips)) == 62
    assert await make.breaches(database) == []


async def test_addresses_that_are_merely_locked_are_waited_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/29")

    async with connection(database) as other:
        undecided = other.transaction()
        await undecided.start()
        await other.execute("SELECT FROM addresses LIMIT 1 FOR UPDATE")
        asking = asyncio.create_task(allocate(client, 6))
        await asyncio.sleep(0.2)
        answered_early = asking.done()
        await undecided.rollback()

    assert not answered_early
    assert (await asking).status_code == 200
    assert await make.breaches(database) == []


async def test_whoever_waits_for_the_rest_of_a_batch_keeps_none_of_it_locked(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/29")

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses LIMIT 1 FOR UPDATE")
        waiting = asyncio.create_task(allocate(client, 6))
        await asyncio.sleep(0.2)
        answers = await asyncio.create_task(allocate(stranger, 5))

    assert answers.status_code == 200
    assert (await waiting).status_code == 404
    assert await make.breaches(database) == []


async def test_one_that_several_release_at_once_is_released_once(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await allocate(client, 4)

    answers = await asyncio.gather(
        release(client, [1, 2, 3]),
        release(client, [4, 3, 2]),
        release(client, [3, 1]),
        client.delete("/os-floating-ips/2"),
    )

    statuses = [response.status_code for response in answers]
    assert set(statuses) <= {202, 404}
    gone = {1, 2, 3, 4} - set(await held(client))
    parts = [{1, 2, 3}, {2, 3, 4}, {1, 3}, {2}]
    won = [part for part, status in zip(parts, statuses, strict=True) if status == 202]
    assert sum(len(part) for part in won) == len(gone)
    assert set.union(*won) == gone
    assert await make.breaches(database) == []


async def test_a_batch_that_is_sent_again_has_one_effect(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    first = await allocate(client, 3, key="a")
    replayed = await allocate(client, 3, key="a")
    another = await allocate(client, 2, key="a")
    released = await release(client, [1, 2], key="b")
    replay = await release(client, [1, 2], key="b")
    without_a_key = await release(client, [1, 2])

    assert replayed.text == first.text
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert another.status_code == 422
    assert (released.status_code, replay.status_code) == (202, 202)
    assert replay.headers["Idempotency-Replayed"] == "true"
    assert without_a_key.status_code == 404
    assert await held(client) == [3]
    assert await make.breaches(database) == []


async def test_a_refused_batch_runs_again_under_its_key(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")

    refused = await allocate(client, 2, key="a")
    await make.pool(database, "203.0.113.8")
    done = await allocate(client, 2, key="a")

    assert (refused.status_code, done.status_code) == (404, 200)
    assert "Idempotency-Replayed" not in done.headers
    assert len(await held(client)) == 2
