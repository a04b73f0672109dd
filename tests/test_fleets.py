"""Fleets in and out as CSV, by the commands that operators use."""

import asyncio
import re
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from httpx import AsyncClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.auth import Caller, Role
from app.database import LedgerDatabase, Tx, connection, snapshot, transaction
from app.ledger import allocation, fleets, servers
from app.ledger.fleets import FleetRefused, TakenIn, Terms, form, incoming
from app.ledger.fleets.faults import Faults
from app.ledger.registration import is_name
from app.settings import Settings
from tests import make
from tests.conftest import EMPTY
from tests.service import CLEAN, FLOATING_IPS, Service, command, serving

HEADER = "address,project,fixed_ip,server\n"
FLEET = HEADER + (
    "203.0.113.1,demo,10.0.0.3,web\n"
    "203.0.113.2,demo,10.0.0.4,web\n"
    "203.0.113.3,demo,,\n"
    '203.0.113.4,other,10.0.0.3,"=cmd(), ""x"""\n'
    "2001:db8::7,other,fd00::1,naïve 🙂\n"
)
EVERYTHING = """
SELECT (SELECT json_agg(t ORDER BY address) FROM addresses t),
       (SELECT json_agg(t ORDER BY id) FROM servers t),
       (SELECT json_agg(t ORDER BY project_id, address) FROM fixed_ips t),
       (SELECT json_agg(t ORDER BY project_id) FROM quotas t),
       (SELECT json_agg(t ORDER BY id) FROM pools t),
       (SELECT json_agg(t ORDER BY id) FROM history t)
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(settings: Settings, database: LedgerDatabase) -> Command:
    """The command, on the database of the test."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command(*arguments, DATABASE_URL=settings.database_url or "")

    return run


async def fetch(database: LedgerDatabase, sql: str) -> list[tuple[object, ...]]:
    async with connection(database) as lent:
        return [tuple(row) for row in await lent.fetch(sql)]


async def imported(
    database: LedgerDatabase, text: str, pool: str | None = "public", **terms: bool
) -> TakenIn:
    async with transaction(database) as tx:
        asked = Terms("req-test", 10, pool, **terms)
        return await fleets.take_in(tx, text.encode(), asked)


async def refused(
    database: LedgerDatabase, text: str, pool: str | None = "public"
) -> list[str]:
    """Import what must not be imported, and return what is told."""
    before = await fetch(database, EVERYTHING)
    with pytest.raises(FleetRefused) as told:
        await imported(database, text, pool)
    assert await fetch(database, EVERYTHING) == before
    return [f"{fault.line}: {fault.sentence}" for fault in told.value.faults]


async def exported(database: LedgerDatabase) -> str:
    async with snapshot(database) as tx:
        return "".join([lines async for lines in fleets.export(tx)])


async def test_a_fleet_goes_in_and_comes_out_to_the_byte(
    cli: Command, database: LedgerDatabase, folder: Path
) -> None:
    file = folder / "fleet.csv"
    file.write_text(FLEET)

    done = await asyncio.to_thread(cli, "import", str(file), "--pool", "public")
    out = await asyncio.to_thread(cli, "export")
    checked = await asyncio.to_thread(cli, "check")

    assert re.fullmatch(
        r"Imported 5 floating IPs, as req-[0-9a-f-]{36}\.\n"
        r"  3 servers registered\n  5 addresses added to public\n",
        done.stdout,
    ), done
    assert out.stdout == FLEET
    assert checked.returncode == 0
    assert await make.breaches(database) == []


