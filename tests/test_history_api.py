"""Who held which address when, as clients ask for it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection
from app.ledger import intervals
from app.settings import Settings
from app.sweeper import Sweeper
from tests import make
from tests.conftest import EMPTY, make_client

PATH = "/os-floating-ip-history"
MEMBERS = [
    "ip",
    "floating_ip_id",
    "project_id",
    "fixed_ip",
    "instance_id",
    "from",
    "until",
    "actor",
    "request_id",
]
RULE = "must be a time as RFC 3339 writes it, such as 2030-01-01T00:00:00Z"


async def told(client: AsyncClient, **filters: str | int) -> list[dict[str, Any]]:
    response = await client.get(PATH, params=filters)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["floating_ip_history"]
    return found


async def run(database: LedgerDatabase, statement: str, *arguments: object) -> None:
    async with connection(database) as lent:
        await lent.execute(statement, *arguments)


async def story(client: AsyncClient, database: LedgerDatabase) -> list[Response]:
    """One floating IP, allocated, associated, moved, disassociated and released."""
    await make.pool(database, "203.0.113.7")
    await make.server(database, "11.0.0.1")
    await make.server(database, "11.0.0.2", name="db")
    allocated = await client.post("/os-floating-ips")
    return [
        allocated,
        await make.associate(client, 1, "11.0.0.1"),
        await make.associate(client, 1, "11.0.0.2"),
        await client.post("/os-floating-ips/1/removeFloatingIp"),
        await client.delete("/os-floating-ips/1"),
    ]


async def test_each_change_begins_an_interval_and_ends_the_one_before(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    responses = await story(client, database)

    found = await told(client)

    assert [list(interval) for interval in found] == [MEMBERS] * 4
    assert [(each["fixed_ip"], each["instance_id"]) for each in found] == [
        (None, None),
        ("11.0.0.1", 1),
        ("11.0.0.2", 2),
        (None, None),
    ]
    assert all(one["until"] == other["from"] for one, other in pairwise(found))
    assert [each["request_id"] for each in found] == [
        response.headers["x-openstack-request-id"] for response in responses[:4]
    ]
    assert {each["actor"] for each in found} == {"joe"}
    assert found[3]["until"].endswith("Z")


async def test_what_lasts_has_no_end_in_either_type(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.floating_ip(client)

    as_json = (await told(client))[0]
    as_xml = await client.get(PATH, headers={"Accept": "application/xml"})

    root = ElementTree.fromstring(as_xml.text)  # noqa: S314  # our own answer
    assert as_json["until"] is None
    assert (root.tag, [child.tag for child in root]) == (
        "floating_ip_history",
        ["interval"],
    )
    assert [(child.tag, child.text) for child in root[0]] == [
        (name, "null" if as_json[name] is None else str(as_json[name]))
        for name in MEMBERS
    ]


async def test_filters_choose(
    client: AsyncClient, admin: AsyncClient, database: LedgerDatabase
) -> None:
    await story(client, database)
    await make.pool(database, "203.0.113.8")
    asked = {"allocate_address": {"address": "203.0.113.8"}}
    await client.post("/os-floating-ips", json=asked)

    assert len(await told(client)) == 5
    assert len(await told(client, ip="203.0.113.7")) == 4
    assert len(await told(client, ip="203.0.113.9")) == 0
    assert len(await told(client, floating_ip_id=2)) == 1
    assert len(await told(client, instance_id=2)) == 1
    assert len(await told(client, instance_id=2, ip="203.0.113.8")) == 0
    assert len(await told(client, floating_ip_id=1, instance_id=1)) == 1
    assert len(await told(admin, project_id="demo")) == 5
    assert len(await told(admin, project_id="other")) == 0


@pytest.mark.parametrize(
    "beside",
    [
        {"ip": "203.0.113.7"},
        {"floating_ip_id": 1},
        {"project_id": "demo"},
        {"project_id": "demo", "ip": "203.0.113.7"},
    ],
)
async def test_an_instant_is_of_the_interval_that_begins_with_it(
    client: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
    beside: dict[str, str | int],
) -> None:
    await story(client, database)
    whole = await told(client)
    before = parsed(whole[0]["from"]) - timedelta(microseconds=1)

    assert await told(admin, at=before.isoformat(), **beside) == []
    for interval in whole:
        assert await told(admin, at=interval["from"], **beside) == [interval]
    assert await told(admin, at=whole[3]["until"], **beside) == []


def parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_window_has_what_overlaps_it(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await story(client, database)
    whole = await told(client)
    times = [interval["from"] for interval in whole]

    assert await told(client, **{"from": times[1]}) == whole[1:]
    assert await told(client, until=times[1]) == whole[:1]
    assert await told(client, **{"from": times[1], "until": times[3]}) == whole[1:3]
    assert await told(client, **{"from": times[3], "ip": "203.0.113.7"}) == whole[3:]
    assert await told(client, **{"from": whole[3]["until"]}) == []


async def test_what_began_and_ended_at_once_is_at_no_time(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    ahead = datetime(2100, 1, 1, tzinfo=UTC)
    await run(database, "UPDATE addresses SET changed_at = $1", ahead)
    await make.floating_ip(client)
    await client.delete("/os-floating-ips/1")

    assert len(await told(client, ip="203.0.113.7")) == 1
    assert await told(client, ip="203.0.113.7", at=ahead.isoformat()) == []
    assert (
        await told(client, floating_ip_id=1, **{"from": "2099-01-01T00:00:00Z"}) == []
    )


@pytest.mark.parametrize(
    "form",
    [
        "{:%Y-%m-%dT%H:%M:%S.%f}Z",
        "{:%Y-%m-%dt%H:%M:%S.%f}z",
        "{:%Y-%m-%dT%H:%M:%S.%f}+00:00",
    ],
)
async def test_a_time_may_be_written_as_rfc_3339_allows(
    client: AsyncClient, database: LedgerDatabase, form: str
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.floating_ip(client)
    (interval,) = await told(client)
    since = parsed(interval["from"])

    assert await told(client, at=form.format(since)) == [interval]
    assert await told(client, at=shifted(since)) == [interval]


def shifted(time: datetime) -> str:
    """Write the same instant with an offset of two hours."""
    return (time + timedelta(hours=2)).isoformat().replace("+00:00", "+02:00")


async def test_a_project_sees_its_own_and_an_admin_all(
    client: AsyncClient,
    stranger: AsyncClient,
    admin: AsyncClient,
    app: ASGIApp,
    database: LedgerDatabase,
) -> None:
    await make.pool(database, "203.0.113.0/29")
    await make.floating_ip(client)
    await make.floating_ip(stranger)

    async with make_client(app, "reader:demo") as reader:
        assert [each["project_id"] for each in await told(reader)] == ["demo"]
    assert [each["project_id"] for each in await told(stranger)] == ["other"]
    assert await told(client, floating_ip_id=2) == []
    assert await told(client, project_id="other") == []
    assert await told(client, project_id="nobody") == []
    assert [each["project_id"] for each in await told(admin)] == ["demo", "other"]
    foreign = await client.get(PATH, params={"marker": 2})
    unknown = await client.get(PATH, params={"marker": 99})
    assert (foreign.status_code, unknown.status_code) == (400, 400)
    assert foreign.text.replace("'2'", "'99'") == unknown.text


async def test_pages_lead_to_the_end_and_keep_the_filters(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/27")
    await make.quota(database, -1)
    for _ in range(9):
        await make.floating_ip(client)
        await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")
    path, pages = f"{PATH}?project_id=demo&from=2020-01-01T00%3A00%3A00Z&limit=7", []
    while path:
        response = await client.get(path)
        pages.append(response.json()["floating_ip_history"])
        path = response.links.get("next", {}).get("url", "")

    assert [len(page) for page in pages] == [7, 7, 4]
    assert [each for page in pages for each in page] == await told(client)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ip=203.0.113.0/24", "ip '203.0.113.0/24': must be one IPv4 or IPv6 address"),
        ("floating_ip_id=x", "floating_ip_id 'x': must be an id"),
        ("floating_ip_id=0", "floating_ip_id '0': must be an id"),
        ("instance_id=9223372036854775808", "must be an id"),
        ("project_id=a%20b", "project_id 'a b': must be 1 to 255 visible"),
        ("at=yesterday", f"at 'yesterday': {RULE}"),
        ("at=2026-11-25T10:00:00", RULE),
        ("at=2026-11-25%2010:00:00Z", RULE),
        ("at=2026-02-30T10:00:00Z", RULE),
        ("at=0001-01-01T00:00:00%2B14:00", RULE),
        ("at=1764064800", RULE),
        ("from=x&ip=203.0.113.7", f"from 'x': {RULE}"),
        ("at=2026-11-25T10:00:00Z&until=2026-11-25T10:00:00Z", "without from and"),
        ("from=2026-11-25T10:00:00Z&until=2026-11-25T10:00:00Z", "later than from"),
        ("marker=x", "marker 'x': must be the id"),
        ("limit=0", "limit '0': must be a whole number"),
    ],
)
async def test_what_is_wrong_is_named(
    client: AsyncClient, database: LedgerDatabase, query: str, message: str
) -> None:
    response = await client.get(f"{PATH}?{query}")

    assert response.status_code == 400
    assert message in response.json()["badRequest"]["message"]


async def test_a_time_alone_is_refused_to_an_admin(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    response = await admin.get(f"{PATH}?at=2026-11-25T10:00:00Z")

    assert response.status_code == 400
    assert "must come with ip" in response.json()["badRequest"]["message"]


MANY = """
INSERT INTO history (address, floating_ip_id, project_id, since, until, actor,
                     request_id)
