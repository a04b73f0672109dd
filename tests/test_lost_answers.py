"""Whoever loses an answer sends the request again, to whichever process there is."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.database import LedgerDatabase, transaction
from app.embedded import EmbeddedPostgres
from tests import make
from tests.service import Service, serving
from tests.test_idempotency import KEY, held, is_replay, keys
from tests.test_serve import checked, postmaster


@pytest.fixture
def replicas(postgres: EmbeddedPostgres) -> Iterator[tuple[Service, Service]]:
    """Two processes beside each other, on the database of the test."""
    env = {"DATABASE_URL": postgres.url, "FLOATING_IPS_AUTH": "noauth"}
    with ExitStack() as running:
        one, other = (running.enter_context(serving(None, **env)) for _ in range(2))
        yield one, other


def connect(service: Service, timeout: float = 10) -> httpx.AsyncClient:
    headers = {"X-Auth-Token": "joe:demo"}
    return httpx.AsyncClient(base_url=service.url, headers=headers, timeout=timeout)


async def insist(client: httpx.AsyncClient) -> httpx.Response:
    """Allocate as a controller does: again and again, until it hears an answer."""
    while True:
        try:
            response = await client.post("/os-floating-ips", headers=KEY)
        except httpx.TransportError:
            continue
        if response.status_code not in (409, 503):
            return response
        await asyncio.sleep(0.05)


async def test_cluster_api_provider_openstack_1632_a_retry_after_a_time_out_leaves_one(
    database: LedgerDatabase, replicas: tuple[Service, Service]
) -> None:
    await make.pool(database)
    timed_out = asyncio.Event()

    async def hurried() -> httpx.Response:
        async with connect(replicas[0], timeout=0.2) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/os-floating-ips", headers=KEY)
            timed_out.set()
        async with connect(replicas[1]) as client:
            return await insist(client)

    async with transaction(database) as other:
        await other.execute("SELECT FROM addresses FOR UPDATE")
        hearing = asyncio.create_task(hurried())
        await timed_out.wait()
    heard = await hearing

    assert heard.status_code == 200
    async with connect(replicas[1]) as client:
        assert await held(client) == [heard.json()["floating_ip"]["id"]]
    assert await make.breaches(database) == []


async def test_killed_between_the_commit_and_the_answer(
    database: LedgerDatabase, replicas: tuple[Service, Service]
) -> None:
    await make.pool(database)
    killed, other = replicas
    url = httpx.URL(killed.url)
    _, writer = await asyncio.open_connection(url.host, url.port)

    writer.write(
        b"POST /os-floating-ips HTTP/1.1\r\nHost: x\r\nX-Auth-Token: joe:demo\r\n"
        b"Idempotency-Key: tuesday\r\nContent-Length: 0\r\n\r\n"
    )
    async with asyncio.timeout(10):
        while not await keys(database):
            pass
    killed.kill()
    writer.close()
    async with connect(other) as client:
        again = await client.post("/os-floating-ips", headers=KEY)
        listed = await held(client)

    assert (again.status_code, is_replay(again)) == (200, True)
    assert listed == [again.json()["floating_ip"]["id"]]


async def test_killed_in_the_middle_of_its_work(
    database: LedgerDatabase, replicas: tuple[Service, Service]
) -> None:
    await make.pool(database)
    killed, other = replicas
    path = "/os-floating-ips/1"
    async with connect(other) as client:
        await client.post("/os-floating-ips")

        async with connect(killed) as lost, transaction(database) as holder:
            await holder.execute(
                "SELECT FROM addresses WHERE state = 'held' FOR UPDATE"
            )
            asking = asyncio.create_task(lost.delete(path, headers=KEY))
            await make.somebody_waits(database)
            killed.kill()
            with pytest.raises(httpx.TransportError):
                await asking
        statuses = [409]
        while statuses[-1] == 409:
            response = await client.delete(path, headers=KEY)
            statuses.append(response.status_code)

        assert (response.status_code, is_replay(response)) == (202, False)
        assert await held(client) == []
    assert await make.breaches(database) == []


class Retrying(threading.Thread):
    """A client that names its requests and sends each until it hears of a success."""

    def __init__(self, url: str, number: int, until: threading.Event) -> None:
        super().__init__()
        self.ids: list[int] = []
        self.replays = 0
        self.unheard = 0
        self._until = until
        self._number = number
        headers = {"X-Auth-Token": f"joe:project-{number}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=5)

    def run(self) -> None:
        while not self._until.is_set():
            allocated = self._insist("POST", "/os-floating-ips")
            self.ids.append(allocated.json()["floating_ip"]["id"])
            if len(self.ids) % 8 == 0:
                for released in self.ids[-8:]:
                    self._insist("DELETE", f"/os-floating-ips/{released}")
        self._client.close()

    def _insist(self, method: str, path: str) -> httpx.Response:
        key = {"Idempotency-Key": f"{self._number}-{len(self.ids)}-{path}"}
        while True:
            try:
                response = self._client.request(method, path, headers=key)
            except httpx.TransportError:
                self.unheard += 1
                time.sleep(0.02)
                continue
            self.replays += is_replay(response)
            if response.is_success:
                return response
            assert response.status_code in (409, 503), response.text


def await_effects(clients: list[Retrying]) -> None:
    """Wait until each client has heard of some more."""
    wanted = [len(client.ids) + 3 for client in clients]
    deadline = time.monotonic() + 20
    while any(len(c.ids) < n for c, n in zip(clients, wanted, strict=True)):
        assert time.monotonic() < deadline, "nobody is served any more"
        time.sleep(0.01)


def test_service_and_postgres_killed_under_load_leave_one_effect_a_key(
    folder: Path,
) -> None:
    data_dir, over = folder / "lost-answers", threading.Event()
    with serving(data_dir, "--demo") as service:
        clients = [Retrying(service.url, number, over) for number in range(3)]
        for client in clients:
            client.start()
        for _ in range(2):
            await_effects(clients)
            os.kill(postmaster(data_dir), signal.SIGKILL)
        await_effects(clients)
        service.kill()
    port = str(httpx.URL(service.url).port)
    with serving(data_dir, "--port", port) as service:
        await_effects(clients)
        over.set()
        for client in clients:
            client.join(30)

        assert not any(client.is_alive() for client in clients)
        assert sum(client.unheard for client in clients) > 0
        for number, client in enumerate(clients):
            kept = client.ids[len(client.ids) // 8 * 8 :]
            with service.client(project_id=f"project-{number}") as lister:
                listed = lister.get("/os-floating-ips").json()["floating_ips"]
            assert [each["id"] for each in listed] == kept
            assert len(set(client.ids)) == len(client.ids)
        checked(data_dir)
