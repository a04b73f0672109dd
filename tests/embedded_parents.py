"""Where parents of Postgres are started, and where they may keep its data."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError

PARENT = Path(__file__).with_name("embedded_parent.py")
ROOT = PARENT.parent.parent
IS_ROOT = os.geteuid() == 0
ORDINARY = ["--user", "nobody"] if IS_ROOT else []

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for every user: that of pytest is root's alone."""
    path = Path(tempfile.mkdtemp(prefix="fip-")).resolve()
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def data_dir(place: Path) -> Path:
    return place / "data"


@pytest.fixture
def start_parent(place: Path) -> Iterator[Start]:
    """Start parents of Postgres that end with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, python_path: Path = place) -> subprocess.Popen[str]:
        parent = subprocess.Popen(  # noqa: S603 - our own script.
            [sys.executable, PARENT, *map(str, arguments)],
            env={
                "PYTHONPATH": ":".join(map(str, [python_path, ROOT, *sys.path])),
                "HOME": str(place),
            },
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(parent)
        return parent

    yield start
    for parent in started:
        parent.terminate()
        parent.communicate()


def says(parent: subprocess.Popen[str]) -> str:
    assert parent.stdout
    return parent.stdout.readline().strip()


def refusal(postgres: EmbeddedPostgres) -> str:
    """Return the sentence with which a start is refused."""
    with pytest.raises(EmbeddedPostgresError) as refused:
        postgres.start()
    return str(refused.value)
