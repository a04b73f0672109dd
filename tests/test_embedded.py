"""A Postgres of our own lives, is killed, and has every committed row again."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from databases import Database

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError, processes
from app.embedded.account import account_for
from app.embedded.binaries import _candidates
from app.embedded.cluster import Cluster
from tests.embedded_parents import (
    ORDINARY,
    Start,
    data_dir,
    place,
    says,
    start_parent,
)

__all__ = ["data_dir", "place", "start_parent"]


def living(data_dir: Path) -> list[int]:
    cluster = Cluster(data_dir)
    return list(processes.left_behind(cluster.mark, account_for(cluster.path)))


def postmaster(data_dir: Path) -> int:
    return Cluster(data_dir).postmaster()[0]


def log_of(data_dir: Path) -> str:
    return (data_dir / "postgres.log").read_text()


async def write(url: str, number: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
    await connection.execute("INSERT INTO kept VALUES ($1)", number)
    connection.terminate()


async def read(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT number FROM kept ORDER BY number")
    await connection.close()
    return [row["number"] for row in rows]


async def kept_alive(
    postgres: EmbeddedPostgres, condition: Callable[[], bool], seconds: float
) -> bool:
    """Do what a service does until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        postgres.keep_alive()
        await asyncio.sleep(0.05)
    return condition()


async def seconds_until_back(postgres: EmbeddedPostgres) -> float:
    """Kill the postmaster, then watch as a service does until a client is taken."""
    began = time.monotonic()
    os.kill(postmaster(postgres.data_dir), signal.SIGKILL)
    while time.monotonic() < began + 10:
        await asyncio.sleep(0.05)
        postgres.keep_alive()
        try:
            connection = await asyncpg.connect(postgres.url, timeout=1)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            continue
        await connection.close()
        break
    return time.monotonic() - began


@pytest.mark.parametrize("bindir", sorted({*_candidates()}), ids=str)
async def test_rows_are_kept_across_restarts_with_every_postgres_there_is(
    data_dir: Path, bindir: Path
) -> None:
    postgres = EmbeddedPostgres(data_dir, bindir)
    with postgres:
        await write(postgres.url, 1)
    with postgres:
        await write(postgres.url, 2)

        assert await read(postgres.url) == [1, 2]
    assert "not properly shut down" not in log_of(data_dir)
    assert living(data_dir) == []


async def test_it_serves_databases_through_the_same_url(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False) as postgres:
        async with Database(postgres.url) as database:
            row = await database.fetch_one("SHOW data_checksums")

    assert row
    assert row[0] == "on"


@pytest.mark.parametrize("name", ["long " * 20, "a comma, and %41&host=?#", "ünïcode"])
async def test_any_name_will_do_for_a_data_directory(place: Path, name: str) -> None:
    with EmbeddedPostgres(place / name, fsync=False) as postgres:
        await write(postgres.url, 1)

        assert await read(postgres.url) == [1]
    left = Cluster(place / name).socket_folder
    assert not [*left.glob(".s.PGSQL*")]
    assert left.is_relative_to(place) or not left.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_all_of_the_foreground_stops_it_in_good_order(
    data_dir: Path, start_parent: Start, number: signal.Signals
) -> None:
    parent = start_parent(data_dir)
    assert says(parent) == "ready"

    assert os.getpgid(postmaster(data_dir)) != parent.pid
    os.killpg(parent.pid, number)

    assert parent.wait(5) == 0
    assert living(data_dir) == []
    assert "database system is shut down" in log_of(data_dir)
    assert log_of(data_dir).count("starting PostgreSQL") == 1


async def test_kill_9_of_the_parent_ends_it_with_every_committed_row(
    data_dir: Path, start_parent: Start
) -> None:
    parent = start_parent(data_dir, "--durable")
    assert says(parent) == "ready"
    await write(Cluster(data_dir).url, 1)

    parent.kill()

    assert processes.wait_until(lambda: not living(data_dir), 3)
    assert "database system is shut down" in log_of(data_dir)
    with EmbeddedPostgres(data_dir) as postgres:
        assert await read(postgres.url) == [1]


