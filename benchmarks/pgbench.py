"""pgbench: the same SQL with no Python at all, as the limit of what we could reach."""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.database import LedgerDatabase
from benchmarks import cpu
from benchmarks.scripts import Script, Step

PARAMETER = re.compile(r"\$(\d+)")
RATE = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)
DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)

PATIENCE = 60.0
"""Seconds beyond the window until pgbench is killed."""

ENDING = 1.0
"""Seconds that backends have to end; an autovacuum worker may take longer."""


class PgbenchFailed(Exception):
    """What pgbench wrote instead of figures."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What pgbench reached."""

    per_second: float
    done: int
    postgres_cpu: float
    """Seconds, with those for the new connections and their first plans."""


def render(script: Script) -> str:
    """Write a script in pgbench's language."""
    return "\n".join([*script.settings, _render_step(script.step)]) + "\n"


def _render_step(step: Step) -> str:
    """Put variables in the place of $1, $2, ..., for which pgbench sends parameters."""
    named = PARAMETER.sub(
        lambda match: _variable(step.parameters[int(match[1]) - 1]), step.statement
    )
    return " ".join(named.split()) + ";"


def _variable(parameter: str) -> str:
    if not parameter.startswith("["):
        return f":{parameter}"
    name, kind = parameter.strip("[]").split()
    return f"ARRAY[CAST(:{name} AS {kind})]"


class Pgbench:
    """The program, and the database that it runs on."""

    def __init__(
        self, program: Path, database: LedgerDatabase, postmaster: int, folder: Path
    ) -> None:
        self._program = program
        self._url = str(database.url)
        self._environment = _environment(database.options["server_settings"])
        self._postmaster = postmaster
        self._folder = folder

    def run(
        self,
        script: Script,
        clients: int,
        length: tuple[str, int],
        variables: Mapping[str, object],
    ) -> Rate:
        """Run a script for so many seconds (-T) or transactions of each client (-t).

        Raises PgbenchFailed.
        """
        file = self._folder / "script.sql"
        file.write_text(render(script))
        given = [f"--define={name}={value}" for name, value in variables.items()]
        argv = [str(self._program), "-n", "-M", "prepared", "-c", str(clients)]
        argv += ["-j", str(min(clients, os.cpu_count() or 1)), length[0]]
        argv += [str(length[1]), *given, "-f", str(file), self._url]
        before = cpu.seconds_of(self._postmaster)
        already = set(cpu.children_of(self._postmaster))
        written = self._call(argv, PATIENCE + length[1])
        self._await_end_of_others(already)
        spent = cpu.seconds_of(self._postmaster) - before
        rate, done = RATE.search(written), DONE.search(written)
        if not (rate and done):
            raise PgbenchFailed(written)
        return Rate(float(rate[1]), int(done[1]), spent)

    def _call(self, argv: list[str], patience: float) -> str:
        ended = subprocess.run(  # noqa: S603  # our own list, no shell
            argv,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        if ended.returncode:
            raise PgbenchFailed(ended.stderr)
        return ended.stdout

    def _await_end_of_others(self, already: set[int]) -> None:
        """Let pgbench's backends end: one just ending may be counted by nobody."""
        deadline = time.monotonic() + ENDING
        while set(cpu.children_of(self._postmaster)) - already:
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)


def _environment(server_settings: Mapping[str, str]) -> dict[str, str]:
    """Give pgbench's connections the settings that the service's have."""
    options = [
        f"-c {name}={value.replace(' ', chr(92) + ' ')}"
        for name, value in server_settings.items()
    ]
    return {"PGOPTIONS": " ".join(options), "LC_ALL": "C"}
