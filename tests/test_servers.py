import asyncio
from collections import Counter
from ipaddress import IPv4Address, IPv4Network

import httpx
import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from app.database import LedgerDatabase
from app.main import wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client

SERVER_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<server><id>1</id><name>web</name><status>ACTIVE</status><addresses>"
    "<private><address><version>4</version><addr>11.0.0.1</addr></address></private>"
    "<public><address><version>4</version><addr>203.0.113.7</addr></address></public>"
    "</addresses></server>"
)


async def test_an_admin_registers_with_fixed_ips_of_both_families(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    response = await admin.post(
        "/servers",
        json={"server": {"name": "web", "fixed_ips": ["2001:DB8::1", "11.0.0.1"]}},
    )

    assert response.status_code == 200
    assert response.json() == {
        "server": {
            "id": 1,
            "name": "web",
            "status": "ACTIVE",
            "addresses": {
                "private": [
                    {"version": 4, "addr": "11.0.0.1"},
                    {"version": 6, "addr": "2001:db8::1"},
                ],
                "public": [],
            },
        }
    }
    assert (await admin.get("/servers/1")).json() == response.json()


async def test_registering_in_xml(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    body = (
        "<server><name>web</name><fixed_ips><fixed_ip>11.0.0.1</fixed_ip></fixed_ips>"
        "</server>"
    )

    await admin.post(
        "/servers", content=body, headers={"Content-Type": "application/xml"}
    )
    await make.floating_ip(client, "11.0.0.1")

    assert (await client.get("/servers/1.xml")).text == SERVER_XML


async def test_a_members_server_gets_an_address_of_the_fixed_range(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    response = await client.post("/servers", json={"server": {"name": "web"}})

    (private,) = response.json()["server"]["addresses"]["private"]
    assert IPv4Address(private["addr"]) in IPv4Network("10.0.0.0/16")


@pytest.mark.parametrize(
    ("member", "value"), [("fixed_ips", ["11.0.0.1"]), ("project_id", "other")]
)
async def test_what_is_the_admins_is_403_for_a_member(
    client: AsyncClient, database: LedgerDatabase, member: str, value: object
) -> None:
    response = await client.post(
        "/servers", json={"server": {"name": "web", member: value}}
    )

    assert response.status_code == 403
    assert f"server.{member}" in response.json()["forbidden"]["message"]


async def test_an_admin_registers_for_another_project(
    admin: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    response = await admin.post(
        "/servers", json={"server": {"name": "web", "project_id": "other"}}
    )

    server_id = response.json()["server"]["id"]
    assert (await stranger.get(f"/servers/{server_id}")).status_code == 200
    assert (await admin.get(f"/servers/{server_id}")).status_code == 404


async def test_a_fixed_ip_in_use_is_409_and_leaves_no_server(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.server(database, "11.0.0.2")

    response = await admin.post(
        "/servers",
        json={"server": {"name": "x", "fixed_ips": ["11.0.0.1", "11.0.0.2"]}},
    )

    assert response.status_code == 409
    assert "'11.0.0.2'" in response.json()["conflictingRequest"]["message"]
    assert len((await admin.get("/servers")).json()["servers"]) == 1


async def test_two_projects_may_have_the_same_fixed_ip(
    database: LedgerDatabase, client: AsyncClient, stranger: AsyncClient
) -> None:
    await make.pool(database)
    mine = await make.server(database, "11.0.0.1")
    theirs = await make.server(database, "11.0.0.1", project_id="other")

    await make.floating_ip(client, "11.0.0.1")

    public = "addresses", "public"
    my_server = (await client.get(f"/servers/{mine}")).json()["server"]
    their_server = (await stranger.get(f"/servers/{theirs}")).json()["server"]
    assert len(my_server[public[0]][public[1]]) == 1
    assert their_server[public[0]][public[1]] == []


async def test_one_registration_gets_a_fixed_ip_of_many_at_once(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    body = {"server": {"name": "web", "fixed_ips": ["11.0.0.1"]}}

    responses = await asyncio.gather(
        *(admin.post("/servers", json=body) for _ in range(8))
    )

    assert Counter(r.status_code for r in responses) == {200: 1, 409: 7}


async def test_the_fixed_range_is_given_out_to_its_last_address(
    settings: Settings, database: LedgerDatabase, api: FastAPI
) -> None:
    small = {"fixed_range": IPv4Network("10.1.0.0/28")}
    api.state.settings = settings.model_copy(update=small)
    async with make_client(wrap(api), "joe:demo") as client:
        responses = await asyncio.gather(
            *(
                client.post("/servers", json={"server": {"name": f"s{n}"}})
                for n in range(16)
            )
        )

    assert Counter(r.status_code for r in responses) == {200: 14, 409: 2}
    given = [_private(r) for r in responses if r.status_code == 200]
    assert sorted(given) == [IPv4Address("10.1.0.0") + n for n in range(1, 15)]


def _private(response: httpx.Response) -> IPv4Address:
    (address,) = response.json()["server"]["addresses"]["private"]
    return IPv4Address(address["addr"])


async def test_removal_disassociates_and_the_project_keeps_the_floating_ip(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1")
    floating_ip_id = await make.floating_ip(client, "11.0.0.1")

    response = await client.delete(f"/servers/{server_id}")

    assert (response.status_code, response.content) == (202, b"")
    kept = (await client.get(f"/os-floating-ips/{floating_ip_id}")).json()
    assert kept["floating_ip"]["fixed_ip"] is None
    assert kept["floating_ip"]["instance_id"] is None
    assert (await client.delete(f"/servers/{server_id}")).status_code == 404
    assert await make.breaches(database) == []


@pytest.mark.parametrize(
    "server",
    [
        {},
        {"name": ""},
        {"name": "x" * 256},
        {"name": "null"},
        {"name": " web"},
        {"name": "web "},
        {"name": " "},
        {"name": "a\u0000b"},
        {"name": "a\nb"},
        {"name": 7},
        {"name": None},
        {"name": "web", "image": "x"},
        {"name": "web", "fixed_ips": []},
        {"name": "web", "fixed_ips": ["11.0.0.1", "11.0.0.1"]},
        {"name": "web", "fixed_ips": ["2001:db8::1", "2001:db8:0::1"]},
        {"name": "web", "fixed_ips": ["11.0.0.1/32"]},
        {"name": "web", "fixed_ips": ["::ffff:11.0.0.1"]},
        {"name": "web", "fixed_ips": ["fe80::1%eth0"]},
        {"name": "web", "fixed_ips": [184549377]},
        {"name": "web", "fixed_ips": "11.0.0.1"},
        {"name": "web", "project_id": "a b"},
        {"name": "web", "project_id": ""},
        "web",
        None,
    ],
)
async def test_servers_out_of_rule_are_400_and_none_is_registered(
    admin: AsyncClient, database: LedgerDatabase, server: object
) -> None:
    response = await admin.post("/servers", json={"server": server})

    assert response.status_code == 400
    assert "server" in response.json()["badRequest"]["message"]
    assert (await admin.get("/servers")).json() == {"servers": []}


async def test_a_lone_surrogate_in_a_name_is_400(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    response = await admin.post(
        "/servers",
        content=b'{"server": {"name": "a\\ud800b"}}',
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 400