SELECT CAST('10.0.0.0' AS inet) + n % 500, n, CAST(n % 50 AS text),
       timestamptz '2020-01-01' + n * interval '1 minute',
       timestamptz '2020-01-01' + (n + 400) * interval '1 minute', 'a', 'req'
  FROM generate_series(1, 60000) AS n
"""


async def test_an_address_at_a_time_is_one_look_into_an_index(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await run(database, MANY)
    await run(database, "ANALYZE history")
    at = datetime(2020, 1, 20, tzinfo=UTC)
    window = intervals.Window(at, at).range()
    async with connection(database) as lent:
        rows = await lent.fetch(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT TEXT) " + intervals.BY_ADDRESS_IN_WINDOW,
            *(0, 1001, "10.0.0.7", None, None, None, window),
        )
    plan = "\n".join(row[0] for row in rows)

    assert "Index Scan using one_owner_at_a_time" in plan
    assert "Seq Scan" not in plan
    assert int(plan.partition("shared hit=")[2].split()[0]) < 40, plan
    found = await told(admin, ip="10.0.0.7", at=at.isoformat())
    assert len(found) == 1


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("BY_FLOATING_IP", "history_floating_ip_id_id_idx"),
        ("BY_SERVER", "history_server_id_id_idx"),
        ("BY_PROJECT", "history_project_id_id_idx"),
        ("ALL", "history_pkey"),
    ],
)
async def test_each_filter_has_an_index(
    database: LedgerDatabase, statement: str, index: str
) -> None:
    await run(database, MANY)
    await run(database, "ANALYZE history")
    chosen = {
        "BY_FLOATING_IP": (None, None, 77, None),
        "BY_SERVER": (None, None, None, 77),
        "BY_PROJECT": (None, "7", None, None),
        "ALL": (None, None, None, None),
    }[statement]
    async with connection(database) as lent:
        rows = await lent.fetch(
            "EXPLAIN " + getattr(intervals, statement), 100, 100, *chosen, None
        )

    plan = "\n".join(row[0] for row in rows)
    assert index in plan, plan
    assert "Seq Scan" not in plan


async def test_old_history_is_dropped_in_batches_and_the_present_stays(
    client: AsyncClient, database: LedgerDatabase, settings: Settings
) -> None:
    await run(database, MANY)
    await make.pool(database, "203.0.113.7")
    await make.floating_ip(client)
    await make.server(database, "11.0.0.1")
    await make.associate(client, 1, "11.0.0.1")
    kept = settings.model_copy(update={"history_retention": 30})

    await Sweeper(database, settings).sweep()
    async with connection(database) as lent:
        assert await lent.fetchval("SELECT count(*) FROM history") == 60_002
    await Sweeper(database, kept).sweep()

    async with connection(database) as lent:
        assert await lent.fetchval("SELECT count(*) FROM history") == 2
    assert len(await told(client, ip="203.0.113.7")) == 2
    assert await make.breaches(database) == []


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "associate", "disassociate", "release"]),
        st.integers(0, 2),
    ),
    max_size=12,
)


@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, moments=st.lists(st.floats(0, 1), min_size=3, max_size=3))
async def test_the_past_is_what_was_seen_at_the_time(
    client: AsyncClient,
    database: LedgerDatabase,
    steps: list[Step],
    moments: list[float],
) -> None:
    """What was listed after each step is what history says of any moment since."""
    await run(database, EMPTY)
    await make.pool(database, "203.0.113.0/30")
    for number in range(3):
        await make.server(database, f"11.0.0.{number + 1}", name=f"s{number}")
    seen = [await present(client, database)]
    for what, number in steps:
        await act(client, what, number)
        seen.append(await present(client, database))

    for (time, listed), (end, _) in pairwise(seen):
        for moment in moments:
            at = time + (end - time) * moment * 0.1
            held = await told(client, project_id="demo", at=at.isoformat())
            assert {(each["ip"], each["fixed_ip"]) for each in held} == listed


Listed = set[tuple[str, str | None]]


async def present(
    client: AsyncClient, database: LedgerDatabase
) -> tuple[datetime, Listed]:
    response = await client.get("/os-floating-ips")
    async with connection(database) as lent:
        now: datetime = await lent.fetchval("SELECT clock_timestamp()")
    found = response.json()["floating_ips"]
    return now, {(each["ip"], each["fixed_ip"]) for each in found}


async def act(client: AsyncClient, what: str, number: int) -> None:
    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    if what == "allocate":
        await client.post("/os-floating-ips")
    elif listed:
        chosen = listed[number % len(listed)]["id"]
        match what:
            case "associate":
                await make.associate(client, chosen, f"11.0.0.{number + 1}")
            case "disassociate":
                await client.post(f"/os-floating-ips/{chosen}/removeFloatingIp")
            case "release":
                await client.delete(f"/os-floating-ips/{chosen}")


YEARS_AGO = """
ALTER TABLE history DISABLE TRIGGER ALL;
UPDATE history SET since = since - interval '9 y', until = until - interval '9 y';
ALTER TABLE history ENABLE TRIGGER ALL;
UPDATE addresses SET changed_at = changed_at - interval '9 y',
                     rests_until = rests_until - interval '9 y'
"""


async def test_a_round_of_the_sweep_has_one_age(
    client: AsyncClient, database: LedgerDatabase, settings: Settings
) -> None:
    """Else a floating IP loses an interval, and keeps the one before it."""
    await story(client, database)
    await run(database, YEARS_AGO)
    sweeper = Sweeper(database, settings.model_copy(update={"history_retention": 1}))
    # The first interval was too young when this round of ten years' age passed it.
    sweeper._round = 1, datetime.now(UTC) - timedelta(days=3650)

    await sweeper.sweep()
    assert len(await told(client)) == 4
    assert await make.breaches(database) == []
    await sweeper.sweep()

    assert await told(client) == []
    assert await make.breaches(database) == []
