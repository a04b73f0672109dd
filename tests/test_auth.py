from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx import AsyncClient
from starlette.types import ASGIApp

from app.auth import Requires, Role
from app.database import LedgerDatabase
from tests import make
from tests.conftest import make_client

OPEN = {
    *("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/"),
    *("/v1.1", "/v1.1/", "/v2", "/v2/", "/v2.1", "/v2.1/"),
    *("/v2.0", "/v2.0/", "/networking", "/networking/"),
}
"""The paths that tell nothing of anybody, and need no identity."""

ROLES = {
    "allocate_floating_ip": Role.MEMBER,
    "list_floating_ips": Role.READER,
    "show_floating_ip": Role.READER,
    "release_floating_ip": Role.MEMBER,
    "associate_floating_ip": Role.MEMBER,
    "disassociate_floating_ip": Role.MEMBER,
    "show_floating_ip_attributes": Role.READER,
    "update_floating_ip_attributes": Role.MEMBER,
    "allocate_floating_ips": Role.MEMBER,
    "release_floating_ips": Role.MEMBER,
    "list_floating_ip_pools": Role.READER,
    "show_floating_ip_pool": Role.READER,
    "update_floating_ip_pool": Role.ADMIN,
    "list_floating_ip_holds": Role.ADMIN,
    "place_floating_ip_hold": Role.ADMIN,
    "lift_floating_ip_hold": Role.ADMIN,
    "list_floating_ip_history": Role.READER,
    "register_server": Role.MEMBER,
    "list_servers": Role.READER,
    "show_server": Role.READER,
    "remove_server": Role.MEMBER,
    "show_quota_set": Role.READER,
    "update_quota_set": Role.ADMIN,
    "list_floating_ips_bulk": Role.ADMIN,
    "create_floating_ips_bulk": Role.ADMIN,
    "delete_floating_ips_bulk": Role.ADMIN,
    "compute_allocate_floating_ip": Role.MEMBER,
    "compute_list_floating_ips": Role.READER,
    "compute_show_floating_ip": Role.READER,
    "compute_release_floating_ip": Role.MEMBER,
    "compute_list_floating_ip_pools": Role.READER,
    "compute_list_floating_ips_bulk": Role.ADMIN,
    "compute_create_floating_ips_bulk": Role.ADMIN,
    "compute_delete_floating_ips_bulk": Role.ADMIN,
    "compute_create_server": Role.MEMBER,
    "compute_list_servers": Role.READER,
    "compute_list_servers_detail": Role.READER,
    "compute_show_server": Role.READER,
    "compute_delete_server": Role.MEMBER,
    "compute_act_on_server": Role.MEMBER,
    "compute_list_server_addresses": Role.READER,
    "compute_list_server_addresses_of_network": Role.READER,
    "compute_list_server_interfaces": Role.READER,
    "compute_show_quota_set": Role.READER,
    "compute_show_default_quota_set": Role.READER,
    "compute_show_quota_set_detail": Role.READER,
    "compute_update_quota_set": Role.ADMIN,
    "compute_reset_quota_set": Role.ADMIN,
    "compute_show_limits": Role.READER,
    "compute_list_extensions": Role.READER,
    "compute_show_extension": Role.READER,
    "network_create_floatingip": Role.MEMBER,
    "network_list_floatingips": Role.READER,
    "network_show_floatingip": Role.READER,
    "network_update_floatingip": Role.MEMBER,
    "network_delete_floatingip": Role.MEMBER,
    "network_list_tags": Role.READER,
    "network_replace_tags": Role.MEMBER,
    "network_add_tags": Role.MEMBER,
    "network_remove_tags": Role.MEMBER,
    "network_show_tag": Role.READER,
    "network_add_tag": Role.MEMBER,
    "network_remove_tag": Role.MEMBER,
    "network_list_networks": Role.READER,
    "network_show_network": Role.READER,
    "network_list_subnets": Role.READER,
    "network_show_subnet": Role.READER,
    "network_list_floatingip_pools": Role.READER,
    "network_list_routers": Role.READER,
    "network_list_ports": Role.READER,
    "network_show_port": Role.READER,
    "network_show_quota": Role.READER,
    "network_show_default_quota": Role.READER,
    "network_show_quota_details": Role.READER,
    "network_update_quota": Role.ADMIN,
    "network_reset_quota": Role.ADMIN,
    "network_list_extensions": Role.READER,
    "network_show_extension": Role.READER,
}


