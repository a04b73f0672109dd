"""Claim or create: a floating IP to be had in one request, whoever else is about."""

import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient, Response

from app.database import LedgerDatabase, connection, transaction
from tests import make

ONE = "/os-floating-ips/1"


async def ask(client: AsyncClient, **members: object) -> Response:
    return await client.post("/os-floating-ips", json={"allocate_address": members})


async def claim(client: AsyncClient, **members: object) -> Response:
    return await ask(client, reuse_unassociated=True, **members)


async def tag(client: AsyncClient, floating_ip_id: int, *tags: str) -> Response:
    return await client.put(
        f"/os-floating-ips/{floating_ip_id}/attributes",
        json={"floating_ip_attributes": {"tags": tags}},
    )


async def tags(client: AsyncClient, floating_ip_id: int) -> list[str]:
    shown = await client.get(f"/os-floating-ips/{floating_ip_id}/attributes")
    found: list[str] = shown.json()["floating_ip_attributes"]["tags"]
    return found


def told(response: Response) -> dict[str, object]:
    assert response.status_code == 200, response.text
    floating_ip: dict[str, object] = response.json()["floating_ip"]
    return floating_ip


async def ids(client: AsyncClient) -> list[int]:
    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    return [each["id"] for each in listed]


async def test_one_that_the_project_has_no_use_for_is_taken_before_a_new_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    unused = [await make.floating_ip(client) for _ in range(2)]

    response = await claim(client)

    assert told(response)["id"] == unused[0]
    assert response.headers["ETag"] == '"1"'
    assert await ids(client) == [1, *unused]


