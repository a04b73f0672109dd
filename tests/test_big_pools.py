"""Pools of any size: added in batches, in one transaction, with a bar to look at."""

import asyncio
import os
import pty
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from app.database import LedgerDatabase, connection, transaction
from app.errors import AddressExists, InvalidValue
from app.ledger import pools
from app.ledger.addresses import parse_range
from app.ledger.pools import filling
from app.settings import Settings
from tests import make
from tests.service import CLEAN, FLOATING_IPS, command


async def fetch(database: LedgerDatabase, sql: str) -> list[tuple[object, ...]]:
    async with connection(database) as lent:
        return [tuple(row) for row in await lent.fetch(sql)]


async def test_adding_tells_its_progress_and_keys_are_spread_over_the_whole_range(
    database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "BATCH", 1000)
    told: list[int] = []

    async with transaction(database) as tx:
        addresses = parse_range("10.8.0.0/20")
        await pools.add(tx, "public", addresses, "eth0", told.append)

    spread = (
        "SELECT width_bucket(pick, 0, 1, 4) AS quarter, count(*), count(DISTINCT pick)"
        " FROM addresses GROUP BY quarter ORDER BY quarter"
    )
    assert told == [1000, 1000, 1000, 1000, 94]
    for quarter, (bucket, count, different) in enumerate(
        await fetch(database, spread), start=1
    ):
        assert bucket == quarter
        assert different == count
        assert 900 < int(str(count)) < 1150


async def test_the_first_address_that_is_in_a_pool_already_is_named(
    database: LedgerDatabase,
) -> None:
    for ip in ("203.0.113.9", "203.0.113.5", "203.0.113.12"):
        await make.pool(database, ip, name="other")

    with pytest.raises(AddressExists, match=r"^203\.0\.113\.5 is in a pool already"):
        await make.pool(database)


async def test_whoever_comes_second_is_told_the_first_address_of_who_came_first(
    database: LedgerDatabase,
) -> None:
    async with transaction(database) as first:
        await pools.add(first, "a", parse_range("203.0.113.8/29"), "eth0")
        second = asyncio.create_task(make.pool(database, name="b"))
        await asyncio.sleep(0.3)
        assert not second.done()

    with pytest.raises(AddressExists, match=r"^203\.0\.113\.9 is in a pool already"):
        await second
    assert await fetch(database, "SELECT name FROM pools") == [("a",)]


async def test_more_than_2_to_the_24_addresses_are_refused(
    database: LedgerDatabase, folder: Path
) -> None:
    where = ("--data-dir", str(folder / "never-added"))

    told = await asyncio.to_thread(command, "pool", "add", "x", "8.0.0.0/7", *where)
    with pytest.raises(InvalidValue):
        await make.pool(database, "2001:db8::/103")

    rule = "must not have more than 16777216 addresses"
    assert told.stderr == f"floating-ips: ip_range '8.0.0.0/7': {rule}.\n"
    assert told.returncode == 2
    assert not (folder / "never-added").exists()


async def test_ctrl_c_leaves_nothing_behind_and_a_terminal_shows_a_bar(
    settings: Settings, database: LedgerDatabase
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: ASYNC220, S603
        [*FLOATING_IPS, "pool", "add", "big", "10.0.0.0/8"],
        env={**CLEAN, "DATABASE_URL": settings.database_url or "", "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        preexec_fn=_heed_ctrl_c,
    )
    os.close(theirs)

    shown = await asyncio.to_thread(_until, ours, b"Adding to big")
    # A terminal that nobody reads from would in the end hold up who writes to it.
    rest = asyncio.create_task(asyncio.to_thread(_until, ours, b"never said"))
    began = time.monotonic()
    await asyncio.sleep(1)
    process.send_signal(signal.SIGINT)
    code = await asyncio.to_thread(process.wait, 30)

    await rest
    os.close(ours)
    assert b"Adding to big" in shown
    assert code not in (0, 2)
    assert time.monotonic() - began < 15
    assert await fetch(database, "SELECT name FROM pools") == []
    assert await fetch(database, "SELECT FROM addresses LIMIT 1") == []


def _heed_ctrl_c() -> None:
    """Undo what shells do to background jobs: in them, SIGINT is ignored from birth."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _until(terminal: int, text: bytes) -> bytes:
    """Read until the text has come, or nobody writes to the terminal any more."""
    shown = b""
    with suppress(OSError):
        while text not in shown:
            shown += os.read(terminal, 1024)
    return shown


async def test_no_bar_without_a_terminal(
    settings: Settings, database: LedgerDatabase
) -> None:
    url = settings.database_url or ""
    added = await asyncio.to_thread(
        command, "pool", "add", "p", "203.0.113.0/29", DATABASE_URL=url
    )

    assert (added.stdout, added.stderr) == ("Added 6 addresses to p.\n", "")
