"""Quotas, limits, pools, bulk and extensions of the compute face."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase
from tests import make

QUOTAS = "/v2.1/os-quota-sets"
BULK = "/v2.1/os-floating-ips-bulk"


async def allowed(client: AsyncClient, project_id: str = "demo") -> int:
    response = await client.get(f"{QUOTAS}/{project_id}")
    quota: int = response.json()["quota_set"]["floating_ips"]
    return quota


async def test_nothing_but_floating_ips_is_counted(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    quota_set = (await client.get(f"{QUOTAS}/demo")).json()["quota_set"]

    assert quota_set.pop("id") == "demo"
    assert quota_set.pop("floating_ips") == 10
    assert set(quota_set.values()) == {-1}


async def test_the_detail_and_the_limits_tell_what_is_used(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.quota(database, 5)
    await make.server(database, "11.0.0.1")
    for _ in range(2):
        await client.post("/v2.1/os-floating-ips")

    detail = (await client.get(f"{QUOTAS}/demo/detail")).json()["quota_set"]
    defaults = (await client.get(f"{QUOTAS}/demo/defaults")).json()["quota_set"]
    absolute = (await client.get("/v2.1/limits")).json()["limits"]["absolute"]

    assert detail["floating_ips"] == {"limit": 5, "in_use": 2, "reserved": 0}
    assert detail["cores"] == {"limit": -1, "in_use": 0, "reserved": 0}
    assert defaults["floating_ips"] == 10
    assert absolute["maxTotalFloatingIps"] == 5
    assert absolute["totalFloatingIpsUsed"] == 2
    assert absolute["totalInstancesUsed"] == 1
    assert absolute["maxTotalCores"] == -1


@pytest.mark.parametrize(
    ("quota_set", "stands"),
    [
        ({"floating_ips": 20}, 20),
        ({"floating_ips": "21"}, 21),
        ({"floating_ips": -1}, -1),
        ({"floating_ips": "-1"}, -1),
        ({"floating_ips": 0}, 0),
        ({"floating_ips": 20, "cores": 5, "force": True, "tenant_id": "x"}, 20),
        ({"cores": 5, "nobody": "knows"}, 10),
        ({"floating_ips": None}, 10),
        ({}, 10),
    ],
)
async def test_an_admin_sets_a_quota_and_novas_other_keys_mean_nothing(
    admin: AsyncClient,
    client: AsyncClient,
    database: LedgerDatabase,
    quota_set: dict[str, Any],
    stands: int,
) -> None:
    response = await admin.put(f"{QUOTAS}/demo", json={"quota_set": quota_set})

    assert response.status_code == 200
    answered = response.json()["quota_set"]
    assert (answered["floating_ips"], answered["cores"]) == (stands, -1)
    assert await allowed(client) == stands


@pytest.mark.parametrize(
    "floating_ips", [-2, "-2", 2**31, "x", "", "1.5", 1.5, True, [1], "9" * 50, "--1"]
)
async def test_a_quota_that_is_none_is_400(
    admin: AsyncClient, database: LedgerDatabase, floating_ips: object
) -> None:
    body = {"quota_set": {"floating_ips": floating_ips}}

    response = await admin.put(f"{QUOTAS}/demo", json=body)

    assert response.status_code == 400
    assert await allowed(admin) == 10


async def test_delete_brings_the_default_back(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.quota(database, 1)
    await client.post("/v2.1/os-floating-ips")

    responses = [await admin.delete(f"{QUOTAS}/{id}") for id in ("demo", "nobody")]

    assert [each.status_code for each in responses] == [202, 202]
    assert await allowed(client) == 10
    assert (await client.post("/v2.1/os-floating-ips")).status_code == 200
    assert await make.breaches(database) == []


async def test_another_projects_quota_is_the_admins_alone(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    paths = [
        *(f"{QUOTAS}/other{below}" for below in ("", "/defaults", "/detail")),
        "/v2.1/limits?tenant_id=other",
    ]

    for path in paths:
        assert (await client.get(path)).status_code == 403
        assert (await admin.get(path)).status_code == 200
    assert (await client.get("/v2.1/limits?tenant_id=demo")).status_code == 200


async def test_the_quota_of_one_user_is_refused(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    for method, path, body in (
        ("GET", f"{QUOTAS}/demo", None),
        ("GET", f"{QUOTAS}/demo/detail", None),
        ("PUT", f"{QUOTAS}/demo", {"quota_set": {"floating_ips": 1}}),
        ("DELETE", f"{QUOTAS}/demo", None),
    ):
        response = await admin.request(
            method, path, json=body, params={"user_id": "joe"}
        )

        assert response.status_code == 400
        assert "user_id" in response.json()["badRequest"]["message"]


async def test_pools_are_listed_by_name(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7", name="public")
    await make.pool(database, "198.51.100.7", name="dmz")

    response = await client.get("/v2.1/os-floating-ip-pools")

    assert response.json() == {
        "floating_ip_pools": [{"name": "dmz"}, {"name": "public"}]
    }


async def test_bulk_adds_lists_and_takes_out(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    asked = {"ip_range": "203.0.113.0/29", "pool": "dmz", "x": 1}
    plain = {"ip_range": "203.0.113.64/30"}

    added = await admin.post(BULK, json={"floating_ips_bulk_create": asked, "y": 2})
    default = await admin.post(BULK, json={"floating_ips_bulk_create": plain})
    again = await admin.post(BULK, json={"floating_ips_bulk_create": asked})
    gone = await admin.put(f"{BULK}/delete", json={**plain, "z": 3})

    assert added.json() == {
        "floating_ips_bulk_create": {
            "ip_range": "203.0.113.0/29",
            "pool": "dmz",
            "interface": "eth0",
        }
    }
    assert default.json()["floating_ips_bulk_create"]["pool"] == "public"
    assert again.status_code == 409
    assert gone.json() == {"floating_ips_bulk_delete": "203.0.113.64/30"}
    infos = (await admin.get(BULK)).json()["floating_ip_info"]
    assert {(each["pool"], each["project_id"]) for each in infos} == {("dmz", None)}
    assert len(infos) == 6


async def test_bulk_tells_who_has_an_address(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    (server,) = (await client.get("/v2.1/servers")).json()["servers"]

    infos = (await admin.get(BULK)).json()["floating_ip_info"]
    held = await admin.put(f"{BULK}/delete", json={"ip_range": "203.0.113.7"})

    assert infos == [
        {
            "address": "203.0.113.7",
            "pool": "public",
            "interface": "eth0",
            "project_id": "demo",
            "instance_uuid": server["id"],
            "fixed_ip": "11.0.0.1",
        }
    ]
    assert held.status_code == 409


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ip_range": None},
        {"ip_range": "203.0.113.0/31"},
        {"ip_range": "203.0.113.1/29"},
        {"ip_range": "10.0.0.0/8"},
        {"ip_range": "203.0.113.0/29", "pool": "a b"},
        {"ip_range": "203.0.113.0/29", "interface": ""},
    ],
)
async def test_a_range_that_is_none_is_400(
    admin: AsyncClient, database: LedgerDatabase, asked: dict[str, Any]
) -> None:
    response = await admin.post(BULK, json={"floating_ips_bulk_create": asked})

    assert response.status_code == 400
    assert (await admin.get(BULK)).json() == {"floating_ip_info": []}


async def test_extensions_are_found_as_jclouds_looks_for_them(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    listed = (await client.get("/v2.1/extensions")).json()["extensions"]

    by_alias = {each["alias"]: each for each in listed}
    assert {"os-floating-ips", "os-floating-ip-pools"} <= by_alias.keys()
    assert by_alias["os-floating-ips"]["name"] == "FloatingIps"
    assert by_alias["os-floating-ip-pools"]["name"] == "FloatingIpPools"
    for alias, extension in by_alias.items():
        shown = await client.get(f"/v2.1/extensions/{alias}")
        assert shown.json() == {"extension": extension}
