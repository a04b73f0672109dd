"""Floating IPs of the compute face; the clients here are strict: compute_schemas."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase, connection
from app.faces.compute import http
from tests import make

PATH = "/v2.1/os-floating-ips"


async def allocated(client: AsyncClient) -> dict[str, object]:
    response = await client.post(PATH)
    assert response.status_code == 200, response.text
    floating_ip: dict[str, object] = response.json()["floating_ip"]
    return floating_ip


async def pool_uuid(database: LedgerDatabase, name: str) -> str:
    async with connection(database) as lent:
        found = await lent.fetchval("SELECT uuid FROM pools WHERE name = $1", name)
    return str(found)


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"{}",
        b"null",
        b'{"pool": null}',
        b'{"pool": "public"}',
        b'{"pool": ""}',
        b'{"pool": "public", "nobody": {"knows": 1}}',
    ],
)
async def test_whatever_names_the_default_pool_or_none_allocates(
    client: AsyncClient, database: LedgerDatabase, body: bytes | None
) -> None:
    await make.pool(database, "203.0.113.7")

    response = await client.post(PATH, content=body)

    assert response.status_code == 200
    floating_ip = response.json()["floating_ip"]
    assert UUID(floating_ip.pop("id")).version == 4
    assert floating_ip == {
        "ip": "203.0.113.7",
        "fixed_ip": None,
        "instance_id": None,
        "pool": "public",
    }


async def test_a_pool_is_named_by_its_name_or_its_uuid(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.pool(database, "198.51.100.0/30", name="other")
    uuid = await pool_uuid(database, "other")

    ips = [
        (await client.post(PATH, json={"pool": pool})).json()["floating_ip"]
        for pool in ("other", uuid)
    ]

    assert [each["pool"] for each in ips] == ["other", "other"]


async def test_a_pools_name_counts_before_the_uuid_of_another(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    uuid = await pool_uuid(database, "public")
    await make.pool(database, "198.51.100.7", name=uuid)

    response = await client.post(PATH, json={"pool": uuid})

    assert response.json()["floating_ip"]["ip"] == "198.51.100.7"


@pytest.mark.parametrize(
    "pool",
    [
        "nowhere",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "a b",
        "null",
        "x" * 65,
        "\x00",
        "é",
    ],
)
async def test_an_unknown_pool_is_404(
    client: AsyncClient, database: LedgerDatabase, pool: str
) -> None:
    await make.pool(database)

    response = await client.post(PATH, json={"pool": pool})

    assert response.status_code == 404


@pytest.mark.parametrize("pool", [5, True, ["public"], {"name": "public"}])
async def test_a_pool_that_is_no_text_is_400(
    client: AsyncClient, database: LedgerDatabase, pool: object
) -> None:
    await make.pool(database)

    response = await client.post(PATH, json={"pool": pool})

    assert response.status_code == 400


@pytest.mark.parametrize("body", [[], "public", 5, True])
async def test_a_body_that_is_no_object_is_400(
    client: AsyncClient, database: LedgerDatabase, body: object
) -> None:
    await make.pool(database)

    response = await client.post(PATH, json=body)

    assert response.status_code == 400


async def test_exhausted_is_404_and_over_quota_403(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await allocated(client)

    exhausted = await client.post(PATH)
    await make.quota(database, 1)
    over_quota = await client.post(PATH)

    assert (exhausted.status_code, over_quota.status_code) == (404, 403)
    assert "no address is free" in exhausted.json()["itemNotFound"]["message"]
    assert "may hold 1 floating IPs" in over_quota.json()["forbidden"]["message"]
    assert await make.breaches(database) == []


async def test_what_create_answers_is_what_the_list_and_the_details_have(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    first, second = await allocated(client), await allocated(client)

    assert (await client.get(PATH)).json() == {"floating_ips": [first, second]}
    shown = await client.get(f"{PATH}/{second['id']}")
    assert shown.json() == {"floating_ip": second}
    upper = await client.get(f"{PATH}/{str(second['id']).upper()}")
    assert upper.json() == {"floating_ip": second}


async def test_the_list_takes_no_notice_of_a_query(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    first, second = await allocated(client), await allocated(client)

    response = await client.get(
        PATH, params={"limit": "1", "marker": "nobody", "all_tenants": "1", "x": "\x00"}
    )

    assert response.json() == {"floating_ips": [first, second]}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
async def test_a_long_list_is_whole(
    client: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    """Pages of 1000 are a constant; smaller ones meet the same edges sooner."""
    await make.pool(database, "203.0.113.0/29")
    floating_ips = [await allocated(client) for _ in range(4)]
    for module in ("http", "floating_ips", "bulk"):
        monkeypatch.setattr(f"app.faces.compute.{module}.PAGE", size)

    listed = await client.get(PATH)
    bulk = await admin.get("/v2.1/os-floating-ips-bulk")

    assert listed.json() == {"floating_ips": floating_ips}
    infos = bulk.json()["floating_ip_info"]
    assert [each["address"] for each in infos] == [
        f"203.0.113.{n}" for n in range(1, 7)
    ]


async def test_more_than_a_page_of_floating_ips_comes_at_once(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "10.1.0.0/21")

    infos = (await admin.get("/v2.1/os-floating-ips-bulk")).json()["floating_ip_info"]

    assert http.PAGE < len(infos) == 2046
    assert len({each["address"] for each in infos}) == 2046


@pytest.mark.parametrize(
    "id",
    [
        "1",
        "0",
        "-1",
        "nobody",
        "203.0.113.7",
        "6f9619ff8b86d011b42d00cf4fc964ff",
        "{6f9619ff-8b86-d011-b42d-00cf4fc964ff}",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff%0A",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "%00",
        "null",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_id_that_is_none_is_404(
    client: AsyncClient, database: LedgerDatabase, method: str, id: str
) -> None:
    await make.pool(database)
    await allocated(client)

    response = await client.request(method, f"{PATH}/{id}")

    assert response.status_code == 404
    assert "was not found" in response.json()["itemNotFound"]["message"]


async def test_delete_releases_what_is_associated_too(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    (floating_ip,) = (await client.get(PATH)).json()["floating_ips"]

    gone = await client.delete(f"{PATH}/{floating_ip['id']}")
    again = await client.delete(f"{PATH}/{floating_ip['id']}")

    assert (gone.status_code, again.status_code) == (202, 404)
    assert (await client.get(PATH)).json() == {"floating_ips": []}
    assert await make.breaches(database) == []


async def test_both_faces_show_one_ledger(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1")
    floating_ip = await allocated(client)

    (draft,) = (await client.get("/os-floating-ips")).json()["floating_ips"]
    await make.associate(client, draft["id"], "11.0.0.1")

    shown = (await client.get(f"{PATH}/{floating_ip['id']}")).json()["floating_ip"]
    assert (shown["ip"], shown["fixed_ip"]) == (draft["ip"], "11.0.0.1")
    (server,) = (await client.get("/v2.1/servers")).json()["servers"]
    assert shown["instance_id"] == server["id"]


async def test_an_idempotency_key_is_heeded_here_too(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    key = {"Idempotency-Key": "once"}

    responses = await asyncio.gather(
        *(client.post(PATH, headers=key, data={"pool": "public"}) for _ in range(4))
    )
    replayed = await client.post(PATH, headers=key, json={"pool": "public"})

    assert Counter(r.status_code for r in responses) <= Counter({200: 4, 409: 4})
    assert replayed.headers["Idempotency-Replayed"] == "true"
    (floating_ip,) = (await client.get(PATH)).json()["floating_ips"]
    assert replayed.json() == {"floating_ip": floating_ip}
