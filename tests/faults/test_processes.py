"""Killed workers, a Postgres that is killed, full or read-only, and idle clients."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.faults.conftest import Site, rss, site
from tests.faults.operations import OPERATIONS, Operation
from tests.faults.test_statements import (
    DEADLINE,
    SLOWER,
    grown_by,
    ledger,
    sent_again,
)
from tests.proxy import Fault
from tests.service import wait_until_ready

START = 30.0
"""Seconds that new workers may take to start on a busy machine."""


def send(
    site: Site, operation: Operation, key: str
) -> tuple[threading.Thread, tuple[str, str, object]]:
    """Send a change in a thread; whatever becomes of it."""
    with site.service.client() as client:
        asked = operation.prepare(client)
    site.proxy.arm(Fault.HANG)

    def run() -> None:
        method, path, body = asked
        with site.service.client() as client, suppress(httpx.TransportError):
            client.request(method, path, json=body, headers={"Idempotency-Key": key})

    return threading.Thread(target=run), asked


def wait_for(site: Site, seconds: float = 5) -> None:
    """Wait until the fault has begun."""
    until = time.monotonic() + seconds
    while not site.proxy.is_active():
        assert time.monotonic() < until
        time.sleep(0.005)


CHOSEN = [each for each in OPERATIONS if each.name in ("allocate", "release")]


@pytest.mark.parametrize("operation", CHOSEN, ids=lambda each: each.name)
async def test_workers_killed_amid_a_change_leave_one_effect(
    with_workers: Site, operation: Operation
) -> None:
    for after in range(4):
        wait_until_ready(with_workers.service, START)
        key = uuid4().hex
        thread, (method, path, body) = send(with_workers, operation, key)
        before = await ledger(with_workers)
        with_workers.proxy.arm(Fault.HANG, after)
        thread.start()
        wait_for(with_workers)
        for pid in with_workers.service.workers():
            os.kill(pid, signal.SIGKILL)
        thread.join(10)
        with_workers.proxy.heal()
        wait_until_ready(with_workers.service, START)

        with with_workers.service.client() as client:
            headers = {"Idempotency-Key": key}
            answer = sent_again(client, method, path, body, headers)
        assert answer.status_code in (200, 202), answer.text
        assert await grown_by(with_workers, before) == operation.grows_by
    with_workers.check()


def postmaster(site: Site) -> int:
    (file,) = site.postgres.data_dir.rglob("postmaster.pid")
    return int(file.read_text().split()[0])


@contextmanager
def kept_alive(site: Site) -> Iterator[None]:
    """Start Postgres again whenever it has ended, as `serve` does with its own."""
    is_over = False

    async def watch() -> None:
        while not is_over:
            site.postgres.keep_alive()
            await asyncio.sleep(0.2)

    task = asyncio.get_running_loop().create_task(watch())
    try:
        yield
    finally:
        is_over = True
        task.cancel()


@pytest.mark.parametrize("operation", CHOSEN, ids=lambda each: each.name)
async def test_postgres_killed_amid_a_change_leaves_one_effect(
    shared: Site, operation: Operation
) -> None:
    with kept_alive(shared):
        for after in range(4):
            await asyncio.to_thread(wait_until_ready, shared.service, 10)
            key = uuid4().hex
            thread, (method, path, body) = send(shared, operation, key)
            before = await ledger(shared)
            shared.proxy.arm(Fault.HANG, after)
            thread.start()
            wait_for(shared)
            os.kill(postmaster(shared), signal.SIGKILL)
            thread.join(10)
            shared.proxy.heal()
            took = await asyncio.to_thread(wait_until_ready, shared.service, START)
            assert took < DEADLINE + SLOWER

            with shared.service.client() as client:
                headers = {"Idempotency-Key": key}
                answer = await asyncio.to_thread(
                    sent_again, client, method, path, body, headers
                )
            assert answer.status_code in (200, 202), answer.text
            assert await grown_by(shared, before) == operation.grows_by
    shared.check()


async def test_fewer_connections_than_requests_and_none_that_answers(
    folder: Path,
) -> None:
    """All are refused in time, and served as soon as it is over."""
    with site(folder / "exhausted", FLOATING_IPS_DATABASE_POOL_SIZE="2") as small:
        async with httpx.AsyncClient(
            base_url=small.service.url,
            headers={"X-Auth-Token": "joe:demo"},
            timeout=10,
            limits=httpx.Limits(max_connections=60),
        ) as client:
            await client.get("/os-floating-ips")
            small.proxy.arm(Fault.HANG)
            began = time.monotonic()
            answers = await asyncio.gather(
                *(client.post("/os-floating-ips") for _ in range(50))
            )
            took = time.monotonic() - began
            small.proxy.heal()
            healed = time.monotonic()
            while (await client.post("/os-floating-ips")).status_code != 200:
                assert time.monotonic() - healed < DEADLINE

        assert {answer.status_code for answer in answers} == {503}
        assert all(answer.headers["Retry-After"] for answer in answers)
        assert took < DEADLINE + SLOWER
        small.check()


READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = {}"
RELOAD = "SELECT pg_reload_conf()"


async def test_a_read_only_postgres_refuses_changes_and_comes_back(
    shared: Site,
) -> None:
    with shared.service.client() as client:
        floating_ip = client.post("/os-floating-ips").raise_for_status().json()
        await shared.execute(READ_ONLY.format("on"), RELOAD)
        await asyncio.sleep(0.3)
        refused = client.post("/os-floating-ips")
        path = f"/os-floating-ips/{floating_ip['floating_ip']['id']}"
        release = client.delete(path)
        ready = client.get("/readyz")
        await shared.execute(
            "SET default_transaction_read_only = off", READ_ONLY.format("off"), RELOAD
        )
        healed = time.monotonic()
        while client.delete(path).status_code != 202:
            assert time.monotonic() - healed < DEADLINE

    for answer in (refused, release, ready):
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"]
    shared.check()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 150 MB; as root."""
    path = folder / "small"
    path.mkdir()
    _as_root("mount", "-t", "tmpfs", "-o", "size=150m,mode=755", "tmpfs", str(path))
    yield path
    _as_root("umount", "-l", str(path))


