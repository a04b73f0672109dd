"""What a project writes on its floating IPs, and the lists that go by it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection
from app.ledger import floating_ips
from app.settings import Settings
from tests import make
from tests.conftest import make_client

ONE = "/os-floating-ips/1/attributes"
PLAIN = {"description": "", "tags": [], "protected": False}


async def write(
    client: AsyncClient, path: str | int = ONE, /, **members: object
) -> Response:
    if isinstance(path, int):
        path = f"/os-floating-ips/{path}/attributes"
    return await client.put(path, json={"floating_ip_attributes": members})


async def read(client: AsyncClient, path: str = ONE) -> dict[str, object]:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    attributes: dict[str, object] = response.json()["floating_ip_attributes"]
    return attributes


async def listed(client: AsyncClient, query: str) -> list[int]:
    response = await client.get(f"/os-floating-ips?{query}")
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["floating_ips"]]


@pytest.fixture(autouse=True)
async def pool(database: LedgerDatabase) -> None:
    await make.pool(database)


async def test_a_new_floating_ip_has_nothing_written_on_it(
    client: AsyncClient,
) -> None:
    await make.floating_ip(client)

    as_json = await client.get(ONE)
    as_xml = await client.get(f"{ONE}.xml")

    assert as_json.json() == {"floating_ip_attributes": PLAIN}
    assert list(as_json.json()["floating_ip_attributes"]) == list(PLAIN)
    assert as_json.headers["ETag"] == '"1"'
    assert as_xml.headers["ETag"] == '"1-xml"'
    assert make.without_declaration(as_xml) == (
        "<floating_ip_attributes><description></description><tags></tags>"
        "<protected>false</protected></floating_ip_attributes>"
    )


async def test_what_is_written_is_read_in_both_types(client: AsyncClient) -> None:
    await make.floating_ip(client)
    written = {"description": "the shop", "tags": ["blue", "web"], "protected": True}

    response = await write(client, **written)

    assert response.status_code == 200
    assert response.json() == {"floating_ip_attributes": written}
    assert response.headers["ETag"] == '"2"'
    assert await read(client) == written
    assert make.without_declaration(await client.get(f"{ONE}.xml")) == (
        "<floating_ip_attributes><description>the shop</description>"
        "<tags><tag>blue</tag><tag>web</tag></tags><protected>true</protected>"
        "</floating_ip_attributes>"
    )


async def test_writing_in_xml(client: AsyncClient) -> None:
    await make.floating_ip(client)
    document = (
        "<floating_ip_attributes><description>a &amp; b</description>"
        "<tags><tag>x &lt; y</tag></tags><protected>true</protected>"
        "</floating_ip_attributes>"
    )

    response = await make.send_xml(client, "PUT", ONE, document)
    cleared = await make.send_xml(
        client,
        "PUT",
        ONE,
        "<floating_ip_attributes><description/><tags/></floating_ip_attributes>",
    )

    assert make.without_declaration(response) == document
    assert cleared.status_code == 200
    assert await read(client) == PLAIN | {"protected": True}


@pytest.mark.parametrize(
    "member", [{"description": "new"}, {"tags": ["new"]}, {"protected": False}, {}]
)
async def test_what_is_absent_stays_as_it_is(
    client: AsyncClient, member: dict[str, object]
) -> None:
    await make.floating_ip(client)
    written = {"description": "the shop", "tags": ["web"], "protected": True}
    await write(client, **written)

    response = await write(client, **member)

    assert response.json()["floating_ip_attributes"] == written | member


async def test_tags_are_a_set_and_told_in_order(client: AsyncClient) -> None:
    """By code point, in which upper case comes first and other scripts last."""
    await make.floating_ip(client)

    await write(client, tags=["web", "\u00e9", "Web", "web", "10", "9", "\U0001f600"])

    expected = ["10", "9", "Web", "web", "\u00e9", "\U0001f600"]
    assert (await read(client))["tags"] == expected


@pytest.mark.parametrize(
    "members",
    [
        {"description": "x" * 255},
        {"description": "\u00e9" * 255},
        {"description": ""},
        {"description": "Null"},
        {"tags": ["x" * 255]},
        {"tags": [f"tag-{n:02}" for n in range(50)]},
        {"tags": []},
        {"tags": ["a b", "a,b", "a=b", "<a>", "&", "\u4e2d"]},
    ],
)
async def test_texts_up_to_their_limits_are_kept_in_both_types(
    client: AsyncClient, members: dict[str, object]
) -> None:
    await make.floating_ip(client)

    response = await write(client, **members)
    as_xml = await client.get(f"{ONE}.xml")
    again = await make.send_xml(client, "PUT", ONE, as_xml.text)

    assert response.status_code == 200
    kept = response.json()["floating_ip_attributes"]
    expected = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in members.items()
    }
    assert kept == PLAIN | expected
    assert make.without_declaration(again) == make.without_declaration(as_xml)
    assert again.headers["ETag"] == as_xml.headers["ETag"]


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"description": None}, "description"),
        ({"description": "null"}, "description"),
        ({"description": "x" * 256}, "description"),
        ({"description": " x"}, "description"),
        ({"description": "x\u3000"}, "description"),
        ({"description": " "}, "description"),
        ({"description": "a\nb"}, "description"),
        ({"description": "a\x00b"}, "description"),
        ({"description": "a\u202eb"}, "description"),
        ({"description": "\ud800"}, "description"),
        ({"description": 7}, "description"),
        ({"description": []}, "description"),
        ({"tags": None}, "tags"),
        ({"tags": "web"}, "tags"),
        ({"tags": {"web": True}}, "tags"),
        ({"tags": [None]}, "tags.0"),
        ({"tags": ["null"]}, "tags.0"),
        ({"tags": ["web", ""]}, "tags.1"),
        ({"tags": ["web "]}, "tags.0"),
        ({"tags": ["a\tb"]}, "tags.0"),
        ({"tags": ["x" * 256]}, "tags.0"),
        ({"tags": [7]}, "tags.0"),
        ({"tags": [f"tag-{n}" for n in range(51)]}, "tags"),
        ({"protected": None}, "protected"),
        ({"protected": "true"}, "protected"),
        ({"protected": 1}, "protected"),
        ({"ip": "203.0.113.7"}, "ip"),
    ],
)
async def test_values_out_of_rule_are_400_and_nothing_is_written(
    client: AsyncClient, members: dict[str, object], named: str
) -> None:
    await make.floating_ip(client)
    body = {"floating_ip_attributes": {"description": "new", **members}}

    response = await client.put(
        ONE,
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 400, response.text
    member = f"floating_ip_attributes.{named}"
    assert member in response.json()["badRequest"]["message"]
    assert await read(client) == PLAIN
    assert (await client.get(ONE)).headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    "body", ["", "{}", "null", "[]", '{"floating_ip_attributes": null}', '{"tags": []}']
)
async def test_without_its_envelope_it_is_400(client: AsyncClient, body: str) -> None:
    await make.floating_ip(client)

    response = await client.put(
        ONE, content=body, headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 400
    assert await read(client) == PLAIN


async def test_the_revision_grows_only_with_a_change(client: AsyncClient) -> None:
    await make.floating_ip(client)
    tags = []
    for members in (
        PLAIN,
        {},
        {"tags": ["web", "blue"]},
        {"tags": ["blue", "web", "blue"]},
        {"description": "x"},
        {"description": "x", "protected": False},
        {"protected": True},
    ):
        tags.append((await write(client, **members)).headers["ETag"])

    assert tags == ['"1"', '"1"', '"2"', '"2"', '"3"', '"3"', '"4"']
    assert (await client.get("/os-floating-ips/1")).headers["ETag"] == '"4"'


async def test_if_match_guards_a_change_and_another_revision_changes_nothing(
    client: AsyncClient,
) -> None:
    await make.floating_ip(client)
    body = {"floating_ip_attributes": {"description": "x"}}

    old = await client.put(ONE, json=body, headers={"If-Match": '"7"'})
    unchanged = await read(client)
    present = await client.put(ONE, json=body, headers={"If-Match": '"1-xml"'})
    late = await client.put(ONE, json=body, headers={"If-Match": '"1"'})

    assert [old.status_code, present.status_code, late.status_code] == [412, 200, 412]
    assert unchanged == PLAIN


async def test_of_many_that_saw_the_same_revision_one_writes(
    client: AsyncClient,
) -> None:
    await make.floating_ip(client)

    async def put(number: int) -> int:
        body = {"floating_ip_attributes": {"description": f"n {number}"}}
        response = await client.put(ONE, json=body, headers={"If-Match": '"1"'})
        return response.status_code

    answers = await asyncio.gather(*(put(number) for number in range(8)))

    assert sorted(answers) == [200] + [412] * 7


async def test_writers_at_once_leave_what_one_of_them_wrote(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Tags are taken away and put on anew: no two may do so at the same time."""
    await make.floating_ip(client)
    sets = [[f"{n}-{m}" for m in range(4)] for n in range(8)]

    answers = await asyncio.gather(*(write(client, tags=tags) for tags in sets))

    assert [response.status_code for response in answers] == [200] * 8
    assert (await read(client))["tags"] in sets
    assert (await client.get(ONE)).headers["ETag"] == '"9"'
    assert await make.breaches(database) == []