async def test_where_all_are_associated_a_new_one_is_allocated(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")

    response = await claim(client)

    assert told(response)["id"] == 2
    assert await make.breaches(database) == []


async def test_without_the_wish_to_reuse_a_new_one_is_allocated(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.floating_ip(client)

    response = await ask(client, reuse_unassociated=False)

    assert told(response)["id"] == 2


async def test_what_another_project_has_no_use_for_is_not_taken(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    foreign = await make.floating_ip(stranger)

    response = await claim(client)

    assert told(response)["id"] != foreign
    assert await ids(stranger) == [foreign]


async def test_it_is_of_the_default_pool_or_of_the_one_that_is_named(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.pool(database, "198.51.100.0/28", "second")
    second = told(await ask(client, pool="second"))

    of_the_default = told(await claim(client))
    of_the_second = told(await claim(client, pool="second"))

    assert str(of_the_default["ip"]).startswith("203.0.113.")
    assert of_the_second == second
    assert (await claim(client, pool="third")).status_code == 404


async def test_it_has_all_the_tags_or_is_a_new_one_that_has_them(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    for _ in range(3):
        await make.floating_ip(client)
    await tag(client, 2, "web")
    await tag(client, 3, "web", "blue", "old")

    reused = told(await claim(client, tags=["blue", "web"]))
    new = told(await claim(client, tags=["web", "green"]))

    assert reused["id"] == 3
    assert await tags(client, 3) == ["blue", "old", "web"]
    assert new["id"] == 4
    assert await tags(client, 4) == ["green", "web"]


async def test_a_new_one_gets_its_tags_also_without_the_wish_to_reuse(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    response = await ask(client, tags=["web", "blue", "web"])

    assert response.headers["ETag"] == '"1"'
    assert await tags(client, 1) == ["blue", "web"]


async def test_a_reused_one_is_associated_in_the_same_transaction(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1")
    await make.floating_ip(client)

    response = await claim(client, fixed_ip="11.0.0.1")

    assert told(response) == {
        "id": 1,
        "ip": told(await client.get(ONE))["ip"],
        "fixed_ip": "11.0.0.1",
        "instance_id": server_id,
    }
    assert response.headers["ETag"] == '"2"'
    assert await make.breaches(database) == []


async def test_claiming_in_xml(client: AsyncClient, database: LedgerDatabase) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, "11.0.0.1")
    await ask(client, tags=["web", "a & b"])

    response = await make.send_xml(
        client,
        "POST",
        "/os-floating-ips",
        "<allocate_address><pool>public</pool>"
        "<reuse_unassociated>true</reuse_unassociated>"
        "<tags><tag>a &amp; b</tag><tag>web</tag></tags>"
        "<fixed_ip>11.0.0.1</fixed_ip></allocate_address>",
    )

    assert make.without_declaration(response) == (
        "<floating_ip><id>1</id><ip>203.0.113.7</ip><fixed_ip>11.0.0.1</fixed_ip>"
        "<instance_id>1</instance_id></floating_ip>"
    )


async def test_reuse_needs_no_room_in_the_quota_and_none_in_the_pool(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.quota(database, 1)
    await make.floating_ip(client)

    claimed = [await claim(client) for _ in range(3)]
    refused = await ask(client)

    assert [told(each)["id"] for each in claimed] == [1, 1, 1]
    assert refused.status_code == 403
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    ("fixed_ip", "status"),
    [("11.0.0.99", 404), ("2001:db8::1", 400), ("11.0.0.1", 409)],
)
async def test_a_refused_association_leaves_the_reused_one_as_it_was(
    client: AsyncClient, database: LedgerDatabase, fixed_ip: str, status: int
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "2001:db8::1")
    await make.floating_ip(client, "11.0.0.1")
    await make.floating_ip(client)
    before = await client.get("/os-floating-ips/2")

    response = await claim(client, fixed_ip=fixed_ip)

    after = await client.get("/os-floating-ips/2")
    assert response.status_code == status
    assert (after.text, after.headers["ETag"]) == (before.text, before.headers["ETag"])
    assert await ids(client) == [1, 2]
    assert await make.breaches(database) == []


async def test_of_a_pool_with_both_families_that_of_the_fixed_ip_is_reused(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:db8:1::7")
    await make.floating_ip(client)
    await make.pool(database, "203.0.113.7")
    await ask(client, address="203.0.113.7")
    await make.server(database, "11.0.0.1", "2001:db8::1")

    fourth = await claim(client, fixed_ip="11.0.0.1")
    sixth = await claim(client, fixed_ip="2001:db8::1")

    assert (told(fourth)["ip"], told(sixth)["ip"]) == ("203.0.113.7", "2001:db8:1::7")


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"reuse_unassociated": "true"}, "reuse_unassociated"),
        ({"reuse_unassociated": 1}, "reuse_unassociated"),
        ({"reuse_unassociated": None}, "reuse_unassociated"),
        ({"tags": None}, "tags"),
        ({"tags": "web"}, "tags"),
        ({"tags": ["web", 7]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": [" web"]}, "tags"),
        ({"tags": ["a\tb"]}, "tags"),
        ({"tags": ["a\x00b"]}, "tags"),
        ({"tags": ["x" * 256]}, "tags"),
        ({"tags": [f"tag-{n}" for n in range(51)]}, "tags"),
        ({"address": "203.0.113.0/24"}, "address"),
        ({"address": "::ffff:203.0.113.7"}, "address"),
        ({"address": "fe80::1%eth0"}, "address"),
        ({"address": 7}, "address"),
        ({"fixed_ip": "web"}, "fixed_ip"),
        ({"count": 2}, "count"),
    ],
)
async def test_members_out_of_rule_are_400(
    client: AsyncClient,
    database: LedgerDatabase,
    members: dict[str, object],
    named: str,
) -> None:
    await make.pool(database)

    response = await ask(client, **members)

    assert response.status_code == 400
    assert named in response.json()["badRequest"]["message"]
    assert await ids(client) == []


async def test_an_address_that_is_free_is_had(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.pool(database, "198.51.100.0/28", "second")
    await make.server(database, "11.0.0.1")

    first = await ask(client, address="203.0.113.7")
    second = await ask(client, address="198.51.100.9")
    third = await ask(
        client,
        address="198.51.100.3",
        pool="second",
        fixed_ip="11.0.0.1",
        tags=["web"],
    )

    assert told(first)["ip"] == "203.0.113.7"
    assert told(second)["ip"] == "198.51.100.9"
    assert (told(third)["ip"], told(third)["fixed_ip"]) == ("198.51.100.3", "11.0.0.1")
    assert await tags(client, 3) == ["web"]
    assert await make.breaches(database) == []


async def test_an_ipv6_address_is_had_in_any_spelling_and_in_xml(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:db8::/125")

    response = await make.send_xml(
        client,
        "POST",
        "/os-floating-ips",
        "<allocate_address><address>2001:0DB8:0::0005</address></allocate_address>",
    )

    assert "<ip>2001:db8::5</ip>" in response.text


async def test_an_address_that_rests_goes_to_its_former_project_alone(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await ask(client, address="203.0.113.7")
    await client.delete(ONE)

    refused = await ask(stranger, address="203.0.113.7")
    given = await ask(client, address="203.0.113.7")

    assert refused.status_code == 409
    assert told(given)["ip"] == "203.0.113.7"
    assert await make.breaches(database) == []


async def test_an_address_whose_rest_is_over_goes_to_anybody(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await ask(client, address="203.0.113.7")
    await client.delete(ONE)
    await make.time_pass(database)

    given = await ask(stranger, address="203.0.113.7")

    assert told(given)["ip"] == "203.0.113.7"
    assert await make.breaches(database) == []


async def test_why_an_address_cannot_be_had_is_not_told(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
) -> None:
    """Taken by another or by oneself, resting for another, reserved: one answer."""
    await make.pool(database)
    await ask(client, address="203.0.113.1")
    await ask(stranger, address="203.0.113.2")
    await ask(stranger, address="203.0.113.3")
    await stranger.delete("/os-floating-ips/3")
    hold = {"address": "203.0.113.4", "reason": "on a blocklist"}
    await admin.post("/os-floating-ip-holds", json={"floating_ip_hold": hold})

    answers = [await ask(client, address=f"203.0.113.{n}") for n in (1, 2, 3, 4)]

    assert [answer.status_code for answer in answers] == [409] * 4
    assert [answer.json()["conflictingRequest"]["message"] for answer in answers] == [
        f"address '203.0.113.{n}': cannot be had at present." for n in (1, 2, 3, 4)
    ]
    assert await make.breaches(database) == []


async def test_an_address_in_no_pool_or_in_another_than_is_named_is_404(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.pool(database, "198.51.100.0/28", "second")

    in_none = await ask(client, address="192.0.2.1")
    in_another = await ask(client, address="203.0.113.7", pool="second")
    nowhere = await ask(client, address="203.0.113.7", pool="third")
    reused = await claim(client, address="192.0.2.1")

    for response in (in_none, in_another, nowhere, reused):
        assert response.status_code == 404
    assert "'third'" in nowhere.json()["itemNotFound"]["message"]
    assert await ids(client) == []


async def test_an_address_asked_for_beyond_the_quota_is_403_and_stays_free(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.quota(database, 1)
    await make.floating_ip(client)
    (held,) = (await client.get("/os-floating-ips")).json()["floating_ips"]
    wanted = "203.0.113.7" if held["ip"] != "203.0.113.7" else "203.0.113.8"

    refused = await ask(client, address=wanted)
    given = await ask(stranger, address=wanted)

    assert refused.status_code == 403
    assert told(given)["ip"] == wanted
    assert await make.breaches(database) == []


async def test_a_refused_address_leaks_no_quota(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.quota(database, 1)
    await ask(stranger, address="203.0.113.7")

    for _ in range(3):
        assert (await ask(client, address="203.0.113.7")).status_code == 409

    assert told(await ask(client, address="203.0.113.8"))
    assert await make.breaches(database) == []


async def test_reuse_and_an_address_mean_that_one_if_it_is_unassociated(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    for n in (1, 2, 3):
        await ask(client, address=f"203.0.113.{n}")
    await make.associate(client, 3, "11.0.0.1")

    reused = await claim(client, address="203.0.113.2")
    associated = await claim(client, address="203.0.113.3")
    without_its_tags = await claim(client, address="203.0.113.2", tags=["web"])
    new = await claim(client, address="203.0.113.4", tags=["web"])

    assert told(reused)["id"] == 2
    assert associated.status_code == without_its_tags.status_code == 409
    assert told(new)["id"] == 4
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"pool": "a b"}, 400),
        ({"pool": "third"}, 404),
        ({"pool": "third", "address": "203.0.113.1"}, 404),
        ({"address": "192.0.2.1"}, 404),
        ({"address": "203.0.113.1"}, 403),
        ({"pool": "empty"}, 403),
        ({}, 403),
    ],
)
async def test_with_everything_amiss_the_refusals_come_in_their_order(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
    members: dict[str, object],
    status: int,
) -> None:
    """The quota is full, .1 is taken, `empty` is empty: 400, 404, 403 stand first."""
    await make.pool(database)
    await make.pool(database, "198.51.100.9", "empty")
    await ask(stranger, pool="empty")
    await ask(stranger, address="203.0.113.1")
    await make.quota(database, 0)

    response = await ask(client, **members)

    assert response.status_code == status


async def test_sixteen_claimers_with_fixed_ips_have_sixteen_floating_ips(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Half of them were there: none is claimed twice, and none is left."""
    await make.pool(database, "203.0.113.0/27")
    await make.quota(database, 16)
    fixed_ips = [f"11.0.0.{n}" for n in range(1, 17)]
    await make.server(database, *fixed_ips)
    for _ in range(8):
        await make.floating_ip(client)

    responses = await asyncio.gather(*(claim(client, fixed_ip=ip) for ip in fixed_ips))

    claimed = [told(response) for response in responses]
    assert sorted(int(str(each["id"])) for each in claimed) == list(range(1, 17))
    assert [each["fixed_ip"] for each in claimed] == fixed_ips
    assert await make.breaches(database) == []


async def test_one_that_another_claimer_is_still_about_to_take_is_waited_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """There is no room for another: to pass it by would be a refusal too early."""
    await make.pool(database)
    await make.quota(database, 1)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client)

    async with connection(database) as other:
        undecided = other.transaction()
        await undecided.start()
        await other.execute("SELECT FROM addresses WHERE state = 'held' FOR UPDATE")
        claiming = asyncio.create_task(claim(client, fixed_ip="11.0.0.1"))
        await asyncio.sleep(0.2)
        answered_early = claiming.done()
        await undecided.rollback()

    assert not answered_early
    assert told(await claiming)["id"] == 1
    assert await make.breaches(database) == []


async def test_one_that_stays_locked_for_too_long_is_a_503_and_nothing_is_allocated(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.floating_ip(client)

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses WHERE state = 'held' FOR UPDATE")
        # A task of its own: `databases` lends one connection to each task.
        response = await asyncio.create_task(claim(client))

    assert response.status_code == 503
    assert await ids(client) == [1]


async def test_claimers_of_the_last_one_without_a_fixed_ip_all_get_it(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """As they would one after the other: it stays unassociated."""
    await make.pool(database)
    await make.quota(database, 1)
    await make.floating_ip(client)

    responses = await asyncio.gather(*(claim(client) for _ in range(8)))

    assert [told(response)["id"] for response in responses] == [1] * 8
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(5))
async def test_two_claimers_of_one_get_it_once(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    await make.quota(database, 1)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client)

    responses = await asyncio.gather(
        claim(client, fixed_ip="11.0.0.1"), claim(client, fixed_ip="11.0.0.2")
    )

    assert Counter(r.status_code for r in responses) == {200: 1, 403: 1}
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(5))
async def test_a_claim_against_a_release_gets_it_before_or_a_new_one_after(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    await make.quota(database, 1)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client)

    claimed, released = await asyncio.gather(
        claim(client, fixed_ip="11.0.0.1"), client.delete(ONE)
    )

    assert released.status_code == 202
    won = told(claimed)["id"]
    assert await ids(client) == ([] if won == 1 else [won])
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(5))
async def test_a_claim_against_an_association_leaves_each_with_what_it_was_told(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client)

    claimed, associated = await asyncio.gather(
        claim(client, fixed_ip="11.0.0.1"), make.associate(client, 1, "11.0.0.2")
    )

    assert associated.status_code == 202
    assert told(await client.get(ONE))["fixed_ip"] == "11.0.0.2"
    won = told(claimed)["id"]
    # Where the claim was first, its floating IP was moved away behind it.
    revision = (await client.get(ONE)).headers["ETag"]
    assert revision == ('"3"' if won == 1 else '"2"')
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(5))
async def test_a_claim_against_a_change_of_attributes_comes_before_or_after_it(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database)
    await make.quota(database, 1)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client)
    await tag(client, 1, "web")

    claimed, changed = await asyncio.gather(
        claim(client, fixed_ip="11.0.0.1", tags=["web"]), tag(client, 1)
    )

    assert changed.status_code == 200
    if changed.headers["ETag"] == '"4"':
        assert told(claimed)["id"] == 1
    else:
        assert claimed.status_code == 403
    assert await make.breaches(database) == []


LOOKING = """
SELECT FROM pg_stat_activity
 WHERE state = 'active' AND query LIKE '%FOR UPDATE OF a SKIP LOCKED%'
   AND pid <> pg_backend_pid()
"""

MANY_WITHOUT_TAGS = """
INSERT INTO addresses (address, pool_id, state, floating_ip_id, floating_ip_uuid,
                       project_id, revision)
SELECT inet '10.0.0.0' + n, 1, 'held', nextval('floating_ip_ids'),
       gen_random_uuid(), 'demo', 1
  FROM generate_series(1, 20000) AS n
"""


async def test_tags_that_went_between_the_look_and_the_lock_are_missed(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """The look takes a while; meanwhile the one that it will find loses its tag."""
    await make.pool(database, "203.0.113.0/29")
    await make.execute(database, MANY_WITHOUT_TAGS)
    await make.quota(database, -1)

    async with connection(database) as other:
        # Tasks of their own: `databases` lends one connection to each. The first claim
        # finds none, and leaves the statement prepared: the second begins to look.
        made = await asyncio.create_task(claim(client, tags=["web"]))
        floating_ip = told(made)
        claiming = asyncio.create_task(claim(client, tags=["web"]))
        while not (claiming.done() or await other.fetch(LOOKING)):
            pass
        await other.execute("DELETE FROM floating_ip_tags")

    claimed = told(await claiming)["id"]
    assert claimed != floating_ip["id"]
    assert await tags(client, int(str(claimed))) == ["web"]


async def test_an_address_that_sixteen_ask_for_at_once_is_had_by_one(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    responses = await asyncio.gather(
        *(ask(client, address="203.0.113.7") for _ in range(8)),
        *(ask(stranger, address="203.0.113.7") for _ in range(8)),
    )

    assert Counter(r.status_code for r in responses) == {200: 1, 409: 15}
    assert await make.breaches(database) == []
