"""Floating IPs of the network face: create, show, update, delete, refusals."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from app.database import LedgerDatabase
from app.ledger import instances
from tests import make

Json = dict[str, Any]


async def network_id(client: AsyncClient, name: str = "public") -> str:
    listed = await client.get("/v2.0/networks", params={"name": name})
    (found,) = listed.json()["networks"]
    return str(found["id"])


async def port(client: AsyncClient, fixed_ip: str = "10.0.0.3") -> Json:
    listed = await client.get(
        "/v2.0/ports", params={"fixed_ips": f"ip_address={fixed_ip}"}
    )
    found: Json = listed.json()["ports"][0]
    return found


async def create(client: AsyncClient, **members: object) -> Response:
    asked = {"floating_network_id": "public", **members}
    return await client.post("/v2.0/floatingips", json={"floatingip": asked})


async def created(client: AsyncClient, **members: object) -> Json:
    response = await create(client, **members)
    assert response.status_code == 201, response.text
    floatingip: Json = response.json()["floatingip"]
    return floatingip


async def update(client: AsyncClient, id: str, **members: object) -> Response:
    return await client.put(f"/v2.0/floatingips/{id}", json={"floatingip": members})


def refusal(response: Response) -> tuple[int, str]:
    error = response.json()["NeutronError"]
    assert set(error) == {"type", "message", "detail"}
    assert error["message"].endswith(".")
    return response.status_code, error["type"]


async def test_a_floating_ip_has_all_that_neutrons_has(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")

    floatingip = await created(client, description="the shop", tags=["web", "blue"])

    created_at, updated_at = floatingip.pop("created_at"), floatingip.pop("updated_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created_at)
    assert updated_at >= created_at
    assert floatingip == {
        "id": floatingip["id"],
        "floating_network_id": await network_id(client),
        "floating_ip_address": "203.0.113.7",
        "fixed_ip_address": None,
        "port_id": None,
        "router_id": None,
        "status": "DOWN",
        "project_id": "demo",
        "tenant_id": "demo",
        "description": "the shop",
        "tags": ["blue", "web"],
        "revision_number": 2,
        "port_details": None,
    }


async def test_it_is_created_for_a_port(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "10.0.0.3")
    own = await port(client)

    floatingip = await created(client, port_id=own["id"], fixed_ip_address="10.0.0.3")

    assert floatingip["status"] == "ACTIVE"
    assert floatingip["port_id"] == own["id"]
    assert floatingip["fixed_ip_address"] == "10.0.0.3"
    assert floatingip["port_details"] == {
        "name": "",
        "network_id": instances.NETWORK_UUID,
        "mac_address": own["mac_address"],
        "admin_state_up": True,
        "status": "ACTIVE",
        "device_id": own["device_id"],
        "device_owner": "compute:nova",
    }


async def test_the_network_may_be_named_by_its_uuid(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await make.pool(database, "198.51.100.7", "blue")

    floatingip = await created(
        client, floating_network_id=await network_id(client, "blue")
    )

    assert floatingip["floating_ip_address"] == "198.51.100.7"


async def test_this_very_address_can_be_asked_for(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    floatingip = await created(client, floating_ip_address="203.0.113.9")

    assert floatingip["floating_ip_address"] == "203.0.113.9"


async def test_what_is_shown_is_what_was_created(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    floatingip = await created(client)

    shown = await client.get(f"/v2.0/floatingips/{floatingip['id']}")

    assert shown.json() == {"floatingip": floatingip}


async def test_a_port_moves_it_and_null_takes_it_off(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "10.0.0.3", "10.0.0.4")
    first, second = await port(client), await port(client, "10.0.0.4")
    floatingip = await created(client, port_id=first["id"])

    moved = await update(client, floatingip["id"], port_id=second["id"])
    off = await update(client, floatingip["id"], port_id=None)

    assert moved.status_code == off.status_code == 200
    assert moved.json()["floatingip"]["fixed_ip_address"] == "10.0.0.4"
    assert moved.json()["floatingip"]["revision_number"] == 3
    assert off.json()["floatingip"]["port_id"] is None
    assert off.json()["floatingip"]["status"] == "DOWN"
    assert await make.breaches(database) == []


async def test_a_description_leaves_the_port_as_it_is(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "10.0.0.3")
    floatingip = await created(client, port_id=(await port(client))["id"])

    response = await update(client, floatingip["id"], description="the shop")

    assert response.json()["floatingip"]["description"] == "the shop"
    assert response.json()["floatingip"]["port_id"] == floatingip["port_id"]


async def test_an_update_that_says_nothing_disassociates(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "10.0.0.3")
    floatingip = await created(client, port_id=(await port(client))["id"])

    response = await update(client, floatingip["id"])

    assert response.json()["floatingip"]["port_id"] is None


async def test_deleted_is_204_and_then_404(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    path = f"/v2.0/floatingips/{(await created(client))['id']}"

    deleted = await client.delete(path)

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert refusal(await client.get(path)) == (404, "FloatingIPNotFound")
    assert refusal(await client.delete(path)) == (404, "FloatingIPNotFound")


async def test_if_match_names_the_revision(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    path = f"/v2.0/floatingips/{(await created(client))['id']}"
    body = {"floatingip": {"description": "the shop"}}
    now, stale = ({"If-Match": f"revision_number={n}"} for n in (1, 1))

    changed = await client.put(path, json=body, headers=now)
    refused = await client.put(path, json=body, headers=stale)
    kept = await client.delete(path, headers=stale)
    malformed = await client.delete(path, headers={"If-Match": '"2"'})
    deleted = await client.delete(path, headers={"If-Match": "revision_number=2"})

    assert changed.status_code == 200
    assert refusal(refused) == (412, "RevisionNumberConstraintFailed")
    assert refusal(kept) == (412, "RevisionNumberConstraintFailed")
    assert refusal(malformed) == (400, "InvalidInput")
    assert deleted.status_code == 204


async def test_an_idempotency_key_creates_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    body = {"floatingip": {"floating_network_id": "public"}}
    headers = {"Idempotency-Key": "tuesday"}

    first = await client.post("/v2.0/floatingips", json=body, headers=headers)
    again = await client.post("/v2.0/floatingips", json=body, headers=headers)

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"


Members = Callable[[Json], Json]

CREATIONS: list[tuple[str, Json, tuple[int, str]]] = [
    ("no such network", {"floating_network_id": "lost"}, (404, "NetworkNotFound")),
    (
        "no such network id",
        {"floating_network_id": str(uuid4())},
        (404, "NetworkNotFound"),
    ),
    (
        "the servers' network",
        {"floating_network_id": instances.NETWORK_UUID},
        (400, "BadRequest"),
    ),
    ("no such port", {"port_id": str(uuid4())}, (404, "PortNotFound")),
    ("not a port id", {"port_id": "web"}, (400, "HTTPBadRequest")),
    ("no such subnet", {"subnet_id": str(uuid4())}, (404, "SubnetNotFound")),
    (
        "a fixed IP without a port",
        {"fixed_ip_address": "10.0.0.3"},
        (400, "BadRequest"),
    ),
    (
        "an address of elsewhere",
        {"floating_ip_address": "192.0.2.1"},
        (400, "InvalidIpForNetwork"),
    ),
    ("another project", {"tenant_id": "other"}, (403, "PolicyNotAuthorized")),
    ("QoS", {"qos_policy_id": str(uuid4())}, (400, "HTTPBadRequest")),
    ("DNS", {"dns_name": "www"}, (400, "HTTPBadRequest")),
    ("a long tag", {"tags": ["t" * 256]}, (400, "HTTPBadRequest")),
    ("a long text", {"description": "t" * 256}, (400, "HTTPBadRequest")),
]


@pytest.mark.parametrize(
    ("members", "expected"),
    [each[1:] for each in CREATIONS],
    ids=[each[0] for each in CREATIONS],
)
async def test_what_cannot_be_created_is_refused_as_neutron_does(
    client: AsyncClient,
    database: LedgerDatabase,
    members: Json,
    expected: tuple[int, str],
) -> None:
    await make.pool(database)

    response = await create(client, **members)

    assert refusal(response) == expected
    listed = await client.get("/v2.0/floatingips")
    assert listed.json() == {"floatingips": []}


async def test_refusals_of_the_ledger_have_neutrons_names(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.pool(database, "198.51.100.0/29", "blue")
    await make.server(database, "10.0.0.3")
    own = await port(client)
    held = await created(client, port_id=own["id"])
    other = await created(client, floating_network_id="blue")

    exhausted = await create(client)
    taken = await create(client, floating_ip_address="203.0.113.7")
    occupied = await update(client, other["id"], port_id=own["id"])
    elsewhere = await update(
        client, held["id"], port_id=own["id"], fixed_ip_address="10.0.0.9"
    )
    await make.quota(database, 2)
    over = await create(client, floating_network_id="blue")

    assert refusal(exhausted) == (409, "IpAddressGenerationFailure")
    assert refusal(taken) == (409, "IpAddressInUse")
    assert refusal(occupied) == (409, "FloatingIPPortAlreadyAssociated")
    assert refusal(elsewhere) == (400, "BadRequest")
    assert refusal(over) == (409, "OverQuota")


async def test_families_differ_in_vain(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "2001:db8::/124")
    await make.server(database, "10.0.0.3")

    response = await create(client, port_id=(await port(client))["id"])

    assert refusal(response) == (400, "BadRequest")


async def test_what_is_protected_is_in_use(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    id = await make.floating_ip(client)
    await client.put(
        f"/os-floating-ips/{id}/attributes",
        json={"floating_ip_attributes": {"protected": True}},
    )
    (floatingip,) = (await client.get("/v2.0/floatingips")).json()["floatingips"]

    response = await client.delete(f"/v2.0/floatingips/{floatingip['id']}")

    assert refusal(response) == (409, "InUse")


async def test_the_subnet_of_a_network_may_be_named_if_it_is_the_only_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await make.pool(database, "198.51.100.0/28", "blue")
    await make.pool(database, "2001:db8::/124", "blue")
    subnets = (await client.get("/v2.0/subnets")).json()["subnets"]
    by_cidr = {subnet["cidr"]: subnet["id"] for subnet in subnets}

    only = await create(client, subnet_id=by_cidr["203.0.113.0/28"])
    one_of_two = await create(
        client, floating_network_id="blue", subnet_id=by_cidr["198.51.100.0/28"]
    )

    assert only.status_code == 201
    assert refusal(one_of_two) == (400, "InvalidInput")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2.0/floatingips/{id}/port_forwardings"),
        ("POST", "/v2.0/floatingips/{id}/port_forwardings"),
        ("GET", "/v2.0/qos/policies"),
        ("GET", "/v2.0/routers/{id}"),
        ("GET", "/v2.0/security-groups"),
        ("GET", "/v2.0/nowhere"),
        ("POST", "/v2.0/networks"),
        ("DELETE", "/v2.0/ports/{id}"),
    ],
)
async def test_what_is_not_offered_is_a_clear_refusal(
    client: AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, path.format(id=uuid4()), json={})

    status, kind = refusal(response)
    assert (status, kind) in (
        (404, "HTTPNotFound"),
        (405, "HTTPMethodNotAllowed"),
    )


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b"{", {}, (400, "HTTPBadRequest")),
        (b"[]", {}, (400, "HTTPBadRequest")),
        (b'{"floatingips": []}', {}, (400, "HTTPBadRequest")),
        (
            b"<floatingip/>",
            {"Content-Type": "application/xml"},
            (415, "HTTPUnsupportedMediaType"),
        ),
        (b" " * 70_000, {}, (413, "HTTPRequestEntityTooLarge")),
    ],
)
async def test_bodies_that_cannot_be_read_are_refused_as_neutron_does(
    client: AsyncClient,
    content: bytes,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    response = await client.post("/v2.0/floatingips", content=content, headers=headers)

    assert refusal(response) == expected


async def test_xml_is_never_sent(client: AsyncClient, database: LedgerDatabase) -> None:
    response = await client.get(
        "/v2.0/floatingips", headers={"Accept": "application/xml"}
    )

    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"floatingips": []}


async def test_head_is_get_without_a_body(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    response = await client.head("/v2.0/floatingips")

    assert response.status_code == 200


async def test_another_projects_is_unknown(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "10.0.0.3")
    own = await port(client)
    path = f"/v2.0/floatingips/{(await created(client))['id']}"
    body = {"floatingip": {"description": "mine"}}

    assert refusal(await stranger.get(path)) == (404, "FloatingIPNotFound")
    assert refusal(await stranger.put(path, json=body)) == (404, "FloatingIPNotFound")
    assert refusal(await stranger.delete(path)) == (404, "FloatingIPNotFound")
    foreign = await create(stranger, port_id=own["id"])
    assert refusal(foreign) == (404, "PortNotFound")