async def test_kill_9_of_the_postmaster_five_times_in_a_row(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as postgres:
        for number in range(5):
            await write(postgres.url, number)

            assert await seconds_until_back(postgres) < 3

        assert await read(postgres.url) == [0, 1, 2, 3, 4]


async def test_a_busy_statement_does_not_hold_up_the_restart(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False) as postgres:
        connection = await asyncpg.connect(postgres.url)
        busy = asyncio.create_task(
            connection.execute("SELECT sum(n) FROM generate_series(1, 1e9) AS n")
        )
        await asyncio.sleep(0.1)

        seconds = await seconds_until_back(postgres)

    assert seconds < 3
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy


async def test_what_cannot_be_started_again_is_tried_again_with_pauses(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EmbeddedPostgres(data_dir, fsync=False) as postgres:
        cluster = Cluster(data_dir)
        killed = postmaster(data_dir)
        aside = cluster.path.rename(data_dir / "aside")
        os.kill(killed, signal.SIGKILL)
        await kept_alive(postgres, lambda: False, 1.2)
        attempts = len(caplog.records)
        aside.rename(cluster.path)

        assert await kept_alive(postgres, cluster.is_serving, 3)
        assert postmaster(data_dir) != killed
    assert 2 <= attempts <= 4


def test_a_data_directory_in_use_is_refused(
    data_dir: Path, start_parent: Start
) -> None:
    parent = start_parent(data_dir)
    assert says(parent) == "ready"

    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(data_dir).start()

    assert str(refused.value) == (
        f"The data directory {data_dir} is in use by process {parent.pid}: stop that "
        "one, or choose another."
    )
    assert parent.poll() is None


async def test_the_url_of_a_running_one_is_found(
    data_dir: Path, start_parent: Start
) -> None:
    assert EmbeddedPostgres.url_of_running(data_dir) is None
    parent = start_parent(data_dir)
    assert processes.wait_until(lambda: (data_dir / "lock").exists(), 5)

    url = EmbeddedPostgres.url_of_running(data_dir)

    assert url
    await write(url, 1)
    parent.terminate()
    assert parent.wait(5) == 0
    assert EmbeddedPostgres.url_of_running(data_dir) is None


async def test_an_orphan_is_stopped_and_its_rows_are_there(
    data_dir: Path, start_parent: Start
) -> None:
    parent = start_parent(data_dir, "--abandon")
    assert says(parent) == "ready"
    await write(Cluster(data_dir).url, 1)
    orphan = postmaster(data_dir)
    parent.kill()
    parent.wait()
    assert orphan in living(data_dir)

    with EmbeddedPostgres(data_dir) as postgres:
        assert await read(postgres.url) == [1]
        assert orphan not in living(data_dir)
    assert log_of(data_dir).count("received fast shutdown request") == 2


async def test_an_initdb_that_was_killed_is_made_again(
    data_dir: Path, start_parent: Start
) -> None:
    parent = start_parent(data_dir)
    assert processes.wait_until(lambda: bool([*data_dir.glob("*/PG_VERSION")]), 5)
    parent.kill()
    parent.wait()
    assert not (data_dir / "postgres").exists()

    with EmbeddedPostgres(data_dir) as postgres:
        await write(postgres.url, 1)
    assert sorted(os.listdir(data_dir)) == ["lock", "postgres", "postgres.log"]


async def test_an_ordinary_user_starts_it_too(
    data_dir: Path, start_parent: Start
) -> None:
    parent = start_parent(data_dir, *ORDINARY)
    assert says(parent) == "ready"

    await write(Cluster(data_dir).url, 1)
    parent.terminate()

    assert parent.wait(5) == 0
    assert living(data_dir) == []
    with EmbeddedPostgres(data_dir) as postgres:
        assert await read(postgres.url) == [1]


async def test_a_stale_postmaster_pid_does_not_block(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, fsync=False)
    with postgres:
        await write(postgres.url, 1)
    cluster = Cluster(data_dir)
    account = account_for(cluster.path)
    with processes.spawn(["/bin/sleep", "60"], account, subprocess.DEVNULL) as other:
        for content in (f"{other.pid}\n{cluster.path}\n", "99999999\n", "", "?\n"):
            pid_file = cluster.path / "postmaster.pid"
            pid_file.write_text(content)
            account.own(pid_file)

            with postgres:
                assert await read(postgres.url) == [1]

            assert other.poll() is None
        other.kill()
