import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient

from app.auth import Caller, Role
from app.database import LedgerDatabase, transaction
from app.ledger import allocation
from tests import make

BULK = "/os-floating-ips-bulk"


def adding(ip_range: object, **members: object) -> dict[str, object]:
    return {"floating_ips_bulk_create": {"ip_range": ip_range, **members}}


async def addresses(admin: AsyncClient) -> list[str]:
    listed = (await admin.get(BULK)).json()["floating_ip_info"]
    return [each["address"] for each in listed]


async def test_a_networks_hosts_are_added_without_network_and_broadcast(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    response = await admin.post(BULK, json=adding("203.0.113.0/29"))

    assert response.status_code == 200
    assert response.json() == {
        "floating_ips_bulk_create": {
            "ip_range": "203.0.113.0/29",
            "pool": "public",
            "interface": "eth0",
        }
    }
    assert await addresses(admin) == [f"203.0.113.{n}" for n in range(1, 7)]


async def test_of_an_ipv6_network_only_the_anycast_address_is_left_out(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await admin.post(BULK, json=adding("2001:db8::/126", pool="six"))

    assert await addresses(admin) == ["2001:db8::1", "2001:db8::2", "2001:db8::3"]


async def test_both_families_are_listed_page_by_page(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    for ip_range in ("203.0.113.7", "2001:db8::7"):
        await admin.post(BULK, json=adding(ip_range))

    first = await admin.get(f"{BULK}?limit=1")
    second = await admin.get(first.links["next"]["url"])

    assert first.json()["floating_ip_info"][0]["address"] == "203.0.113.7"
    assert second.json()["floating_ip_info"][0]["address"] == "2001:db8::7"
    assert "Link" not in second.headers


async def test_the_list_tells_who_has_what_in_both_types(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")

    as_json = (await admin.get(BULK)).json()["floating_ip_info"][0]
    as_xml = (await admin.get(f"{BULK}.xml")).text

    assert as_json.pop("instance_uuid") in as_xml
    assert as_json == {
        "address": "203.0.113.7",
        "pool": "public",
        "interface": "eth0",
        "project_id": "demo",
        "fixed_ip": "11.0.0.1",
    }
    assert "<floating_ip_info><item><address>203.0.113.7</address>" in as_xml


async def test_adding_in_xml(admin: AsyncClient, database: LedgerDatabase) -> None:
    body = (
        "<floating_ips_bulk_create><ip_range>203.0.113.7</ip_range>"
        "<pool>new</pool></floating_ips_bulk_create>"
    )

    await admin.post(BULK, content=body, headers={"Content-Type": "application/xml"})
    pools = await admin.get("/os-floating-ip-pools.xml")

    assert pools.text.split("\n", 1)[1] == (
        "<floating_ip_pools><floating_ip_pool><name>new</name></floating_ip_pool>"
        "</floating_ip_pools>"
    )


async def test_a_range_that_overlaps_a_pool_is_409_and_nothing_is_added(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.5", name="other")

    response = await admin.post(BULK, json=adding("203.0.113.0/29"))

    assert response.status_code == 409
    assert "203.0.113.5 " in response.json()["conflictingRequest"]["message"]
    assert await addresses(admin) == ["203.0.113.5"]


async def test_the_same_range_added_twice_at_once_is_there_once(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    responses = await asyncio.gather(
        *(admin.post(BULK, json=adding("203.0.113.0/28")) for _ in range(4)),
        *(admin.post(BULK, json=adding("203.0.113.0/28", pool="b")) for _ in range(4)),
    )

    assert Counter(r.status_code for r in responses) == {200: 1, 409: 7}
    assert len(await addresses(admin)) == 14


async def test_65534_addresses_are_added_at_once_and_no_more(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    most = await admin.post(BULK, json=adding("10.8.0.0/16"))
    more = await admin.post(BULK, json=adding("10.16.0.0/15"))

    assert (most.status_code, more.status_code) == (200, 400)


@pytest.mark.parametrize(
    "ip_range",
    [
        "203.0.113.1/29",
        "203.0.113.0/31",
        "203.0.113.7/32",
        "203.0.113.0/33",
        "203.0.113.0/255.255.255.0",
        "203.0.113.0/ 29",
        "203.0.113.0/",
        "203.0.113.256",
        "0.0.0.0/0",
        "::/0",
        "::ffff:203.0.113.7",
        "::ffff:203.0.113.0/120",
        "fe80::1%eth0",
        "fe80::%eth0/64",
        "",
        " 203.0.113.7",
        "null",
        "\u0661.1.1.1",
        7,
        None,
        ["203.0.113.7"],
    ],
)
async def test_ranges_out_of_rule_are_400(
    admin: AsyncClient, database: LedgerDatabase, ip_range: object
) -> None:
    added = await admin.post(BULK, json=adding(ip_range))
    removed = await admin.put(f"{BULK}/delete", json={"ip_range": ip_range})

    assert (added.status_code, removed.status_code) == (400, 400)
    assert "ip_range" in added.json()["badRequest"]["message"]
    assert await addresses(admin) == []


@pytest.mark.parametrize("pool", ["null", "", "a b", "x" * 65, "p\u00e9", "a/b", 7])
async def test_pool_names_out_of_rule_are_400(
    admin: AsyncClient, database: LedgerDatabase, pool: object
) -> None:
    response = await admin.post(BULK, json=adding("203.0.113.7", pool=pool))

    assert response.status_code == 400
    assert "pool" in response.json()["badRequest"]["message"]


async def test_taking_out_a_range(admin: AsyncClient, database: LedgerDatabase) -> None:
    await make.pool(database, "203.0.113.0/28")

    response = await admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.0/29"})

    assert response.json() == {"floating_ips_bulk_delete": "203.0.113.0/29"}
    assert await addresses(admin) == [f"203.0.113.{n}" for n in range(7, 15)]


async def test_taking_out_in_xml(admin: AsyncClient, database: LedgerDatabase) -> None:
    await make.pool(database, "203.0.113.7")

    response = await admin.put(
        f"{BULK}/delete.xml",
        content="<ip_range>203.0.113.7</ip_range>",
        headers={"Content-Type": "application/xml"},
    )

    assert response.text.split("\n", 1)[1] == (
        "<floating_ips_bulk_delete>203.0.113.7</floating_ips_bulk_delete>"
    )


async def test_a_held_address_stays_and_so_do_its_neighbours(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/29")
    await make.floating_ip(client)

    response = await admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.0/29"})

    assert response.status_code == 409
    assert len(await addresses(admin)) == 6


@pytest.mark.parametrize("rounds", range(10))
async def test_taking_out_against_allocation_loses_no_floating_ip(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database, "203.0.113.7")

    allocated, removed = await asyncio.gather(
        client.post("/os-floating-ips"),
        admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.7"}),
    )

    assert (allocated.status_code, removed.status_code) in {(200, 409), (404, 200)}
    assert await make.breaches(database) == []


async def test_a_range_that_is_being_allocated_from_is_waited_for_and_stays_whole(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.1")
    eve = Caller("eve", "other", Role.MEMBER, "req-1")

    async with transaction(database) as other:
        await allocation.allocate(other, eve, "public", 10)
        # Tasks of their own: `databases` lends one connection to each.
        await asyncio.create_task(make.pool(database, "203.0.113.2"))
        removing = asyncio.create_task(
            admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.0/29"})
        )
        await make.somebody_waits(database)

    assert (await removing).status_code == 409
    assert await addresses(admin) == ["203.0.113.1", "203.0.113.2"]
    assert await make.breaches(database) == []


async def test_an_address_that_came_and_was_allocated_meanwhile_is_not_taken_out(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.1")

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses FOR UPDATE")
        removing = asyncio.create_task(
            admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.0/29"})
        )
        await asyncio.sleep(0.2)
        # Tasks of their own: `databases` lends one connection to each.
        await asyncio.create_task(make.pool(database, "203.0.113.2"))
        held = await asyncio.create_task(make.floating_ip(client))

    assert (await removing).status_code == 200
    assert await addresses(admin) == ["203.0.113.2"]
    assert (await client.get(f"/os-floating-ips/{held}")).status_code == 200
    assert await make.breaches(database) == []


async def test_the_quota_of_a_project_never_seen_is_the_default(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    response = await client.get("/os-quota-sets/demo")

    assert response.json() == {"quota_set": {"id": "demo", "floating_ips": 10}}


async def test_another_projects_quota_is_403_and_an_admin_sees_it(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    assert (await client.get("/os-quota-sets/other")).status_code == 403
    assert (await admin.get("/os-quota-sets/other")).status_code == 200


async def test_a_quota_is_set_in_both_types(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    as_json = await admin.put(
        "/os-quota-sets/demo", json={"quota_set": {"floating_ips": 2}}
    )
    as_xml = await admin.put(
        "/os-quota-sets/demo.xml",
        content="<quota_set><floating_ips>3</floating_ips></quota_set>",
        headers={"Content-Type": "application/xml"},
    )

    assert as_json.json() == {"quota_set": {"id": "demo", "floating_ips": 2}}
    assert as_xml.text.endswith(
        "<quota_set><id>demo</id><floating_ips>3</floating_ips></quota_set>"
    )
    shown = await client.get("/os-quota-sets/demo")
    assert shown.json()["quota_set"]["floating_ips"] == 3


async def test_a_quota_below_use_takes_nothing_away_and_allows_nothing(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    ids = [await make.floating_ip(client) for _ in range(3)]

    await make.quota(database, 1)
    refused = await client.post("/os-floating-ips")
    await client.delete(f"/os-floating-ips/{ids[0]}")
    still_refused = await client.post("/os-floating-ips")

    assert refused.status_code == still_refused.status_code == 403
    assert len((await client.get("/os-floating-ips")).json()["floating_ips"]) == 2
    assert await make.breaches(database) == []


async def test_minus_one_is_no_limit(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.quota(database, -1)

    for _ in range(12):
        await make.floating_ip(client)


@pytest.mark.parametrize("value", [-2, 2**31, 1.5, "5", None, True, [], {}])
async def test_quotas_out_of_rule_are_400(
    admin: AsyncClient, database: LedgerDatabase, value: object
) -> None:
    response = await admin.put(
        "/os-quota-sets/demo", json={"quota_set": {"floating_ips": value}}
    )

    assert response.status_code == 400
    assert "quota_set.floating_ips" in response.json()["badRequest"]["message"]


async def test_a_refused_allocation_gives_its_quota_back(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.floating_ip(client)

    for _ in range(12):
        assert (await client.post("/os-floating-ips")).status_code == 404

    await make.pool(database, "198.51.100.0/28", name="second")
    for _ in range(9):
        response = await client.post("/os-floating-ips", json={"pool": "second"})
        assert response.status_code == 200