def routes(api: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    """Every route with its path and method, through all mounts."""
    for context in iter_route_contexts(api.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                yield str(context.path), method, route


def declared(route: APIRoute) -> list[Role]:
    return [
        dependency.call.role
        for dependency in route.dependant.dependencies
        if isinstance(dependency.call, Requires)
    ]


def test_every_route_declares_one_role(api: FastAPI) -> None:
    found = {
        (path, method): declared(route)
        for path, method, route in routes(api)
        if path not in OPEN
    }

    # The draft's and the operator's routes are there twice.
    assert len(found) == len(ROLES) + sum(
        not name.startswith(("compute_", "network_")) for name in ROLES
    )
    assert all(len(roles) == 1 for roles in found.values()), found


def test_every_route_declares_the_role_of_the_design(api: FastAPI) -> None:
    found = {
        route.name: role for _, _, route in routes(api) for role in declared(route)
    }

    assert found == ROLES


async def test_without_identity_every_route_is_401(
    api: FastAPI, app: ASGIApp, client: AsyncClient
) -> None:
    del client.headers["X-Auth-Token"]
    for path, method, _ in routes(api):
        if path in OPEN:
            continue
        response = await client.request(method, filled(path), json={})
        assert response.status_code == 401, (method, path)
        assert response.json().keys() & {"unauthorized", "NeutronError"}


def filled(path: str) -> str:
    return path.format(
        id="3a6e2f0e-9a3f-4a55-8f0e-0d6c7a8b9c0d" if "/v2" in path else "1",
        name="public",
        address="203.0.113.7",
        project_id="demo",
        mounted_project_id="demo",
        label="private",
        alias="os-floating-ips",
        tag="web",
    )


@pytest.mark.parametrize("role", [Role.READER, Role.MEMBER])
async def test_every_route_refuses_a_lesser_role(
    api: FastAPI, app: ASGIApp, database: LedgerDatabase, role: Role
) -> None:
    async with make_client(app, f"{role.name.lower()}:demo") as client:
        for path, method, route in routes(api):
            if path in OPEN or declared(route)[0] <= role:
                continue
            response = await client.request(method, filled(path), json=valid(route))
            assert response.status_code == 403, (method, path)
            (fault,) = response.json().values()
            assert "role" in fault["message"]


def valid(route: APIRoute) -> object:
    """A body that the operation takes; the faces have some in common."""
    return {
        "network_create_floatingip": {"floatingip": {"floating_network_id": "public"}},
        "network_update_floatingip": {"floatingip": {}},
        "network_replace_tags": {"tags": []},
        "network_add_tags": {"tags": []},
        "network_update_quota": {"quota": {"floatingip": 1}},
        "act_on_server": {"addFloatingIp": {"address": "203.0.113.7"}},
        "create_server": {"server": {"name": "web", "flavorRef": "1"}},
        "associate_floating_ip": {"associate_address": {"fixed_ip": "11.0.0.1"}},
        "register_server": {"server": {"name": "web"}},
        "update_quota_set": {"quota_set": {"floating_ips": 1}},
        "update_floating_ip_attributes": {"floating_ip_attributes": {}},
        "update_floating_ip_pool": {"floating_ip_pool": {"quarantine_seconds": 1}},
        "allocate_floating_ips": {"allocate_addresses": {"count": 1}},
        "release_floating_ips": {"release_addresses": {"ids": [1]}},
        "place_floating_ip_hold": {
            "floating_ip_hold": {"address": "203.0.113.7", "reason": "abuse"}
        },
        "create_floating_ips_bulk": {
            "floating_ips_bulk_create": {"ip_range": "203.0.113.7"}
        },
        "delete_floating_ips_bulk": {"ip_range": "203.0.113.7"},
    }.get(route.name.removeprefix("compute_"), {})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Auth-Token": ""},
        {"X-Auth-Token": "joe"},
        {"X-Auth-Token": "joe:"},
        {"X-Auth-Token": ":demo"},
        {"X-Auth-Token": "joe:de mo"},
        {"X-Auth-Token": "joe:a/b"},
        {"X-Auth-Token": "joe:" + "x" * 256},
        {"X-Auth-Token": "joe:d\u00e9mo"},
        {"X-Auth-Token": "", "X-Project-Id": "demo"},
        {"X-Project-Id": ""},
        {"X-Project-Id": "de mo"},
        {"X-User-Id": "admin", "X-Roles": "admin"},
    ],
)
async def test_what_proves_nothing_is_401(
    client: AsyncClient, headers: dict[str, str]
) -> None:
    del client.headers["X-Auth-Token"]
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]

    response = await client.get("/os-floating-ips", headers=encoded)

    assert response.status_code == 401


