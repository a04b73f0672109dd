"""The commands, and what survives when processes are killed."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import migrations
from app.embedded import EmbeddedPostgres
from tests.service import Service, command, serving, wait_until_ready


@pytest.fixture
def data_dir(folder: Path, request: pytest.FixtureRequest) -> Path:
    return folder / f"data-{abs(hash(request.node.nodeid))}"


def postmaster(data_dir: Path) -> int:
    """Return the process id of the embedded Postgres."""
    (found,) = data_dir.rglob("postmaster.pid")
    return int(found.read_text().split()[0])


class Load(threading.Thread):
    """Clients that allocate and release until told to stop, and note what was said."""

    def __init__(self, url: str, project_id: str) -> None:
        super().__init__()
        self.held: set[int] = set()
        self.unsure = 0
        self.statuses: set[int] = set()
        self._client = httpx.Client(
            base_url=url, headers={"X-Auth-Token": f"joe:{project_id}"}, timeout=5
        )
        self._stop_it = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + 20
        while not self._stop_it.is_set() and time.monotonic() < deadline:
            try:
                self._step()
            except httpx.TransportError:
                self.unsure += 1
                time.sleep(0.02)

    def _step(self) -> None:
        if len(self.held) < 5:
            response = self._client.post("/os-floating-ips")
            if response.status_code == 200:
                self.held.add(response.json()["floating_ip"]["id"])
        else:
            gone = self.held.pop()
            response = self._client.delete(f"/os-floating-ips/{gone}")
        self.statuses.add(response.status_code)
        if response.status_code >= 500:
            self.unsure += 1

    def stop(self) -> None:
        self._stop_it.set()
        self.join(30)
        self._client.close()


def load(service: Service, clients: int = 4) -> list[Load]:
    threads = [Load(service.url, f"project-{n}") for n in range(clients)]
    for thread in threads:
        thread.start()
    return threads


def lost(service: Service, threads: list[Load]) -> int:
    """Count acknowledged floating IPs that are not there."""
    missing = 0
    for number, thread in enumerate(threads):
        with service.client(project_id=f"project-{number}") as client:
            listed = client.get("/os-floating-ips").json()["floating_ips"]
        missing += len(thread.held - {each["id"] for each in listed})
    return missing


def checked(data_dir: Path) -> None:
    result = command("check", "--data-dir", str(data_dir))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("ok ") >= 6


def test_the_readmes_story_on_a_demo(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as service, service.client() as client:
        allocated = client.post("/os-floating-ips").json()["floating_ip"]
        path = f"/os-floating-ips/{allocated['id']}"
        client.post(
            f"{path}/addFloatingIp",
            json={"associate_address": {"fixed_ip": "10.0.0.3"}},
        )
        server = client.get("/servers").json()["servers"][0]
        listed = client.get("/os-floating-ips.xml").text
        client.post(f"{path}/removeFloatingIp")
        released = client.delete(path)

        assert server["name"] == "web"
        assert server["addresses"]["public"][0]["addr"] == allocated["ip"]
        assert "<fixed_ip>10.0.0.3</fixed_ip>" in listed
        assert released.status_code == 202
        checked(data_dir)
    checked(data_dir)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_data_is_kept_across_orderly_restarts(data_dir: Path, number: int) -> None:
    with serving(data_dir, "--demo") as service, service.client() as client:
        made = client.post("/os-floating-ips").json()
        pid = postmaster(data_dir)
        assert service.stop(number) == 0

    assert not Path(f"/proc/{pid}").exists()
    with serving(data_dir, "--demo") as service, service.client() as client:
        assert (
            client.get(f"/os-floating-ips/{made['floating_ip']['id']}").json() == made
        )


def test_kill_9_of_the_service_under_load_loses_nothing(data_dir: Path) -> None:
    with serving(data_dir, "--demo") as service:
        threads = load(service)
        time.sleep(1.0)
        pid = postmaster(data_dir)
        service.kill()
        for thread in threads:
            thread.stop()

    assert all(thread.held for thread in threads)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists(), "Postgres outlived its parent"
    with serving(data_dir) as service:
        assert lost(service, threads) == 0
        checked(data_dir)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_kill_9_of_postgres_under_load_loses_nothing(
    data_dir: Path, workers: str
) -> None:
    with serving(data_dir, "--demo", "--workers", workers) as service:
        threads = load(service)
        for _ in range(2):
            time.sleep(0.7)
            os.kill(postmaster(data_dir), signal.SIGKILL)
            time.sleep(0.1)
            wait_until_ready(service)
        time.sleep(0.5)
        for thread in threads:
            thread.stop()

        assert all(thread.held for thread in threads)
        assert lost(service, threads) == 0
        assert set.union(*(thread.statuses for thread in threads)) <= {
            200,
            202,
            404,
            503,
        }
        checked(data_dir)


def test_a_worker_that_is_slow_is_left_alone(data_dir: Path) -> None:
    """As it is for a while wherever the machine has other things to do."""
    with serving(data_dir, "--workers", "2") as service:
        before = service.workers()
        os.kill(before[0], signal.SIGSTOP)
        time.sleep(7)
        os.kill(before[0], signal.SIGCONT)

        assert service.workers() == before


def test_a_worker_killed_while_it_is_asked_for_a_sign_of_life_is_replaced(
    data_dir: Path,
) -> None:
    """The parent would wait for the dead one's answer, and hear no signal meanwhile."""
    with serving(data_dir, "--workers", "2") as service:
        before = service.workers()
        os.kill(before[0], signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 15
        while (now := set(service.workers())) <= {*before}:
            assert time.monotonic() < deadline, now
            time.sleep(0.05)

        assert service.stop() == 0


def test_workers_end_with_a_parent_that_is_killed(data_dir: Path) -> None:
    with serving(data_dir, "--demo", "--workers", "2") as service:
        service.kill()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{service.url}/livez")
            except httpx.TransportError:
                return
            time.sleep(0.05)
    raise AssertionError("a worker still answers")


def test_a_postgres_that_stops_answering_is_a_503_within_3_seconds(
    data_dir: Path,
) -> None:
    with serving(data_dir, "--demo") as service, service.client() as client:
        assert client.get("/os-floating-ips").status_code == 200
        pids = [postmaster(data_dir)]
        listed = subprocess.run(  # noqa: S603
            ["ps", "--ppid", str(pids[0]), "-o", "pid="],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        pids += [int(pid) for pid in listed.stdout.split()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            frozen = [client.get("/os-floating-ips"), client.post("/os-floating-ips")]
            took = time.monotonic() - began
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        wait_until_ready(service)

        assert [r.status_code for r in frozen] == [503, 503]
        assert all(r.headers["Retry-After"] for r in frozen)
        assert took < 2 * 3
        assert client.post("/os-floating-ips").status_code == 200
        checked(data_dir)


def test_a_database_that_is_away_at_the_start_is_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody@127.0.0.1:{taken.getsockname()[1]}/x"

        result = command("migrate", DATABASE_URL=url)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("floating-ips: ")


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (
            ("serve",),
            {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"},
            "FLOATING_IPS_AUTH",
        ),
        (("serve", "--host", "0.0.0.0"), {}, "loopback"),  # noqa: S104
        (("serve",), {"FLOATING_IPS_DEFAULT_QUOTA": "many"}, "default_quota"),
        (("serve",), {"FLOATING_IPS_FIXED_RANGE": "10.0.0.1/16"}, "fixed_range"),
        (("serve",), {"FLOATING_IPS_PG_BINDIR": "/nonexistent"}, "/nonexistent"),
        (("serve",), {"FLOATING_IPS_AUTH": "kerberos"}, "auth"),
        (("serve",), {"FLOATING_IPS_AUTH": "keystone"}, "keystone_url"),
        (("pool", "add", "p", "10.0.0.1/16"), {}, "10.0.0.1/16"),
        (("pool", "add", "null", "10.0.0.1"), {}, "null"),
        (("pool", "add", "a b", "10.0.0.1"), {}, "a b"),
    ],
)
def test_what_an_operator_has_to_mend_is_one_line_and_exit_code_2(
    folder: Path, arguments: tuple[str, ...], env: dict[str, str], told: str
) -> None:
    where = ("--data-dir", str(folder / "never"))

    result = command(*arguments, *where, **env)

    assert result.returncode == 2
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert not (folder / "never").exists()


def test_a_database_without_a_schema_is_one_line(folder: Path) -> None:
    result = command("check", "--data-dir", str(folder / "new"))

    assert (result.returncode, result.stderr) == (
        2,
        "floating-ips: The database has no schema yet: `floating-ips migrate`.\n",
    )


def test_a_database_that_does_not_exist_is_one_line(beside: Path) -> None:
    url = EmbeddedPostgres.url_of_running(beside)
    assert url

    for arguments in (("migrate",), ("pool", "list")):
        result = command(*arguments, DATABASE_URL=url.replace("/postgres?", "/nope?"))
        assert result.returncode == 2
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_a_busy_port_is_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = command(
            "serve", "--port", port, "--data-dir", str(folder / "never-either")
        )

    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def beside(folder: Path) -> Iterator[Path]:
    """The data directory of a service that runs beside the commands."""
    with serving(folder / "beside", "--demo"):
        yield folder / "beside"


def test_pools_are_added_listed_and_removed_beside_a_running_service(
    beside: Path,
) -> None:
    where = ("--data-dir", str(beside))

    added = command("pool", "add", "more", "198.51.100.0/29", *where)
    again = command("pool", "add", "more", "198.51.100.1", *where)
    listed = command("pool", "list", *where)
    removed = command("pool", "remove", "more", *where)
    unknown = command("pool", "remove", "more", *where)

    assert added.stdout == "Added 6 addresses to more.\n"
    assert (again.returncode, again.stderr) == (
        2,
        "floating-ips: 198.51.100.1 is in a pool already.\n",
    )
    assert "more: 6 free, 0 held, 0 resting, 0 reserved" in listed.stdout
    assert removed.returncode == 0
    assert unknown.returncode == 2


def test_migrate_twice_is_nothing_to_do(beside: Path) -> None:
    result = command("migrate", "--data-dir", str(beside))

    assert (result.returncode, result.stdout) == (
        0,
        f"The schema is at {migrations.head()}.\n",
    )


def test_a_draining_service_serves_and_is_not_ready(data_dir: Path) -> None:
    with serving(data_dir, "--demo", FLOATING_IPS_DRAIN="3") as service:
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.7)

        with service.client() as client:
            ready, served = client.get("/readyz"), client.post("/os-floating-ips")

        assert (ready.status_code, served.status_code) == (503, 200)
        assert service.process.wait(20) == 0