async def test_two_that_write_different_members_both_get_their_way(
    client: AsyncClient,
) -> None:
    await make.floating_ip(client)

    await asyncio.gather(
        write(client, description="x"),
        write(client, tags=["web"]),
        write(client, protected=True),
    )

    assert await read(client) == {
        "description": "x",
        "tags": ["web"],
        "protected": True,
    }


async def test_unknown_foreign_and_malformed_ids_get_the_same_answer(
    client: AsyncClient, stranger: AsyncClient
) -> None:
    await make.floating_ip(stranger)

    for floating_ip_id in ("1", "99", "x", "0"):
        path = f"/os-floating-ips/{floating_ip_id}/attributes"
        answers = await client.get(path), await write(client, path, tags=["web"])
        for response in answers:
            assert response.status_code == 404
            assert response.json()["itemNotFound"]["message"] == (
                f"Floating IP '{floating_ip_id}' was not found."
            )
    assert await read(stranger) == PLAIN


async def test_a_reader_reads_and_does_not_write(
    client: AsyncClient, app: ASGIApp
) -> None:
    await make.floating_ip(client)

    async with make_client(app, "reader:demo") as reader:
        assert await read(reader) == PLAIN
        assert (await write(reader, protected=True)).status_code == 403

    assert await read(client) == PLAIN