async def test_a_project_id_alone_is_a_member(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    del client.headers["X-Auth-Token"]
    client.headers["X-Project-Id"] = "demo"
    client.headers["X-Roles"] = "admin"

    allocated = await client.post("/os-floating-ips")
    bulk = await client.get("/os-floating-ips-bulk")

    assert (allocated.status_code, bulk.status_code) == (200, 403)
    assert len((await admin.get("/os-floating-ips")).json()["floating_ips"]) == 1


async def test_the_mount_is_the_same_face(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    allocated = await client.post("/v1.1/demo/os-floating-ips")
    floating_ip_id = allocated.json()["floating_ip"]["id"]

    plain = await client.get(f"/os-floating-ips/{floating_ip_id}")
    mounted = await client.get(f"/v1.1/demo/os-floating-ips/{floating_ip_id}")
    assert plain.json() == mounted.json() == allocated.json()


async def test_another_project_in_the_path_is_400(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    for path in ("os-floating-ips", "servers", "os-quota-sets/other"):
        response = await client.get(f"/v1.1/other/{path}")
        assert response.status_code == 400, path


async def test_an_admin_acts_as_the_project_in_the_path(
    client: AsyncClient,
    admin: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
) -> None:
    await make.pool(database)

    await admin.post("/v1.1/other/os-floating-ips")

    assert len((await stranger.get("/os-floating-ips")).json()["floating_ips"]) == 1
    assert (await admin.get("/os-floating-ips")).json() == {"floating_ips": []}


async def test_an_admin_cannot_act_as_what_is_no_project(admin: AsyncClient) -> None:
    for project_id in ("%00", "a%20b", "x" * 256, "%C3%A9"):
        response = await admin.get(f"/v1.1/{project_id}/os-floating-ips")
        assert response.status_code == 400


async def test_foreign_ids_are_answered_as_unknown_ones(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    server_id = await make.server(database, "11.0.0.1", project_id="other")
    floating_ip_id = await make.floating_ip(stranger, "11.0.0.1")
    before = (await stranger.get("/os-floating-ips")).json()
    fixed = {"associate_address": {"fixed_ip": "11.0.0.1"}}
    requests = [
        ("GET", "/os-floating-ips/{}", None),
        ("DELETE", "/os-floating-ips/{}", None),
        ("POST", "/os-floating-ips/{}/addFloatingIp", fixed),
        ("POST", "/os-floating-ips/{}/removeFloatingIp", None),
        ("GET", "/servers/{}", None),
        ("DELETE", "/servers/{}", None),
    ]

    for method, path, body in requests:
        foreign_id = server_id if "servers" in path else floating_ip_id
        foreign = await client.request(method, path.format(foreign_id), json=body)
        unknown = await client.request(method, path.format(987654321), json=body)
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.text.replace(f"'{foreign_id}'", "'987654321'") == unknown.text

    assert (await stranger.get("/os-floating-ips")).json() == before
