"""If-Match: a floating IP changes only if it is still as the client has seen it."""

import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient, Response
from starlette.types import ASGIApp

from app.database import LedgerDatabase, transaction
from tests import make
from tests.conftest import make_client
from tests.test_idempotency import KEY
from tests.test_no_input_breaks_it import ledger

PATH = "/os-floating-ips/1"
CHANGES: dict[str, tuple[str, str, object]] = {
    "associate": (
        "POST",
        "/addFloatingIp",
        {"associate_address": {"fixed_ip": "11.0.0.2"}},
    ),
    "associate as it is": (
        "POST",
        "/addFloatingIp",
        {"associate_address": {"fixed_ip": "11.0.0.1"}},
    ),
    "disassociate": ("POST", "/removeFloatingIp", None),
    "release": ("DELETE", "", None),
}

each_change = pytest.mark.parametrize("change", CHANGES)


async def second_revision(client: AsyncClient, database: LedgerDatabase) -> None:
    """Make floating IP 1: associated, which is its second revision."""
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")


async def send(
    client: AsyncClient, change: str, *tags: str, path: str = PATH
) -> Response:
    method, action, body = CHANGES[change]
    headers = [(b"if-match", tag.encode("latin-1")) for tag in tags]
    return await client.request(method, path + action, json=body, headers=headers)


@each_change
@pytest.mark.parametrize(
    "tags",
    [
        ['"2"'],
        ['"2-xml"'],
        ["*"],
        ['"1", "2"'],
        ['"1-xml","2-xml" , "elsewhere"'],
        [', ,"2",'],
        ['W/"2", "2"'],
        ['"1"', '"2"'],
        ['"d\u00e9j\u00e0", "2"'],
    ],
)
async def test_a_tag_that_matches_lets_the_change_through(
    client: AsyncClient, database: LedgerDatabase, change: str, tags: list[str]
) -> None:
    await second_revision(client, database)

    response = await send(client, change, *tags)

    assert (response.status_code, response.content) == (202, b"")
    assert await make.breaches(database) == []


@each_change
@pytest.mark.parametrize(
    "tags",
    [
        ['"1"'],
        ['"3"'],
        ['"1-xml", "3"'],
        ['W/"2"'],
        ['W/"2-xml"'],
        ['""'],
        ['"02"'],
        ['"+2"'],
        ['"2_"'],
        ['"2-xml-xml"'],
        ['"\u00b2"'],
        ['"99999999999999999999"'],
        ['"elsewhere"', 'W/"2"'],
    ],
)
async def test_a_tag_that_does_not_is_a_412_and_nothing_changes(
    client: AsyncClient, database: LedgerDatabase, change: str, tags: list[str]
) -> None:
    await second_revision(client, database)
    before = await ledger(database)

    response = await send(client, change, *tags)

    assert response.status_code == 412
    assert response.json()["computeFault"] == {
        "code": 412,
        "message": "If-Match: the revision of the floating IP is 2.",
    }
    assert await ledger(database) == before
    assert (await client.get(PATH)).headers["ETag"] == '"2"'


@each_change
@pytest.mark.parametrize(
    "tags",
    [
        [""],
        ["2"],
        ['"2'],
        ['2"'],
        ["'2'"],
        ['"1" "2"'],
        ['"2", 2'],
        ['*, "2"'],
        ["*", "*"],
        ['w/"2"'],
        ['W/ "2"'],
        ['"2 xml"'],
        [","],
        ['"2"' + "," * 60_000 + "x"],
    ],
)
async def test_what_is_no_condition_is_a_400(
    client: AsyncClient, database: LedgerDatabase, change: str, tags: list[str]
) -> None:
    await second_revision(client, database)
    before = await ledger(database)

    response = await send(client, change, *tags)

    assert response.status_code == 400
    message = response.json()["badRequest"]["message"]
    assert message.startswith("If-Match '")
    assert message.endswith('must be * or a list of entity tags, such as "3".')
    assert await ledger(database) == before


