"""The rest of the network face: tags, quotas, extensions, versions, other faces."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase, transaction
from tests import make
from tests.test_network_floatingips import create, created, port, refusal

Json = dict[str, Any]


async def test_tags_are_a_resource_of_their_own(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    floatingip = await created(client)
    tags = f"/v2.0/floatingips/{floatingip['id']}/tags"

    replaced = await client.put(tags, json={"tags": ["web", "blue"]})
    added = await client.post(tags, json={"tags": ["web", "new"]})
    one = await client.put(f"{tags}/red")
    has, has_not = await client.get(f"{tags}/red"), await client.get(f"{tags}/pink")
    off = await client.delete(f"{tags}/red")
    again = await client.delete(f"{tags}/red")
    listed = await client.get(tags)
    all_off = await client.delete(tags)
    none = await client.get(tags)

    assert (replaced.status_code, replaced.json()) == (200, {"tags": ["blue", "web"]})
    assert added.json() == {"tags": ["blue", "new", "web"]}
    assert (one.status_code, one.content) == (201, b"")
    assert has.status_code == 204
    assert refusal(has_not) == (404, "TagNotFound")
    assert off.status_code == 204
    assert refusal(again) == (404, "TagNotFound")
    assert listed.json() == {"tags": ["blue", "new", "web"]}
    assert (all_off.status_code, none.json()) == (204, {"tags": []})
    shown = (await client.get(f"/v2.0/floatingips/{floatingip['id']}")).json()
    assert shown["floatingip"]["revision_number"] == 6


async def test_tags_of_another_project_are_unknown(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    tags = f"/v2.0/floatingips/{(await created(client, tags=['web']))['id']}/tags"

    for response in (
        await stranger.get(tags),
        await stranger.put(tags, json={"tags": []}),
        await stranger.post(tags, json={"tags": ["x"]}),
        await stranger.delete(tags),
        await stranger.get(f"{tags}/web"),
        await stranger.put(f"{tags}/x"),
        await stranger.delete(f"{tags}/web"),
    ):
        assert refusal(response) == (404, "FloatingIPNotFound")
    assert (await client.get(tags)).json() == {"tags": ["web"]}


async def test_a_floating_ip_has_50_tags_at_most_and_good_ones(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    many = [f"t{number}" for number in range(50)]
    tags = f"/v2.0/floatingips/{(await created(client, tags=many))['id']}/tags"

    assert refusal(await client.put(f"{tags}/one-more")) == (400, "BadRequest")
    assert refusal(await client.put(f"{tags}/%20x")) == (400, "InvalidInput")
    assert (await client.put(f"{tags}/t7")).status_code == 201


async def test_a_stale_revision_changes_no_tag(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    tags = f"/v2.0/floatingips/{(await created(client, tags=['web']))['id']}/tags"
    stale = {"If-Match": "revision_number=7"}

    for response in (
        await client.put(tags, json={"tags": []}, headers=stale),
        await client.post(tags, json={"tags": ["x"]}, headers=stale),
        await client.delete(tags, headers=stale),
        await client.put(f"{tags}/x", headers=stale),
        await client.delete(f"{tags}/web", headers=stale),
    ):
        assert refusal(response) == (412, "RevisionNumberConstraintFailed")
    assert (await client.get(tags)).json() == {"tags": ["web"]}


async def test_quotas_are_those_of_the_other_faces(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await created(client)

    default = await client.get("/v2.0/quotas/demo/default")
    set_to = await admin.put("/v2.0/quotas/demo", json={"quota": {"floatingip": 3}})
    shown = await client.get("/v2.0/quotas/demo")
    details = await client.get("/v2.0/quotas/demo/details")
    drafts = await client.get("/os-quota-sets/demo")
    back = await admin.delete("/v2.0/quotas/demo")
    reset = await client.get("/v2.0/quotas/demo")

    assert default.json()["quota"]["floatingip"] == 10
    assert set_to.json()["quota"]["floatingip"] == 3
    assert shown.json()["quota"] == {
        "floatingip": 3,
        "network": -1,
        "port": -1,
        "rbac_policy": -1,
        "router": -1,
        "security_group": -1,
        "security_group_rule": -1,
        "subnet": -1,
        "subnetpool": -1,
    }
    assert details.json()["quota"]["floatingip"] == {
        "limit": 3,
        "used": 1,
        "reserved": 0,
    }
    assert drafts.json()["quota_set"]["floating_ips"] == 3
    assert back.status_code == 204
    assert reset.json()["quota"]["floatingip"] == 10


async def test_quotas_of_others_and_of_other_things_are_refused(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    foreign = await client.get("/v2.0/quotas/other")
    member = await client.put("/v2.0/quotas/demo", json={"quota": {"floatingip": 3}})
    networks = await admin.put("/v2.0/quotas/demo", json={"quota": {"network": 3}})

    assert refusal(foreign) == (403, "PolicyNotAuthorized")
    assert refusal(member) == (403, "PolicyNotAuthorized")
    assert refusal(networks) == (400, "HTTPBadRequest")


async def test_extensions_name_what_there_is(client: AsyncClient) -> None:
    listed = (await client.get("/v2.0/extensions")).json()["extensions"]
    shown = await client.get("/v2.0/extensions/router")

    assert {each["alias"] for each in listed} == {
        "external-net",
        "filter-validation",
        "fip-port-details",
        "floatingip-pools",
        "pagination",
        "project-id",
        "quota_details",
        "quotas",
        "revision-if-match",
        "router",
        "standard-attr-description",
        "standard-attr-revisions",
        "standard-attr-tag",
        "standard-attr-timestamp",
    }
    assert shown.json()["extension"] in listed
    for absent in ("floating-ip-port-forwarding", "qos", "dns-integration", "sorting"):
        response = await client.get(f"/v2.0/extensions/{absent}")
        assert refusal(response) == (404, "ExtensionNotFound")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "mount"),
    [("/v2.0", ""), ("/networking/v2.0", "/networking")],
)
async def test_the_version_tells_where_it_is(
    client: AsyncClient, path: str, mount: str, slash: str
) -> None:
    del client.headers["X-Auth-Token"]

    response = await client.get(path + slash)

    assert response.status_code == 200
    document = response.json()
    assert document["version"] == {
        "id": "v2.0",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": f"http://floating-ips{mount}/v2.0/"}],
    }
    assert document["resources"][1] == {
        "name": "floatingip",
        "collection": "floatingips",
        "links": [
            {"rel": "self", "href": f"http://floating-ips{mount}/v2.0/floatingips"}
        ],
    }


@pytest.mark.parametrize("path", ["/networking", "/networking/"])
async def test_the_root_of_the_network_api_has_no_other_versions(
    client: AsyncClient, path: str
) -> None:
    del client.headers["X-Auth-Token"]

    response = await client.get(path)

    assert response.json() == {
        "versions": [
            {
                "id": "v2.0",
                "status": "CURRENT",
                "links": [
                    {"rel": "self", "href": "http://floating-ips/networking/v2.0/"}
                ],
            }
        ]
    }


async def test_without_identity_the_refusal_is_neutrons(client: AsyncClient) -> None:
    del client.headers["X-Auth-Token"]

    response = await client.get("/v2.0/floatingips")

    assert refusal(response) == (401, "HTTPUnauthorized")


async def test_terraforms_requests_in_their_order(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """openstack_networking_floatingip_v2 over gophercloud v2: its whole life."""
    await make.pool(database)
    await make.server(database, "10.0.0.3", "10.0.0.4")
    first, second = await port(client), await port(client, "10.0.0.4")

    by_name = await client.get("/v2.0/networks?name=public&router%3Aexternal=true")
    (network,) = by_name.json()["networks"]
    made = await client.post(
        "/v2.0/floatingips",
        json={
            "floatingip": {
                "floating_network_id": network["id"],
                "port_id": first["id"],
                "description": "",
            }
        },
    )
    path = f"/v2.0/floatingips/{made.json()['floatingip']['id']}"
    tagged = await client.put(f"{path}/tags", json={"tags": ["terraform"]})
    read = await client.get(path)
    moved = await client.put(path, json={"floatingip": {"port_id": second["id"]}})
    retagged = await client.put(f"{path}/tags", json={"tags": ["a", "b"]})
    off = await client.put(path, json={"floatingip": {"port_id": None}})
    found = await client.get(
        "/v2.0/floatingips",
        params={
            "floating_ip_address": read.json()["floatingip"]["floating_ip_address"],
            "tags": "a,b",
        },
    )
    deleted = await client.delete(path)
    lost = await client.get(path)

    assert made.status_code == 201
    assert tagged.json() == {"tags": ["terraform"]}
    assert read.json()["floatingip"]["status"] == "ACTIVE"
    assert read.json()["floatingip"]["tags"] == ["terraform"]
    assert moved.json()["floatingip"]["fixed_ip_address"] == "10.0.0.4"
    assert retagged.json() == {"tags": ["a", "b"]}
    assert off.json()["floatingip"]["status"] == "DOWN"
    assert len(found.json()["floatingips"]) == 1
    assert deleted.status_code == 204
    assert refusal(lost) == (404, "FloatingIPNotFound")


async def test_openstackclients_requests_in_their_order(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """`openstack server add floating ip web 203.0.113.7`, version 10 [CONTRACT 5.1]."""
    await make.pool(database, "203.0.113.7")
    await make.server(database, "10.0.0.3")
    await created(client)
    (server,) = (await client.get("/v2.1/servers?name=web")).json()["servers"]

    unknown = await client.get("/v2.0/floatingips/203.0.113.7")
    found = await client.get("/v2.0/floatingips?floating_ip_address=203.0.113.7")
    (floatingip,) = found.json()["floatingips"]
    ports = await client.get(f"/v2.0/ports?device_id={server['id']}")
    (own,) = ports.json()["ports"]
    added = await client.put(
        f"/v2.0/floatingips/{floatingip['id']}",
        json={"floatingip": {"port_id": own["id"]}},
    )

    assert refusal(unknown) == (404, "FloatingIPNotFound")
    assert added.json()["floatingip"]["port_details"]["device_id"] == server["id"]


async def test_three_faces_at_random_see_one_ledger(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28", quarantine=0)
    await make.server(database, "10.0.0.3", "10.0.0.4")
    chance = random.Random(7)  # the same each time

    for _ in range(60):
        await chance.choice(CHANGES)(client, chance)
        await same_everywhere(client)

    assert await make.breaches(database) == []


async def same_everywhere(client: AsyncClient) -> None:
    """Compare what the three faces list."""
    drafts = (await client.get("/os-floating-ips")).json()["floating_ips"]
    computes = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    networks = (await client.get("/v2.0/floatingips")).json()["floatingips"]
    assert [(each["ip"], each["fixed_ip"]) for each in drafts] == [
        (each["floating_ip_address"], each["fixed_ip_address"]) for each in networks
    ]
    assert [
        (each["id"], each["ip"], each["fixed_ip"], each["instance_id"])
        for each in computes
    ] == [
        (
            each["id"],
            each["floating_ip_address"],
            each["fixed_ip_address"],
            (each["port_details"] or {}).get("device_id"),
        )
        for each in networks
    ]


async def draft_allocates(client: AsyncClient, chance: random.Random) -> None:
    await client.post("/os-floating-ips")


async def compute_allocates(client: AsyncClient, chance: random.Random) -> None:
    await client.post("/v2.1/os-floating-ips", json={"pool": "public"})


async def network_allocates(client: AsyncClient, chance: random.Random) -> None:
    await create(client)


async def draft_moves(client: AsyncClient, chance: random.Random) -> None:
    for each in (await client.get("/os-floating-ips")).json()["floating_ips"]:
        if chance.random() < 0.3:
            await make.associate(client, each["id"], chance.choice(FIXED_IPS))
            return


async def compute_moves(client: AsyncClient, chance: random.Random) -> None:
    (server,) = (await client.get("/v2.1/servers")).json()["servers"]
    listed = (await client.get("/v2.1/os-floating-ips")).json()["floating_ips"]
    if listed:
        address = chance.choice(listed)["ip"]
        action = chance.choice(["addFloatingIp", "removeFloatingIp"])
        await client.post(
            f"/v2.1/servers/{server['id']}/action", json={action: {"address": address}}
        )


async def network_moves(client: AsyncClient, chance: random.Random) -> None:
    listed = (await client.get("/v2.0/floatingips")).json()["floatingips"]
    if listed:
        own = (await port(client, chance.choice(FIXED_IPS)))["id"]
        await client.put(
            f"/v2.0/floatingips/{chance.choice(listed)['id']}",
            json={"floatingip": {"port_id": chance.choice([own, None])}},
        )


async def network_tags(client: AsyncClient, chance: random.Random) -> None:
    listed = (await client.get("/v2.0/floatingips")).json()["floatingips"]
    if listed:
        path = f"/v2.0/floatingips/{chance.choice(listed)['id']}/tags"
        await client.put(f"{path}/{chance.choice('abc')}")


async def any_releases(client: AsyncClient, chance: random.Random) -> None:
    listed = (await client.get("/v2.0/floatingips")).json()["floatingips"]
    drafts = (await client.get("/os-floating-ips")).json()["floating_ips"]
    if listed:
        id, number = listed[0]["id"], drafts[0]["id"]
        paths = (
            f"/v2.0/floatingips/{id}",
            f"/v2.1/os-floating-ips/{id}",
            f"/os-floating-ips/{number}",
        )
        response = await client.delete(chance.choice(paths))
        assert response.status_code in (202, 204)


FIXED_IPS = ("10.0.0.3", "10.0.0.4")
CHANGES = (
    draft_allocates,
    compute_allocates,
    network_allocates,
    draft_moves,
    compute_moves,
    network_moves,
    network_tags,
    any_releases,
)


async def test_a_port_that_is_gone_is_not_found(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server = await make.server(database, "10.0.0.3")
    own = (await port(client))["id"]
    await client.delete(f"/servers/{server}")
    await make.server(database, "10.0.0.3")

    response = await create(client, port_id=own)

    assert refusal(response) == (404, "PortNotFound")
    assert refusal(await client.get(f"/v2.0/ports/{own}")) == (404, "PortNotFound")
    assert refusal(await create(client, port_id=str(uuid4())))[0] == 404


LOCK = "SELECT FROM addresses WHERE state = 'held' FOR UPDATE"


async def replace(client: AsyncClient, database: LedgerDatabase, server: int) -> None:
    """Remove a server, and give its fixed IP to another."""
    await client.delete(f"/servers/{server}")
    await make.server(database, "10.0.0.3", name="other")


async def test_a_port_that_is_replaced_meanwhile_is_not_taken_for_the_new_one(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server = await make.server(database, "10.0.0.3")
    own = (await port(client))["id"]
    path = f"/v2.0/floatingips/{(await created(client))['id']}"

    async with transaction(database) as tx:
        await tx.execute(LOCK)
        body = {"floatingip": {"port_id": own}}
        update = asyncio.create_task(client.put(path, json=body))
        await make.somebody_waits(database)
        await asyncio.create_task(replace(client, database, server))
    response = await update

    assert refusal(response) == (404, "PortNotFound")
    assert (await client.get(path)).json()["floatingip"]["port_id"] is None


async def test_tags_put_at_once_are_all_there(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    tags = f"/v2.0/floatingips/{(await created(client))['id']}/tags"

    await asyncio.gather(*(client.put(f"{tags}/t{n}") for n in range(9)))

    listed = (await client.get(tags)).json()
    assert listed == {"tags": [f"t{n}" for n in range(9)]}