async def test_history_names_the_import_once_for_each_floating_ip(
    database: LedgerDatabase,
) -> None:
    await imported(database, FLEET)

    rows = await fetch(
        database,
        "SELECT host(h.address), h.project_id, host(h.fixed_ip), s.name, actor,"
        " request_id, until FROM history h LEFT JOIN servers s ON s.id = h.server_id"
        " ORDER BY h.address",
    )

    import_ = ("import", "req-test", None)
    assert rows == [
        ("203.0.113.1", "demo", "10.0.0.3", "web", *import_),
        ("203.0.113.2", "demo", "10.0.0.4", "web", *import_),
        ("203.0.113.3", "demo", None, None, *import_),
        ("203.0.113.4", "other", "10.0.0.3", '=cmd(), "x"', *import_),
        ("2001:db8::7", "other", "fd00::1", "naïve 🙂", *import_),
    ]


async def test_what_was_imported_is_used_as_if_its_projects_had_made_it(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await imported(database, FLEET)

    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    web = (await client.get("/servers")).json()["servers"][0]
    deleted = await client.delete(f"/servers/{web['id']}")
    released = await client.delete(f"/os-floating-ips/{listed[0]['id']}")

    assert len(listed) == 3
    assert [each["addr"] for each in web["addresses"]["private"]] == [
        "10.0.0.3",
        "10.0.0.4",
    ]
    assert (deleted.status_code, released.status_code) == (202, 202)
    assert await make.breaches(database) == []


values = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "),
    min_size=1,
    max_size=12,
).filter(is_name)
projects = st.sampled_from(["demo", "=1+1", "@x", "-", "a,b", 'q"', "'"])
v4 = st.ip_addresses(v=4)
v6 = st.integers(1, 2**32).map(lambda n: IPv6Address(n << 90))
pairs = st.tuples(v4, v4 | st.none()) | st.tuples(v6, v6 | st.none())
drawn = st.lists(
    st.tuples(pairs, projects, values),
    max_size=12,
    unique_by=(lambda line: line[0][0], lambda line: (line[0][1] or line[0], line[1])),
)


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn)
@example([])
async def test_what_was_exported_is_imported_and_exported_the_same(
    database: LedgerDatabase, drawn: list[tuple[tuple[object, ...], str, str]]
) -> None:
    lines = [
        (str(ip), project, str(fixed_ip), name)
        if fixed_ip
        else (str(ip), project, "", "")
        for (ip, fixed_ip), project, name in drawn
    ]
    async with connection(database) as lent:
        await lent.execute(EMPTY)
    await imported(database, HEADER + form.written(lines), raise_quotas=True)
    first = await exported(database)
    async with connection(database) as lent:
        await lent.execute(EMPTY)
    await imported(database, first, raise_quotas=True)

    assert await exported(database) == first
    assert sorted(first.splitlines()[1:]) == sorted(form.written(lines).splitlines())