@each_change
@pytest.mark.parametrize("tag", ['"2"', '"1"', "*"])
async def test_an_unknown_or_foreign_floating_ip_is_a_404_whatever_the_tag(
    client: AsyncClient,
    stranger: AsyncClient,
    database: LedgerDatabase,
    change: str,
    tag: str,
) -> None:
    await second_revision(client, database)
    before = await ledger(database)

    unknown = await send(client, change, tag, path="/os-floating-ips/7")
    foreign = await send(stranger, change, tag)

    assert (unknown.status_code, foreign.status_code) == (404, 404)
    assert unknown.text.replace("'7'", "'1'") == foreign.text
    assert await ledger(database) == before


@pytest.mark.parametrize("token", ["reader:demo", "nobody"])
async def test_who_may_not_is_refused_before_the_condition_is_read(
    app: ASGIApp, client: AsyncClient, database: LedgerDatabase, token: str
) -> None:
    await second_revision(client, database)

    async with make_client(app, token) as other:
        responses = [await send(other, change, "no tag") for change in CHANGES]

    assert {r.status_code for r in responses} == {403 if ":" in token else 401}


@pytest.mark.parametrize(
    ("accept", "suffix"), [("application/json", ""), ("application/xml", "-xml")]
)
async def test_each_answer_has_the_tag_for_the_next_change(
    client: AsyncClient, database: LedgerDatabase, accept: str, suffix: str
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    client.headers["Accept"] = accept

    made = await client.post("/os-floating-ips")
    tags = [made.headers["ETag"]]
    for change in (
        "associate",
        "associate",
        "associate as it is",
        "disassociate",
        "disassociate",
    ):
        response = await send(client, change, tags[-1])
        assert response.status_code == 202, tags
        tags.append(response.headers["ETag"])
    released = await send(client, "release", tags[-1])

    assert tags == [f'"{revision}{suffix}"' for revision in (1, 2, 2, 3, 4, 4)]
    assert (released.status_code, released.headers.get("ETag")) == (202, None)


@pytest.mark.parametrize("rounds", range(3))
async def test_sixteen_that_have_seen_the_same_change_it_once(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await second_revision(client, database)
    for number in range(16):
        await make.server(database, f"11.0.1.{number}", name=f"s{number}")

    async def associate(number: int) -> Response:
        return await client.post(
            f"{PATH}/addFloatingIp",
            json={"associate_address": {"fixed_ip": f"11.0.1.{number}"}},
            headers={"If-Match": '"2"'},
        )

    responses = await asyncio.gather(*(associate(number) for number in range(16)))

    statuses = [response.status_code for response in responses]
    assert Counter(statuses) == {202: 1, 412: 15}
    shown = await client.get(PATH)
    assert shown.headers["ETag"] == '"3"'
    assert shown.json()["floating_ip"]["fixed_ip"] == f"11.0.1.{statuses.index(202)}"
    assert await make.breaches(database) == []


@each_change
async def test_what_changes_while_we_wait_for_the_row_is_seen(
    client: AsyncClient, database: LedgerDatabase, change: str
) -> None:
    await second_revision(client, database)

    async with transaction(database) as other:
        await other.execute(
            "UPDATE addresses SET revision = 3 WHERE floating_ip_id = 1"
        )
        waiting = asyncio.create_task(send(client, change, '"2"'))
        await make.somebody_waits(database)

    assert (await waiting).status_code == 412


async def test_a_condition_that_held_once_is_not_asked_again_of_a_replay(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await second_revision(client, database)
    headers = KEY | {"If-Match": '"2"'}

    responses = [
        await client.post(f"{PATH}/removeFloatingIp", headers=headers) for _ in range(2)
    ]

    assert [r.status_code for r in responses] == [202, 202]
    assert [r.headers["ETag"] for r in responses] == ['"3"', '"3"']
    assert responses[1].headers["Idempotency-Replayed"] == "true"


async def test_a_condition_that_failed_may_be_asked_again_with_the_same_key(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await second_revision(client, database)
    path = f"{PATH}/removeFloatingIp"

    statuses = [
        (await client.post(path, headers=KEY | {"If-Match": tag})).status_code
        for tag in ('"1"', '"2"')
    ]

    assert statuses == [412, 202]
