"""Servers of the compute face: registered as Nova's clients ask, and never booted."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from app.database import LedgerDatabase
from app.faces.compute.server_filters import like
from app.main import wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client

PATH = "/v2.1/servers"
ASKED: dict[str, Any] = {"name": "web", "imageRef": "cirros", "flavorRef": "small"}


async def created(client: AsyncClient, **members: object) -> str:
    response = await client.post(PATH, json={"server": {**ASKED, **members}})
    assert response.status_code == 202, response.text
    server_id: str = response.json()["server"]["id"]
    return server_id


async def shown(client: AsyncClient, server_id: str) -> dict[str, Any]:
    response = await client.get(f"{PATH}/{server_id}")
    assert response.status_code == 200
    server: dict[str, Any] = response.json()["server"]
    return server


async def names(client: AsyncClient, **query: str) -> list[str]:
    response = await client.get(PATH, params=query)
    assert response.status_code == 200, response.text
    return [each["name"] for each in response.json()["servers"]]


async def test_the_least_that_a_member_can_send_is_active_at_once(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    before = datetime.now(UTC)

    response = await client.post(PATH, json={"server": ASKED})

    assert response.status_code == 202
    made = response.json()["server"]
    own = f"http://floating-ips/v2.1/servers/{made['id']}"
    bookmark = f"http://floating-ips/servers/{made['id']}"
    links = [{"rel": "self", "href": own}, {"rel": "bookmark", "href": bookmark}]
    assert made["links"] == links
    assert response.headers["Location"] == own
    server = await shown(client, made["id"])
    (address,) = server.pop("addresses")["private"]
    assert address["addr"].startswith("10.0.")
    age = before - datetime.fromisoformat(server.pop("created"))
    assert abs(age) < timedelta(seconds=60)
    server.pop("updated")
    image = "http://floating-ips/images/cirros"
    flavor = "http://floating-ips/flavors/small"
    assert server == {
        "id": made["id"],
        "name": "web",
        "status": "ACTIVE",
        "tenant_id": "demo",
        "user_id": "joe",
        "hostId": "",
        "metadata": {},
        "links": links,
        "image": {"id": "cirros", "links": [{"rel": "bookmark", "href": image}]},
        "flavor": {"id": "small", "links": [{"rel": "bookmark", "href": flavor}]},
    }


async def test_all_that_is_kept_is_shown(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    asked = {
        "name": "web 1",
        "imageRef": "http://glance/images/1 2",
        "flavorRef": 42,
        "metadata": {"role": "wéb\n", "a-b_c:d.e f": ""},
        "networks": [{"uuid": "net-1"}, {"uuid": "net-2"}],
        "adminPass": "secret",
    }

    response = await client.post(PATH, json={"server": asked})

    assert response.json()["server"]["adminPass"] == "secret"
    server_id = response.json()["server"]["id"]
    server = await shown(client, server_id)
    assert server["image"]["id"] == "http://glance/images/1 2"
    assert server["flavor"]["id"] == "42"
    assert server["metadata"] == asked["metadata"]
    ports = await client.get(f"{PATH}/{server_id}/os-interface")
    (port,) = ports.json()["interfaceAttachments"]
    assert port["net_id"] == "net-1"


async def test_what_says_how_to_boot_means_nothing(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await created(
        client,
        key_name="joe",
        user_data="IyEvYmluL3No",
        security_groups=[{"name": "default"}],
        availability_zone="nova",
        config_drive=True,
        block_device_mapping_v2=[{"uuid": "x"}],
        min_count=1,
        max_count="1",
        return_reservation_id=False,
        networks="auto",
    )

    assert await names(client) == ["web"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"name": ""}, "server.name"),
        ({"name": " web"}, "server.name"),
        ({"name": "null"}, "server.name"),
        ({"name": None}, "server.name"),
        ({"name": "x" * 256}, "server.name"),
        ({"flavorRef": None}, "server.flavorRef"),
        ({"flavorRef": ""}, "server.flavorRef"),
        ({"flavorRef": True}, "server.flavorRef"),
        ({"flavorRef": "\x00"}, "server.flavorRef"),
        ({"imageRef": 5}, "server.imageRef"),
        ({"imageRef": "x" * 256}, "server.imageRef"),
        ({"metadata": {"a": 1}}, "server.metadata"),
        ({"metadata": {"a/b": "c"}}, "server.metadata"),
        ({"metadata": {"a": "\x00"}}, "server.metadata"),
        ({"metadata": {"a": "x" * 256}}, "server.metadata"),
        ({"metadata": {f"k{n}": "v" for n in range(129)}}, "server.metadata"),
        ({"metadata": []}, "server.metadata"),
        ({"networks": "some"}, "server.networks"),
        ({"networks": [5]}, "server.networks"),
        (
            {"networks": [{"port": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}]},
            "ports of its own",
        ),
        ({"networks": [{"uuid": "n", "fixed_ip": "web"}]}, "fixed_ip"),
        ({"min_count": 2}, "one by one"),
        ({"max_count": "3"}, "one by one"),
        ({"return_reservation_id": True}, "return_reservation_id"),
    ],
)
async def test_what_cannot_be_kept_or_given_is_400(
    client: AsyncClient, database: LedgerDatabase, members: dict[str, Any], says: str
) -> None:
    response = await client.post(PATH, json={"server": {**ASKED, **members}})

    assert response.status_code == 400
    assert says in response.json()["badRequest"]["message"]
    assert await names(client) == []


@pytest.mark.parametrize("missing", ["name", "flavorRef"])
async def test_a_server_needs_a_name_and_a_flavor(
    client: AsyncClient, database: LedgerDatabase, missing: str
) -> None:
    asked = {name: value for name, value in ASKED.items() if name != missing}

    response = await client.post(PATH, json={"server": asked})

    assert response.status_code == 400
    assert f"server.{missing}: is required" in response.text


async def test_an_admin_chooses_fixed_ips_and_a_member_does_not(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    asked = {"server": {**ASKED, "networks": [{"uuid": "n", "fixed_ip": "11.0.0.1"}]}}

    refused = await client.post(PATH, json=asked)
    first = await admin.post(PATH, json=asked)
    taken = await admin.post(PATH, json=asked)

    assert [each.status_code for each in (refused, first, taken)] == [403, 202, 409]
    server = await shown(client, first.json()["server"]["id"])
    assert [each["addr"] for each in server["addresses"]["private"]] == ["11.0.0.1"]


async def test_a_server_of_the_draft_is_shown_without_what_it_has_not(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.server(database, "2001:db8::1", "11.0.0.1")

    (server,) = (await client.get(f"{PATH}/detail")).json()["servers"]

    assert (server["image"], server["user_id"], server["metadata"]) == ("", "", {})
    assert server["flavor"]["id"] == "none"
    addresses = server["addresses"]["private"]
    assert [(a["version"], a["addr"]) for a in addresses] == [
        (4, "11.0.0.1"),
        (6, "2001:db8::1"),
    ]
    assert server == await shown(client, server["id"])


async def test_addresses_and_ports_of_a_server(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.2")
    (server,) = (await client.get(f"{PATH}/detail")).json()["servers"]

    ips = await client.get(f"{PATH}/{server['id']}/ips")
    one = await client.get(f"{PATH}/{server['id']}/ips/private")
    none = await client.get(f"{PATH}/{server['id']}/ips/public")
    ports = await client.get(f"{PATH}/{server['id']}/os-interface")

    plain = [
        {"version": 4, "addr": addr} for addr in ("11.0.0.1", "11.0.0.2", "203.0.113.7")
    ]
    assert ips.json() == {"addresses": {"private": plain}}
    assert one.json() == {"private": plain}
    assert none.status_code == 404
    interfaces = ports.json()["interfaceAttachments"]
    assert [each["fixed_ips"][0]["ip_address"] for each in interfaces] == [
        "11.0.0.1",
        "11.0.0.2",
    ]
    assert len({each["port_id"] for each in interfaces}) == 2
    again = await client.get(f"{PATH}/{server['id']}/os-interface")
    assert again.json() == ports.json()
    macs = [each["OS-EXT-IPS-MAC:mac_addr"] for each in server["addresses"]["private"]]
    first, second = (each["mac_addr"] for each in interfaces)
    assert macs == [first, second, second]
    assert first != second


async def test_delete_disassociates_and_leaves_404(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await created(client)
    (address,) = (await shown(client, server_id))["addresses"]["private"]
    await make.floating_ip(client, address["addr"])

    gone = await client.delete(f"{PATH}/{server_id}")
    again = await client.delete(f"{PATH}/{server_id}")

    assert (gone.status_code, again.status_code) == (204, 404)
    assert (await client.get(f"{PATH}/{server_id}")).status_code == 404
    (floating_ip,) = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    assert (floating_ip["fixed_ip"], floating_ip["instance_id"]) == (None, None)
    assert await make.breaches(database) == []


async def test_auto_association_is_of_servers_created_here_too(
    api: FastAPI, settings: Settings, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    api.state.settings = settings.model_copy(update={"auto_associate": True})

    async with make_client(wrap(api), "joe:demo") as client:
        server_id = await created(client)
        exhausted = await client.post(PATH, json={"server": ASKED})

        addresses = (await shown(client, server_id))["addresses"]["private"]
        assert addresses[1]["addr"] == "203.0.113.7"
        assert exhausted.status_code == 404
        assert await names(client) == ["web"]
        await client.delete(f"{PATH}/{server_id}")
        assert (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"] == []
    assert await make.breaches(database) == []


async def test_lists_begin_with_the_newest(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    for name in ("first", "second", "third"):
        await created(client, name=name)

    detail = (await client.get(f"{PATH}/detail")).json()["servers"]

    assert await names(client) == ["third", "second", "first"]
    assert [each["name"] for each in detail] == ["third", "second", "first"]


@pytest.mark.parametrize("path", ["servers", "servers/detail"])
async def test_pages_lead_from_one_to_the_next(
    client: AsyncClient, database: LedgerDatabase, path: str
) -> None:
    for n in range(5):
        await created(client, name=f"s{n}")
    seen = []

    url: str | None = f"/v2.1/demo/{path}?limit=2&name=s"
    while url:
        document = (await client.get(url)).json()
        seen.append([each["name"] for each in document["servers"]])
        url = next((link["href"] for link in document.get("servers_links", ())), None)

    assert seen == [["s4", "s3"], ["s2", "s1"], ["s0"]]


@pytest.mark.parametrize(
    ("limit", "count"), [("0", 0), ("1", 1), ("3", 3), ("00003", 3), ("9" * 30, 3)]
)
async def test_a_limit_is_any_whole_number(
    client: AsyncClient, database: LedgerDatabase, limit: str, count: int
) -> None:
    for n in range(3):
        await created(client, name=f"s{n}")

    assert len(await names(client, limit=limit)) == count


async def test_a_marker_without_a_limit_is_where_the_list_begins(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await created(client, name="first")
    second = await created(client, name="second")
    foreign = await created(stranger)

    assert await names(client, marker=second) == ["first"]
    for marker in (str(uuid4()), foreign, "1", ""):
        response = await client.get(PATH, params={"marker": marker})
        assert response.status_code == 400


@pytest.mark.parametrize("size", [1, 2, 3, 4])
async def test_a_long_list_is_whole(
    client: AsyncClient,
    database: LedgerDatabase,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    for n in range(3):
        await created(client, name=f"s{n}")
    monkeypatch.setattr("app.faces.compute.http.PAGE", size)
    monkeypatch.setattr("app.faces.compute.servers.PAGE", size)

    assert await names(client) == ["s2", "s1", "s0"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web", ["web-2", "web", "my web"]),
        ("^web", ["web-2", "web"]),
        ("web$", ["web", "my web"]),
        ("^web$", ["web"]),
        ("^web\\-2$", ["web-2"]),
        ("nobody", []),
        ("WEB", []),
        ("w.b", []),
        (".*", []),
        ("%", ["100%"]),
        ("_", ["a_b"]),
        ("\\$", ["$"]),
        ("$$", ["$"]),
        ("\\", []),
        ("", ["web-2", "$", "a_b", "100%", "web", "my web"]),
    ],
)
async def test_a_name_is_a_part_of_a_name(
    client: AsyncClient, database: LedgerDatabase, name: str, found: list[str]
) -> None:
    for each in ("my web", "web", "100%", "a_b", "$", "web-2"):
        await created(client, name=each)

    assert await names(client, name=name) == found


def test_the_pattern_of_like_is_quoted() -> None:
    assert like("a%b_c\\\\d") == r"%a\%b\_c\\d%"


@pytest.mark.parametrize(
    "query",
    [
        {"status": "ACTIVE"},
        {"status": "active"},
        {"deleted": "False"},
        {"all_tenants": "0"},
        {"all_tenants": "False"},
        {"project_id": "demo"},
        {"sort_key": "created_at", "sort_dir": "desc"},
        {"nobody": "knows"},
        {"ip": ""},
    ],
)
async def test_a_query_that_changes_nothing_is_taken(
    client: AsyncClient, database: LedgerDatabase, query: dict[str, str]
) -> None:
    await created(client)

    assert await names(client, **query) == ["web"]


async def test_no_server_is_anything_but_active(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await created(client)

    assert await names(client, status="ERROR") == []
    assert await names(client, status="ERROR", limit="1") == []


@pytest.mark.parametrize(
    "query",
    [
        {"all_tenants": "1"},
        {"all_tenants": "True"},
        {"all_projects": "yes"},
        {"deleted": "True"},
        {"project_id": "other"},
        {"ip": "10.0.0.3"},
        {"image": "cirros"},
        {"flavor": "small"},
        {"host": "here"},
        {"changes-since": "2026-01-01T00:00:00Z"},
        {"user_id": "joe"},
        {"sort_key": "display_name"},
        {"sort_dir": "asc"},
        {"limit": "-1"},
        {"limit": "x"},
        {"limit": "1.5"},
        {"limit": ""},
        {"name": "\x00"},
    ],
)
async def test_what_would_change_the_list_in_nova_is_refused(
    admin: AsyncClient, database: LedgerDatabase, query: dict[str, str]
) -> None:
    for path in (PATH, f"{PATH}/detail"):
        response = await admin.get(path, params=query)

        assert response.status_code == 400, query
        name = next(iter(query))
        assert response.json()["badRequest"]["message"].startswith(name)


@pytest.mark.parametrize(
    "id", ["1", "web", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "detail2", "%00"]
)
@pytest.mark.parametrize(
    ("method", "below"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/ips"),
        ("GET", "/ips/private"),
        ("GET", "/os-interface"),
    ],
)
async def test_an_id_that_is_none_is_404(
    client: AsyncClient, database: LedgerDatabase, method: str, below: str, id: str
) -> None:
    await created(client)

    response = await client.request(method, f"{PATH}/{id}{below}")

    assert response.status_code == 404


async def test_what_nova_can_and_we_cannot_is_405(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id = await created(client)

    for method, path in (
        ("PUT", f"{PATH}/{server_id}"),
        ("POST", f"{PATH}/{server_id}/os-interface"),
        ("PUT", PATH),
        ("PATCH", PATH),
        ("PUT", "/v2.1/os-floating-ips"),
        ("POST", "/v2/demo/limits"),
    ):
        response = await client.request(method, path, json={})
        assert response.status_code == 405, path
        assert "GET" in response.headers["Allow"]