async def test_crlf_a_byte_order_mark_quotes_and_standard_input(
    settings: Settings, database: LedgerDatabase
) -> None:
    text = "\ufeff" + FLEET.replace("\n", "\r\n").replace("demo", '"demo"')

    done = await asyncio.to_thread(
        subprocess.run,
        [*FLOATING_IPS, "import", "-", "--pool", "public"],
        input=text.encode(),
        env={**CLEAN, "DATABASE_URL": settings.database_url or ""},
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert await exported(database) == FLEET


FAULTS = {
    "203.0.113.x,demo,,": "address '203.0.113.x': must be one IPv4 or IPv6 address, "
    "without prefix, scope or IPv4 mapping.",
    "::ffff:1.2.3.4,demo,,": "address '::ffff:1.2.3.4': must be one IPv4 or IPv6 "
    "address, without prefix, scope or IPv4 mapping.",
    "203.0.113.9,de mo,,": "project 'de mo': must be 1 to 255 visible ASCII characters "
    "without a slash.",
    "203.0.113.9,,,": "project '': must be 1 to 255 visible ASCII characters "
    "without a slash.",
    "203.0.113.9,demo,10.0.0.9,": "line '203.0.113.9,demo,10.0.0.9,': fixed_ip and "
    "server must be given together.",
    "203.0.113.9,demo,,web": "line '203.0.113.9,demo,,web': fixed_ip and server must "
    "be given together.",
    "203.0.113.9,demo,fd00::9,web": "fixed_ip 'fd00::9': must be an IPv4 address, as "
    "the floating IP 203.0.113.9 is.",
    "203.0.113.9,demo,10.0.0.9/32,web": "fixed_ip '10.0.0.9/32': must be one IPv4 or "
    "IPv6 address, without prefix, scope or IPv4 mapping.",
    "203.0.113.9,demo,10.0.0.9,null": "server 'null': must be 1 to 255 printable "
    "characters without space at either end, and not null.",
    "203.0.113.9,demo,10.0.0.9,a\tb": "server 'a\ufffdb': must be 1 to 255 printable "
    "characters without space at either end, and not null.",
    f"203.0.113.9,demo,10.0.0.9,{'x' * 256}": f"server '{'x' * 64}…': must be 1 to 255 "
    "printable characters without space at either end, and not null.",
    "203.0.113.9,demo,10.0.0.9,\udcff": "line '203.0.113.9,demo,10.0.0.9,\ufffd': is "
    "not in UTF-8.",
    "203.0.113.9,demo": "line '203.0.113.9,demo': must be 4 values between commas, "
    "quoted as in RFC 4180.",
    "": "line '': must be 4 values between commas, quoted as in RFC 4180.",
    '203.0.113.9,demo,10.0.0.9,"web': "line '203.0.113.9,demo,10.0.0.9,\"web': must be "
    "4 values between commas, quoted as in RFC 4180.",
    '203.0.113.9,demo,10.0.0.9,"web"x': "line '203.0.113.9,demo,10.0.0.9,\"web\"x': "
    "must be 4 values between commas, quoted as in RFC 4180.",
    f"203.0.113.9,demo,,{'x' * 5000}": f"line '203.0.113.9,demo,,{'x' * 46}…': is "
    "longer than 4096 bytes.",
}


@pytest.mark.parametrize(("line", "told"), FAULTS.items(), ids=str)
def test_a_line_out_of_rule_is_told_and_the_next_is_read(line: str, told: str) -> None:
    faults = Faults()
    content = f"{HEADER}{line}\n203.0.113.10,demo,,\n"

    read = form.read(content.encode(errors="surrogateescape"), faults)

    assert [number for number, *_ in read] == [3]
    assert [(fault.line, fault.sentence) for fault in faults.first()] == [(2, told)]


@pytest.mark.parametrize("header", ["", "\n", "address,project\n", "203.0.113.1,x,,\n"])
async def test_a_file_without_the_header_is_one_fault(
    database: LedgerDatabase, header: str
) -> None:
    told = await refused(database, f"{header}{FLEET.removeprefix(HEADER)}")

    shown = header.strip() or ("203.0.113.1,demo,10.0.0.3,web" if not header else "")
    assert told == [f"1: header '{shown}': must be address,project,fixed_ip,server."]


def test_a_file_has_a_million_lines_and_64_mib_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(form, "LINES_LIMIT", 2)
    too_many, too_long = Faults(), Faults()

    lines = list(form.read((HEADER + "1.2.3.4,x,,\n" * 5).encode(), too_many))
    monkeypatch.setattr(form, "CONTENT_LIMIT", 40)
    nothing = list(form.read(FLEET.encode(), too_long))

    assert (len(lines), len(nothing)) == (2, 0)
    assert [fault.line for fault in too_many.first()] == [4]
    assert [fault.line for fault in too_long.first()] == [1]


async def test_every_line_against_the_ledger_is_told_with_its_rule(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.1")
    await make.server(database, "10.0.0.1", name="web")
    await make.server(database, "10.0.0.2", name="twin")
    await make.server(database, "10.0.0.3", name="twin")
    await make.floating_ip(client, "10.0.0.1")
    await make.pool(database, "198.51.100.0/28", name="more")
    text = HEADER + (
        "203.0.113.1,demo,,\n"
        "203.0.113.2,demo,,\n"
        "198.51.100.1,demo,,\n"
        "198.51.100.1,other,,\n"
        "198.51.100.2,demo,10.0.0.9,new\n"
        "198.51.100.3,demo,10.0.0.9,new\n"
        "198.51.100.4,demo,10.0.0.1,web\n"
        "198.51.100.5,demo,10.0.0.2,other\n"
        "198.51.100.6,demo,10.0.0.7,twin\n"
        "198.51.100.7,demo,10.0.0.3,twin\n"
        "198.51.100.8,demo,10.0.0.8,web\n"
    )

    assert await refused(database, text, None) == [
        "2: address '203.0.113.1': is held by project demo already.",
        "3: address '203.0.113.2': is in no pool.",
        "5: address '198.51.100.1': is on line 4 already.",
        "7: fixed_ip '10.0.0.9': is on line 6 already, for the same project.",
        "8: fixed_ip '10.0.0.1': has another floating IP, 203.0.113.1.",
        "9: fixed_ip '10.0.0.2': a server of another name has it already: twin.",
        "10: server 'twin': the project has several servers of that name, none with "
        "that fixed IP.",
    ]


async def test_what_the_ledger_has_is_used_where_it_agrees(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    web = await make.server(database, "10.0.0.1", name="web")
    twins = [await make.server(database, f"10.0.0.{n}", name="twin") for n in (2, 3)]
    text = HEADER + (
        "203.0.113.1,demo,10.0.0.1,web\n"
        "203.0.113.2,demo,10.0.0.3,twin\n"
        "203.0.113.3,demo,10.0.0.8,web\n"
        "203.0.113.4,other,10.0.0.1,web\n"
    )

    taken = await imported(database, text, None)

    listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
    placed = {each["ip"]: each["instance_id"] for each in listed}
    assert taken == TakenIn(floating_ips=4, servers=1, addresses=0, quotas=0)
    assert placed == {"203.0.113.1": web, "203.0.113.2": twins[1], "203.0.113.3": web}
    assert await make.breaches(database) == []


async def test_an_address_of_another_pool_stays_there(database: LedgerDatabase) -> None:
    await make.pool(database, "203.0.113.1", name="old")

    await imported(database, HEADER + "203.0.113.1,a,,\n203.0.113.2,a,,\n", "new")

    in_pools = "SELECT host(address), name FROM addresses JOIN pools ON id = pool_id"
    assert sorted(await fetch(database, in_pools)) == [
        ("203.0.113.1", "old"),
        ("203.0.113.2", "new"),
    ]


async def test_lines_beyond_the_quota_are_told_and_counted_from_what_is_held(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "198.51.100.0/28", name="public")
    await make.floating_ip(client)
    await make.quota(database, 2)
    await make.quota(database, -1, "free")
    text = HEADER + "".join(
        f"203.0.113.{n},{('demo', 'free')[n % 2]},,\n" for n in range(1, 9)
    )

    told = await refused(database, text)

    rule = "project 'demo': may hold 2 floating IPs, and this would be number"
    assert told == [f"{line}: {rule} {n}." for line, n in ((5, 3), (7, 4), (9, 5))]


async def test_quotas_are_raised_to_what_is_held_and_no_further(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.quota(database, 2)
    await make.quota(database, -1, "free")
    text = HEADER + "".join(
        f"203.0.113.{n},{('demo', 'free', 'new')[n % 3]},,\n" for n in range(1, 10)
    )

    taken = await imported(database, text, raise_quotas=True)

    quotas = await fetch(database, "SELECT project_id, allowed, dealt FROM quotas")
    assert taken.quotas == 1
    assert sorted(quotas) == [("demo", 3, 3), ("free", -1, -1), ("new", None, 10)]
    assert (await client.post("/os-floating-ips")).status_code == 403
    assert await make.breaches(database) == []


@pytest.mark.parametrize("rounds", range(8))
async def test_one_address_is_imported_or_allocated_and_never_both(
    client: AsyncClient, database: LedgerDatabase, rounds: int
) -> None:
    await make.pool(database, "203.0.113.7")
    text = HEADER + "203.0.113.7,other,10.0.0.1,web\n203.0.113.8,other,10.0.0.2,web\n"

    allocated, outcome = await asyncio.gather(
        client.post("/os-floating-ips"),
        imported(database, text),
        return_exceptions=True,
    )

    counts = "SELECT count(*), count(fixed_ip) FROM addresses WHERE state = 'held'"
    if isinstance(outcome, FleetRefused):
        assert not isinstance(allocated, BaseException)
        assert allocated.status_code == 200
        assert await fetch(database, counts) == [(1, 0)]
        assert await fetch(database, "SELECT FROM servers") == []
    else:
        assert isinstance(outcome, TakenIn), outcome
        assert await fetch(database, counts) in ([(2, 2)], [(3, 2)])
    assert await make.breaches(database) == []


async def meeting(
    database: LedgerDatabase, text: str, other: Callable[[Tx], Awaitable[object]]
) -> TakenIn | BaseException:
    """Import while another transaction is under way, which then commits."""
    async with transaction(database) as tx:
        await other(tx)
        importing = asyncio.create_task(imported(database, text))
        await asyncio.sleep(0.2)
        assert not importing.done()
    (outcome,) = await asyncio.gather(importing, return_exceptions=True)
    return outcome


JOE = Caller("joe", "demo", Role.MEMBER, "req-joe")


async def test_the_quota_is_counted_after_an_allocation_under_way(
    database: LedgerDatabase,
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await make.quota(database, 1)

    outcome = await meeting(
        database,
        HEADER + "198.51.100.1,demo,,\n",
        lambda tx: allocation.allocate(tx, JOE, "public", 10),
    )

    assert isinstance(outcome, FleetRefused), outcome
    assert "may hold 1 floating IPs" in outcome.faults[0].sentence
    assert await make.breaches(database) == []


async def test_no_allocation_comes_between_the_look_at_the_quota_and_its_count(
    client: AsyncClient, database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.pool(database, "203.0.113.0/28")
    await make.quota(database, 1)
    count, allocations = incoming._count, []

    async def count_late(tx: Tx, terms: Terms, projects: Sequence[str]) -> int:
        allocations.append(asyncio.create_task(client.post("/os-floating-ips")))
        await asyncio.sleep(0.2)
        return await count(tx, terms, projects)

    monkeypatch.setattr(incoming, "_count", count_late)
    await imported(database, HEADER + "198.51.100.1,demo,,\n")

    assert (await allocations[0]).status_code == 403
    assert await make.breaches(database) == []


async def test_an_address_is_looked_at_after_an_allocation_under_way(
    database: LedgerDatabase,
) -> None:
    await make.pool(database, "203.0.113.7")

    outcome = await meeting(
        database,
        HEADER + "203.0.113.7,other,,\n",
        lambda tx: allocation.allocate(tx, JOE, "public", 10),
    )

    assert isinstance(outcome, FleetRefused), outcome
    assert outcome.faults[0].sentence == (
        "address '203.0.113.7': is held by project demo already."
    )


async def test_a_server_that_is_being_removed_is_registered_anew(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    web = await make.server(database, "10.0.0.1", name="web")

    outcome = await meeting(
        database,
        HEADER + "203.0.113.1,demo,10.0.0.1,web\n",
        lambda tx: servers.remove(tx, JOE, web),
    )

    left = (await client.get("/servers")).json()["servers"]
    assert outcome == TakenIn(floating_ips=1, servers=1, addresses=1, quotas=0)
    assert [each["id"] for each in left] == [web + 1]
    assert await make.breaches(database) == []


async def test_of_two_imports_at_once_one_is_whole_and_one_is_refused(
    database: LedgerDatabase,
) -> None:
    outcomes = await asyncio.gather(
        *(imported(database, FLEET) for _ in range(4)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(TakenIn) == 1
    assert [type(outcome) for outcome in outcomes].count(FleetRefused) == 3
    assert await exported(database) == FLEET
    assert await make.breaches(database) == []


@pytest.fixture(scope="module")
def beside(folder: Path) -> Iterator[tuple[Service, Path]]:
    """A running service, and its data directory."""
    with serving(folder / "fleets") as service:
        yield service, folder / "fleets"


def test_a_fleet_comes_in_beside_a_running_service(
    beside: tuple[Service, Path], folder: Path
) -> None:
    service, data_dir = beside
    where = ("--data-dir", str(data_dir))
    file, out = folder / "beside.csv", folder / "out.csv"
    file.write_text(FLEET)

    refused = command("import", str(file), *where)
    done = command("import", str(file), *where, "--pool", "public")
    written = command("export", str(out), *where)
    with service.client() as client:
        listed = client.get("/os-floating-ips").json()["floating_ips"]

    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "line 2: address '203.0.113.1': is in no pool.",
        "line 3: address '203.0.113.2': is in no pool.",
        "line 4: address '203.0.113.3': is in no pool.",
        "line 5: address '203.0.113.4': is in no pool.",
        "line 6: address '2001:db8::7': is in no pool.",
        f"floating-ips: {file} is not imported; faults: 5.",
    ]
    assert (done.returncode, written.returncode) == (0, 0)
    assert {each["ip"] for each in listed} == {f"203.0.113.{n}" for n in (1, 2, 3)}
    assert out.read_text() == FLEET
    assert [path.name for path in folder.glob("out.csv*")] == ["out.csv"]


def test_an_export_that_cannot_be_written_leaves_the_file_as_it_was(
    beside: tuple[Service, Path],
) -> None:
    _, data_dir = beside

    full = command("export", "/dev/full", "--data-dir", str(data_dir))
    nowhere = command("export", "/nonexistent/x.csv", "--data-dir", str(data_dir))

    assert (full.returncode, nowhere.returncode) == (2, 2)
    assert full.stderr == "floating-ips: /dev/full: No space left on device.\n"
    assert nowhere.stderr.endswith("x.csv: No such file or directory.\n")


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    """Watch a process to its end, and return the most memory it had, in KiB."""
    peak = 0
    while process.poll() is None:
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            if found := re.search(r"VmHWM:\s+(\d+)", status):
                peak = max(peak, int(found[1]))
        time.sleep(0.01)
    return peak


def test_200_000_lines_and_their_faults_fit_in_little_memory(
    settings: Settings, database: LedgerDatabase, folder: Path
) -> None:
    file = folder / "many.csv"
    with file.open("w") as lines:
        lines.write(HEADER)
        for n in range(200_000):
            ip = f"{n >> 16}.{n >> 8 & 255}.{n & 255}"
            lines.write(f"20.{ip},p{n % 999},10.{ip},server-{n}\n")

    with (folder / "told").open("w") as told:
        process = subprocess.Popen(  # noqa: S603
            [*FLOATING_IPS, "import", str(file)],
            env={**CLEAN, "DATABASE_URL": settings.database_url or ""},
            stderr=told,
        )
        peak = peak_memory(process)

    sentences = (folder / "told").read_text().splitlines()
    assert process.returncode == 2
    assert len(sentences) == 1002
    assert sentences[0] == "line 2: address '20.0.0.0': is in no pool."
    assert sentences[-2] == "and 199000 more"
    assert peak < 160 * 1024, "the interpreter and libraries have 90 MB"


async def test_servers_registered_by_the_rule_are_exported_by_their_name(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    await make.server(database, name="unused")
    await make.server(database, "10.0.0.1", name="web")
    await make.floating_ip(client, "10.0.0.1")

    assert await exported(database) == HEADER + "203.0.113.7,demo,10.0.0.1,web\n"
