"""A Postgres whose clock is ours: libfaketime tells it what a file says.

FAKETIME names the library; `make test-clock` does. Timers go by the other clock, which
never jumps, in Postgres as in the kernel.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import migrations
from app.embedded import EmbeddedPostgres
from app.embedded.account import account_for
from app.embedded.binaries import CACHE, find_binaries

PROGRAM = """#!/bin/sh
export LD_PRELOAD={library}
export FAKETIME_TIMESTAMP_FILE={clock}
export FAKETIME_NO_CACHE=1 FAKETIME_DISABLE_SHM=1 DONT_FAKE_MONOTONIC=1
exec {program} "$@"
"""


@dataclass(slots=True)
class Clock:
    """How far the clock of Postgres is ahead, or behind."""

    file: Path
    seconds: int = 0

    def jump(self, seconds: int) -> None:
        """Set the clock forward, or back."""
        self.set(self.seconds + seconds)

    def set(self, seconds: int) -> None:
        """Set the clock so far ahead of the machine's."""
        self.seconds = seconds
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.chmod(0o644)
        new.replace(self.file)


@pytest.fixture(scope="session")
def the_clock(folder: Path) -> Clock:
    clock = Clock(folder / "clock")
    clock.set(0)
    return clock


@pytest.fixture
def clock(the_clock: Clock) -> Clock:
    """The clock of Postgres; in each test it is right at first."""
    the_clock.set(0)
    return the_clock


@pytest.fixture(scope="session")
def postgres(folder: Path, the_clock: Clock) -> Iterator[EmbeddedPostgres]:
    data_dir, bindir = folder / "postgres", folder / "bin"
    real = find_binaries(None, account_for(data_dir, data_dir), CACHE).bindir
    bindir.mkdir()
    for name in ("postgres", "initdb"):
        program = bindir / name
        program.write_text(
            PROGRAM.format(
                library=os.environ["FAKETIME"],
                clock=the_clock.file,
                program=real / name,
            )
        )
        program.chmod(0o755)
    with EmbeddedPostgres(data_dir, bindir, fsync=False) as server:
        migrations.upgrade(server.url)
        yield server