async def test_a_protected_one_is_not_released_until_it_is_unprotected(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.floating_ip(client)
    await make.floating_ip(client)
    await write(client, protected=True)
    both = {"release_addresses": {"ids": [2, 1]}}

    single = await client.delete("/os-floating-ips/1")
    batch = await client.post("/os-floating-ips/batch/release", json=both)
    still = await listed(client, "")
    await write(client, protected=False)
    released = await client.post("/os-floating-ips/batch/release", json=both)

    assert (single.status_code, batch.status_code) == (409, 409)
    assert single.json()["conflictingRequest"]["message"] == (
        "Floating IP '1' is protected."
    )
    assert still == [1, 2]
    assert released.status_code == 202
    assert await listed(client, "") == []
    assert await make.breaches(database) == []


async def test_a_protected_one_keeps_its_server_with_all_that_it_has(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    server_id = await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.2")
    await make.execute(
        database,
        "UPDATE addresses SET auto_associated = true WHERE fixed_ip = '11.0.0.1'",
    )
    await write(client, 2, protected=True)
    before = await client.get(f"/servers/{server_id}")

    refused = await client.delete(f"/servers/{server_id}")

    assert refused.status_code == 409
    assert (await client.get(f"/servers/{server_id}")).text == before.text
    assert await make.breaches(database) == []
    await write(client, 2, protected=False)
    assert (await client.delete(f"/servers/{server_id}")).status_code == 202
    assert await listed(client, "") == [2]
    assert await make.breaches(database) == []


async def test_a_protected_one_is_moved_and_disassociated_as_any_other(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")
    await write(client, protected=True)

    moved = await make.associate(client, 1, "11.0.0.2")
    parted = await client.post("/os-floating-ips/1/removeFloatingIp")

    assert (moved.status_code, parted.status_code) == (202, 202)
    assert (await read(client))["protected"] is True


@pytest.mark.parametrize("rounds", range(6))
async def test_to_protect_it_against_a_release_has_one_outcome(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.floating_ip(client)
    requests = [write(client, protected=True), client.delete("/os-floating-ips/1")]

    answers = await asyncio.gather(*(requests if rounds % 2 else requests[::-1]))

    statuses = sorted(response.status_code for response in answers)
    assert statuses in ([200, 409], [202, 404])
    assert await make.breaches(database) == []


async def test_what_was_written_goes_with_the_floating_ip(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """The project gets the same address again, and it is a new floating IP."""
    await make.floating_ip(client)
    first = (await client.get("/os-floating-ips/1")).json()["floating_ip"]["ip"]
    await write(client, description="the shop", tags=["web"])

    await client.delete("/os-floating-ips/1")
    again = (await client.post("/os-floating-ips")).json()["floating_ip"]

    assert (again["id"], again["ip"]) == (2, first)
    assert await read(client, "/os-floating-ips/2/attributes") == PLAIN
    assert await listed(client, "tag=web") == []
    async with connection(database) as lent:
        assert await lent.fetch("SELECT FROM floating_ip_tags") == []
    assert await make.breaches(database) == []


async def test_attributes_are_no_part_of_the_drafts_own_object(
    client: AsyncClient,
) -> None:
    await make.floating_ip(client)
    await write(client, description="the shop", tags=["web"], protected=True)

    shown = (await client.get("/os-floating-ips/1")).json()["floating_ip"]

    assert list(shown) == ["id", "ip", "fixed_ip", "instance_id"]


@pytest.fixture
async def six(client: AsyncClient, database: LedgerDatabase) -> None:
    """Even ones are associated; 1, 2, 3 are of the web, 2, 3, 4 blue."""
    await make.server(database, "11.0.0.2", "11.0.0.4", "11.0.0.6")
    for n in range(1, 7):
        await make.floating_ip(client, f"11.0.0.{n}" if n % 2 == 0 else None)
    for n, tags in ((1, ["web"]), (2, ["web", "blue"]), (3, ["blue", "web"])):
        await write(client, n, tags=tags)
    await write(client, 4, tags=["blue", "a&b"])


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("tag=web", [1, 2, 3]),
        ("tag=blue", [2, 3, 4]),
        ("tag=web&tag=blue", [2, 3]),
        ("tag=blue&tag=web&tag=blue", [2, 3]),
        ("tag=a%26b", [4]),
        ("tag=Web", []),
        ("tag=we", []),
        ("tag=web&tag=green", []),
        ("associated=true", [2, 4, 6]),
        ("associated=false", [1, 3, 5]),
        ("associated=true&tag=blue", [2, 4]),
        ("associated=false&tag=web&tag=blue", [3]),
        ("tag=web&marker=1", [2, 3]),
        ("tag=web&marker=6", []),
        ("associated=false&marker=2&limit=1", [3]),
    ],
)
async def test_lists_are_filtered_by_tags_and_by_association(
    client: AsyncClient, query: str, expected: list[int]
) -> None:
    assert await listed(client, query) == expected


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize(
    ("query", "expected"),
    [("tag=blue&tag=web", [2, 3]), ("associated=false&tag=web", [1, 3])],
)
@pytest.mark.parametrize("path", ["/os-floating-ips", "/v1.1/demo/os-floating-ips.xml"])
async def test_the_next_page_keeps_the_filters(
    client: AsyncClient, path: str, query: str, expected: list[int]
) -> None:
    first = await client.get(f"{path}?{query}&limit=1")
    second = await client.get(first.links["next"]["url"])

    assert _ids(first) == expected[:1]
    assert _ids(second) == expected[1:]
    assert "Link" not in second.headers


def _ids(response: Response) -> list[int]:
    if response.headers["Content-Type"] == "application/xml":
        return [n for n in range(1, 7) if f"<id>{n}</id>" in response.text]
    return [each["id"] for each in response.json()["floating_ips"]]


@pytest.mark.parametrize(
    "query",
    [
        "associated=TRUE",
        "associated=1",
        "associated=yes",
        "associated=",
        "associated=null",
        "associated=true%20",
        "tag=",
        "tag=null",
        "tag=%00",
        "tag=a%0Ab",
        "tag=%20web",
        "tag=" + "x" * 256,
        "tag=web&tag=",
        "&".join(f"tag=t{n}" for n in range(51)),
    ],
)
async def test_filters_out_of_rule_are_400(client: AsyncClient, query: str) -> None:
    response = await client.get(f"/os-floating-ips?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["badRequest"]["message"]


@pytest.mark.usefixtures("six")
async def test_another_projects_tags_find_nothing(stranger: AsyncClient) -> None:
    own = await make.floating_ip(stranger)
    await write(stranger, own, tags=["web"])

    assert await listed(stranger, "tag=web") == [own]
    assert await listed(stranger, "tag=blue") == []
    assert await listed(stranger, "tag=web&tag=blue") == []


MANY = """
WITH server AS (
    INSERT INTO servers (project_id, name) VALUES ('demo', 'big') RETURNING id
)
INSERT INTO fixed_ips (project_id, address, server_id)
SELECT 'demo', inet '172.16.0.0' + n, id
  FROM server, generate_series(4, 100000, 4) AS n;

INSERT INTO addresses (address, pool_id, state, floating_ip_id, floating_ip_uuid,
                       project_id, revision, fixed_ip)
SELECT inet '10.0.0.0' + n, 1, 'held', n, gen_random_uuid(), 'demo', 1,
       CASE WHEN n % 4 = 0 THEN inet '172.16.0.0' + n END
  FROM generate_series(1, 100000) AS n;

INSERT INTO floating_ip_tags (project_id, tag, floating_ip_id)
SELECT 'demo', 'web', n FROM generate_series(1, 100000) AS n
 UNION ALL
SELECT 'demo', 'blue', n FROM generate_series(2, 100000, 2) AS n;

ANALYZE addresses, fixed_ips, floating_ip_tags, servers
"""

MARKER, LIMIT = 60_000, 100


@pytest.fixture
async def a_hundred_thousand(database: LedgerDatabase, settings: Settings) -> None:
    """All of one project and of the web, half of them blue, a quarter associated."""
    async with LedgerDatabase(settings, 100) as patient:
        await make.execute(patient, MANY)


async def explained(
    database: LedgerDatabase, statement: str, *values: object
) -> list[dict[str, Any]]:
    """Run a statement, and return the nodes of its plan, the uppermost first."""
    async with connection(database) as lent:
        text = await lent.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values
        )
    nodes = [json.loads(text)[0]["Plan"]]
    for node in nodes:
        nodes.extend(node.pop("Plans", ()))
    return nodes


def rows_read(node: dict[str, Any]) -> int:
    """Count what a node has looked at, all its loops together."""
    each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(each * node["Actual Loops"]) if "Scan" in node["Node Type"] else 0


@pytest.mark.usefixtures("a_hundred_thousand")
async def test_a_page_of_any_filter_reads_its_own_rows_and_sorts_none(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Whatever stands on the pages before, and however many there are behind."""
    where = "demo", MARKER, LIMIT
    pages: list[tuple[str, Sequence[object]]] = [
        (floating_ips.PAGES[associated], where) for associated in (None, True, False)
    ]
    pages += [
        (floating_ips.PAGE_TAGGED, (*where, tags[0], tags, associated))
        for tags in (["web"], ["blue", "web"])
        for associated in (None, True, False)
    ]

    for statement, values in pages:
        nodes = await explained(database, statement, *values)
        assert "Sort" not in {node["Node Type"] for node in nodes}, nodes
        assert sum(rows_read(node) for node in nodes) < 20 * LIMIT, nodes
        blocks = nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"]
        assert blocks < 40 * LIMIT, nodes

    query = f"tag=web&tag=blue&associated=true&marker={MARKER}&limit=2"
    assert await listed(client, query) == [MARKER + 4, MARKER + 8]
