import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase
from tests import make


async def ids(client: AsyncClient, path: str) -> list[int]:
    (members,) = (await client.get(path)).json().values()
    return [member["id"] for member in members]


async def test_an_empty_list_is_empty_in_both_types(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    as_json = await client.get("/os-floating-ips")
    as_xml = await client.get("/os-floating-ips.xml")

    assert as_json.json() == {"floating_ips": []}
    assert as_xml.text.split("\n", 1)[1] in (
        "<floating_ips/>",
        "<floating_ips></floating_ips>",
    )


@pytest.mark.parametrize("suffix", ["", ".json", ".xml"])
@pytest.mark.parametrize("mount", ["", "/v1.1/demo"])
async def test_following_the_links_shows_every_member_once_in_order(
    client: AsyncClient, database: LedgerDatabase, mount: str, suffix: str
) -> None:
    await make.pool(database)
    for _ in range(5):
        await make.floating_ip(client)

    seen, pages, path = [], 0, f"{mount}/os-floating-ips{suffix}?limit=2"
    while path:
        response = await client.get(path)
        assert response.status_code == 200
        is_xml = response.text.startswith("<?xml")
        assert is_xml == (suffix == ".xml")
        seen += [n for n in range(1, 6) if f"<id>{n}<" in response.text] or [
            member["id"] for member in response.json()["floating_ips"]
        ]
        pages += 1
        path = response.links.get("next", {}).get("url", "")

    assert (pages, seen) == (3, [1, 2, 3, 4, 5])


async def test_a_full_last_page_has_no_next(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    for _ in range(2):
        await make.floating_ip(client)

    response = await client.get("/os-floating-ips?limit=2")

    assert "Link" not in response.headers


async def test_servers_are_paged_too(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    for n in (1, 2, 3):
        await make.server(database, f"11.0.0.{n}", name=f"s{n}")

    first = await client.get("/servers?limit=2")
    second = await client.get(first.links["next"]["url"])

    assert [s["name"] for s in first.json()["servers"]] == ["s1", "s2"]
    assert [s["name"] for s in second.json()["servers"]] == ["s3"]


async def test_a_page_has_a_thousand_members_however_many_are_asked_for(
    admin: AsyncClient, client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "10.9.0.0/21")

    for limit in ("", "?limit=1000", "?limit=5000", "?limit=99999999999999999999"):
        response = await admin.get(f"/os-floating-ips-bulk{limit}")

        assert len(response.json()["floating_ip_info"]) == 1000
        assert "marker=10.9.3.232" in response.links["next"]["url"]


@pytest.mark.parametrize("path", ["/os-floating-ips", "/servers"])
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "limit=1.0",
        "limit=+1",
        "limit=%201",
        "limit=1_0",
        "limit=\u0663",
        "limit=",
        "marker=99",
        "marker=0",
        "marker=-1",
        "marker=x",
        "marker=",
        "marker=9223372036854775808",
        "marker=1%00",
    ],
)
async def test_limits_and_markers_out_of_rule_are_400(
    client: AsyncClient, database: LedgerDatabase, path: str, query: str
) -> None:
    response = await client.get(f"{path}?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["badRequest"]["message"]


async def test_another_projects_member_is_no_marker(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    foreign = await make.floating_ip(stranger)

    response = await client.get(f"/os-floating-ips?marker={foreign}")

    assert response.status_code == 400


@pytest.mark.parametrize("query", ["limit=x", "marker=203.0.113.99", "marker=x"])
async def test_the_addresses_of_pools_have_markers_of_their_own(
    admin: AsyncClient, database: LedgerDatabase, query: str
) -> None:
    await make.pool(database, "203.0.113.7")

    response = await admin.get(f"/os-floating-ips-bulk?{query}")

    assert response.status_code == 400
