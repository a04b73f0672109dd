"""Lists of the network face: filters, order, members, pages in both directions."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from app.database import LedgerDatabase
from app.ledger import instances
from tests import make
from tests.test_network_floatingips import (
    created,
    network_id,
    port,
    refusal,
)

Json = dict[str, Any]
PATH = "/v2.0/floatingips"


async def listed(client: AsyncClient, path: str = PATH, **query: Any) -> Response:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response


async def ips(client: AsyncClient, **query: Any) -> list[str]:
    """Return the last parts of the addresses that are listed."""
    found = (await listed(client, **query)).json()["floatingips"]
    return [each["floating_ip_address"].rpartition(".")[2] for each in found]


async def some(client: AsyncClient, database: LedgerDatabase) -> dict[str, Json]:
    """Make floating IPs 1 to 6 in order: 2 and 4 associated, 5 and 6 of `blue`."""
    await make.pool(database, "203.0.113.0/28")
    await make.pool(database, "198.51.100.0/28", "blue")
    await make.server(database, "10.0.0.2", "10.0.0.4")
    made = {}
    for number in (1, 2, 3, 4, 5, 6):
        pool, start = ("blue", "198.51.100") if number > 4 else ("public", "203.0.113")
        members: Json = {
            "floating_network_id": pool,
            "floating_ip_address": f"{start}.{number}",
        }
        if number in (2, 4):
            members["port_id"] = (await port(client, f"10.0.0.{number}"))["id"]
        made[str(number)] = await created(client, **members)
    return made


async def test_floating_ips_are_listed_by_age(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    made = await some(client, database)

    whole = await listed(client)

    assert whole.json() == {"floatingips": list(made.values())}
    assert await ips(client, sort_key="created_at", sort_dir="desc") == list("654321")
    assert await ips(stranger) == []


async def test_each_filter_chooses(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    made = await some(client, database)
    blue = await network_id(client, "blue")

    assert await ips(client, status="ACTIVE") == ["2", "4"]
    assert await ips(client, status="DOWN") == ["1", "3", "5", "6"]
    assert await ips(client, status=["DOWN", "ACTIVE"]) == list("123456")
    assert await ips(client, status="ERROR") == []
    assert await ips(client, floating_network_id=blue) == ["5", "6"]
    assert await ips(client, floating_network_id=[blue, str(uuid4())]) == ["5", "6"]
    assert await ips(client, floating_network_id=blue, status="ACTIVE") == []
    assert await ips(client, floating_network_id="no id") == []
    assert await ips(client, id=[made["3"]["id"], made["1"]["id"]]) == ["1", "3"]
    assert await ips(client, id=made["3"]["id"], status="ACTIVE") == []
    assert await ips(client, floating_ip_address="203.0.113.3") == ["3"]
    assert await ips(client, floating_ip_address="203.0.113.9") == []
    assert await ips(client, fixed_ip_address=["10.0.0.4", "10.0.0.2"]) == ["2", "4"]
    assert await ips(client, port_id=made["4"]["port_id"]) == ["4"]
    assert await ips(client, router_id=str(uuid4())) == []
    assert await ips(client, project_id="demo") == list("123456")
    assert await ips(client, tenant_id="other") == []


async def test_filters_are_for_tags_as_well(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    made = await some(client, database)
    for number, tags in {"1": ["a"], "2": ["a", "b"], "5": ["b", "c"]}.items():
        path = f"{PATH}/{made[number]['id']}/tags"
        await client.put(path, json={"tags": tags})
    blue = await network_id(client, "blue")

    assert await ips(client, tags="a") == ["1", "2"]
    assert await ips(client, tags="a,b") == ["2"]
    assert await ips(client, **{"tags-any": "a,c"}) == ["1", "2", "5"]
    assert await ips(client, tags="b", **{"tags-any": "a,c"}) == ["2", "5"]
    assert await ips(client, tags="a", status="ACTIVE") == ["2"]
    assert await ips(client, tags="b", floating_network_id=blue) == ["5"]
    assert await ips(client, tags="a", id=made["2"]["id"]) == ["2"]
    assert await ips(client, **{"tags-any": "a,b"}, limit=2) == ["1", "2"]


@pytest.mark.parametrize(
    "query",
    [
        {"description": "the shop"},
        {"not-tags": "a"},
        {"not-tags-any": "a"},
        {"revision_number": "3"},
        {"dns_name": "www"},
        {"nonsense": "1"},
        {"port_id": ""},
        {"floating_ip_address": "web"},
        {"sort_key": "status"},
        {"sort_key": "created_at", "sort_dir": "up"},
        {"sort_key": ["created_at"], "sort_dir": ["asc", "asc"]},
        {"limit": "-1"},
        {"limit": "many"},
        {"marker": "web"},
        {"marker": str(uuid4())},
        {"page_reverse": "perhaps"},
    ],
)
async def test_what_has_no_index_or_no_meaning_is_refused(
    client: AsyncClient, database: LedgerDatabase, query: Json
) -> None:
    response = await client.get(PATH, params=query)

    assert refusal(response) == (400, "InvalidInput")


async def test_fields_choose_members(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    floatingip = await created(client)
    wanted = {"id": floatingip["id"], "status": "DOWN"}

    many = await listed(client, fields=["id", "status", "nonsense"])
    one = await listed(client, f"{PATH}/{floatingip['id']}", fields="id,status")

    assert many.json() == {"floatingips": [wanted]}
    assert one.json() == {"floatingip": wanted}


@pytest.mark.parametrize("extra", [{}, {"status": "DOWN"}, {"tags": "all"}])
@pytest.mark.parametrize("sort_dir", ["asc", "desc"])
async def test_pages_lead_there_and_back(
    client: AsyncClient, database: LedgerDatabase, extra: Json, sort_dir: str
) -> None:
    await make.pool(database)
    for number in range(1, 6):
        await created(client, floating_ip_address=f"203.0.113.{number}", tags=["all"])
    order = {"sort_key": "created_at", "sort_dir": sort_dir}

    there, back = [], []
    page = (await listed(client, limit=2, **order, **extra)).json()
    while True:
        there.append(page)
        following = link(page, "next")
        if following is None:
            break
        page = (await client.get(following)).json()
    while (previous := link(page, "previous")) is not None:
        page = (await client.get(previous)).json()
        back.append(page)

    expected = [["1", "2"], ["3", "4"], ["5"]]
    if sort_dir == "desc":
        expected = [["5", "4"], ["3", "2"], ["1"]]
    assert [numbers(page) for page in there] == expected
    assert [numbers(page) for page in back] == expected[1::-1]


def link(page: Json, rel: str) -> str | None:
    links = page.get("floatingips_links", ())
    return next((each["href"] for each in links if each["rel"] == rel), None)


def numbers(page: Json) -> list[str]:
    return [
        each["floating_ip_address"].rpartition(".")[2] for each in page["floatingips"]
    ]


async def test_page_reverse_without_a_marker_is_the_last_page(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await some(client, database)

    assert await ips(client, limit=2, page_reverse=True) == ["5", "6"]


async def test_no_limit_and_0_are_a_page_of_1000(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "198.18.0.0/21")
    await make.quota(database, -1)
    for _ in range(11):
        await client.post(
            "/os-floating-ips/batch", json={"allocate_addresses": {"count": 100}}
        )
    held = len((await client.get("/os-floating-ips")).json()["floating_ips"])
    assert held == 1000

    whole = (await listed(client)).json()
    zero = (await listed(client, limit=0)).json()

    assert len(whole["floatingips"]) == len(zero["floatingips"]) == 1000
    assert link(whole, "next") is not None


async def test_links_keep_the_root_and_the_query_of_the_request(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await some(client, database)

    page = await listed(client, "/networking" + PATH, limit=1, fields=["id"])

    following = link(page.json(), "next")
    assert following == (
        "http://floating-ips/networking/v2.0/floatingips?limit=1&fields=id"
        f"&marker={page.json()['floatingips'][0]['id']}"
    )


async def test_ports_are_the_fixed_ips_of_servers(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.server(database, "10.0.0.3", "10.0.0.4")
    await make.server(database, "10.0.0.5", name="db")
    servers = (await client.get("/v2.1/servers/detail")).json()["servers"]
    web = next(each for each in servers if each["name"] == "web")
    shown = {each["addr"]: each for each in web["addresses"]["private"]}

    found = (await listed(client, "/v2.0/ports", device_id=web["id"])).json()["ports"]

    assert sorted(each["fixed_ips"][0]["ip_address"] for each in found) == [
        "10.0.0.3",
        "10.0.0.4",
    ]
    for each in found:
        address = each["fixed_ips"][0]["ip_address"]
        assert each["mac_address"] == shown[address]["OS-EXT-IPS-MAC:mac_addr"]
        assert each["device_owner"] == "compute:nova"
        assert each["network_id"] == instances.NETWORK_UUID
        one = await listed(client, f"/v2.0/ports/{each['id']}")
        assert one.json() == {"port": each}
    assert (await listed(stranger, "/v2.0/ports")).json() == {"ports": []}
    foreign = await stranger.get(f"/v2.0/ports/{found[0]['id']}")
    assert refusal(foreign) == (404, "PortNotFound")


async def test_ports_have_filters_and_pages(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.server(database, *(f"10.0.0.{number}" for number in range(1, 6)))

    async def count(**query: Any) -> int:
        return len((await listed(client, "/v2.0/ports", **query)).json()["ports"])

    assert await count() == 5
    assert await count(fixed_ips="ip_address=10.0.0.3") == 1
    assert await count(fixed_ips=f"subnet_id={instances.SUBNET_UUID}") == 5
    assert await count(fixed_ips=f"subnet_id={uuid4()}") == 0
    assert await count(device_owner="compute:nova", admin_state_up="true") == 5
    assert await count(name="web") == 0
    assert await count(status="DOWN") == 0
    assert await count(device_id=str(uuid4())) == 0
    assert await count(project_id="other") == 0
    first = (await listed(client, "/v2.0/ports", limit=3)).json()
    ids = [each["id"] for each in first["ports"]]
    assert ids == sorted(ids)
    (following,) = first["ports_links"]
    assert len((await client.get(following["href"])).json()["ports"]) == 2
    down = (await listed(client, "/v2.0/ports", sort_key="id", sort_dir="desc")).json()
    all_ids = [each["id"] for each in down["ports"]]
    assert all_ids == sorted(all_ids, reverse=True)
    by_mac = await client.get("/v2.0/ports", params={"mac_address": "fa:16:3e:0:0:0"})
    assert refusal(by_mac) == (400, "InvalidInput")
    strange = await client.get("/v2.0/ports", params={"fixed_ips": "10.0.0.3"})
    assert refusal(strange) == (400, "InvalidInput")


async def test_networks_are_the_pools_and_that_of_the_servers(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await make.pool(database, "198.51.100.0/28", "blue")

    async def names(**query: Any) -> list[str]:
        found = (await listed(client, "/v2.0/networks", **query)).json()["networks"]
        return [each["name"] for each in found]

    assert await names() == ["private", "blue", "public"]
    assert await names(**{"router:external": "True"}) == ["blue", "public"]
    assert await names(**{"router:external": "false"}) == ["private"]
    assert await names(name=["public", "private"]) == ["private", "public"]
    assert await names(sort_key="name", sort_dir="desc") == [
        "public",
        "private",
        "blue",
    ]
    assert await names(limit=1) == ["private"]
    assert await names(limit=1, page_reverse="True") == ["public"]
    external = await network_id(client)
    assert await names(marker=external) == []
    shown = (await listed(client, f"/v2.0/networks/{external}")).json()["network"]
    assert shown["router:external"] is True
    assert (shown["status"], shown["admin_state_up"]) == ("ACTIVE", True)
    unknown = await client.get("/v2.0/networks", params={"mtu": "1500"})
    assert refusal(unknown) == (400, "InvalidInput")
    by_name = await client.get("/v2.0/networks/public")
    assert refusal(by_name) == (404, "NetworkNotFound")


async def test_subnets_are_where_a_pools_addresses_lie(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await make.pool(database, "203.0.113.64/28")
    await make.pool(database, "2001:db8::/124")

    found = (await listed(client, "/v2.0/subnets", name="public")).json()["subnets"]
    pools = (await listed(client, "/v2.0/floatingip_pools")).json()["floatingip_pools"]
    private = (await listed(client, f"/v2.0/subnets/{instances.SUBNET_UUID}")).json()

    assert [(each["cidr"], each["ip_version"]) for each in found] == [
        ("203.0.113.0/25", 4),
        ("2001:db8::/124", 6),
    ]
    assert pools == [
        {
            "subnet_id": each["id"],
            "subnet_name": "public",
            "network_id": await network_id(client),
            "cidr": each["cidr"],
            "project_id": "",
            "tenant_id": "",
        }
        for each in found
    ]
    assert private["subnet"]["cidr"] == "10.0.0.0/16"
    assert private["subnet"]["gateway_ip"] == "10.0.0.0"
    assert private["subnet"]["allocation_pools"] == [
        {"start": "10.0.0.1", "end": "10.0.255.254"}
    ]
    lost = await client.get(f"/v2.0/subnets/{uuid4()}")
    assert refusal(lost) == (404, "SubnetNotFound")


async def test_there_are_no_routers(client: AsyncClient) -> None:
    assert (await listed(client, "/v2.0/routers")).json() == {"routers": []}


async def test_no_filter_finds_anything_of_another_project(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    made = (await some(client, database))["2"]
    tags = f"{PATH}/{made['id']}/tags"
    await client.put(tags, json={"tags": ["web"]})
    filters = {
        "id": made["id"],
        "floating_ip_address": made["floating_ip_address"],
        "fixed_ip_address": made["fixed_ip_address"],
        "port_id": made["port_id"],
        "floating_network_id": made["floating_network_id"],
        "status": "ACTIVE",
        "project_id": "demo",
        "tags": "web",
        "tags-any": "web",
    }

    for name, value in filters.items():
        assert await ips(client, **{name: value}) != [], name
        assert await ips(stranger, **{name: value}) == [], name
    foreign = await stranger.get(PATH, params={"marker": made["id"]})
    assert refusal(foreign) == (400, "InvalidInput")
    for name in ("id", "device_id"):
        value = made["port_id"] if name == "id" else made["port_details"]["device_id"]
        found = await listed(stranger, "/v2.0/ports", **{name: value})
        assert found.json() == {"ports": []}