def _as_root(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603


def fill(disk: Path) -> Path:
    """Write a file until nothing more has room beside it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


async def test_a_full_disk_refuses_changes_and_loses_none(small_disk: Path) -> None:
    """Postgres may fall over its WAL; it is started again, and what was said stays."""
    held: set[int] = set()
    gone: set[int] = set()
    statuses: set[int] = set()
    with site(small_disk / "data") as made, kept_alive(made):
        async with httpx.AsyncClient(
            base_url=made.service.url, headers={"X-Auth-Token": "joe:demo"}, timeout=10
        ) as client:
            filler = fill(small_disk)
            until = time.monotonic() + 60
            while 503 not in statuses and time.monotonic() < until:
                answer = await client.post("/os-floating-ips")
                statuses.add(answer.status_code)
                if answer.status_code != 200:
                    continue
                floating_ip_id = answer.json()["floating_ip"]["id"]
                held.add(floating_ip_id)
                if len(held) > 5:
                    path = f"/os-floating-ips/{floating_ip_id}"
                    answer = await client.delete(path)
                    statuses.add(answer.status_code)
                    if answer.status_code == 202:
                        held.remove(floating_ip_id)
                        gone.add(floating_ip_id)
            filler.unlink()
            await asyncio.to_thread(wait_until_ready, made.service, START)
            listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
            after = await client.post("/os-floating-ips")
        made.check()

    assert 503 in statuses
    assert statuses <= {200, 202, 503}
    present = {each["id"] for each in listed}
    # The one that was refused last may have been released, or allocated, all the same.
    assert len(held - present) <= 1
    assert len(present - held) <= 1
    assert not gone & present
    assert after.status_code == 200


IDLE = 10_000

CLIENT_TIMEOUT = 10
"""Seconds that a client may take for a request by default."""


async def test_ten_thousand_idle_connections_keep_nobody_from_being_served(
    folder: Path,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    with site(folder / "idle") as made:
        pid = made.service.process.pid
        host, port = made.service.url.removeprefix("http://").split(":")
        with made.service.client() as client:
            for _ in range(300):
                client.get("/os-floating-ips").raise_for_status()
            before = rss(pid)
            idle = [socket.create_connection((host, int(port))) for _ in range(IDLE)]
            try:
                began = time.monotonic()
                assert client.post("/os-floating-ips").status_code == 200
                assert time.monotonic() - began < DEADLINE
                await asyncio.sleep(CLIENT_TIMEOUT + 3 * SLOWER)
                assert all(map(_is_closed, idle))
            finally:
                for each in idle:
                    each.close()
            assert client.post("/os-floating-ips").status_code == 200
            grown = rss(pid) - before

        assert grown < 60_000, grown
        made.check()


def _is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
