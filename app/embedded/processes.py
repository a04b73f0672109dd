"""Starting processes that end with their parent, and finding those that did not."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from app.embedded.account import Account

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "cmdline").exists()

HANDED_DOWN = ("PATH", "LD_LIBRARY_PATH", "TZ")
"""What Postgres gets to see of our environment: none of its PG* names, no secrets."""


def die_with_parent() -> None:
    """End a worker of `multiprocessing` with SIGTERM as soon as its parent is gone.

    Nothing to do in the first process, which may outlive the shell that started it.
    """
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return
    _ask_for_death_signal(signal.SIGTERM)
    if os.getppid() != parent.pid:
        os.kill(os.getpid(), signal.SIGTERM)


def _ask_for_death_signal(number: signal.Signals) -> None:
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, int(number))


def _ends_with(parent: int) -> Callable[[], None]:
    """Make what a child runs before its program, once it is the other user.

    A change of user takes the death signal away, so it is asked for after that. A
    parent that died before is seen by the child's having another one.
    """

    def before_exec() -> None:
        _ask_for_death_signal(signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def spawn(
    argv: list[str], account: Account, output: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program as the account, in a session of its own.

    It gets SIGINT when the thread that started it ends (on Linux), but not when someone
    presses Ctrl-C: its end is up to us.
    """
    switch = not account.is_ours
    return subprocess.Popen(  # noqa: S603 - our own list, no shell.
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_environment(),
        umask=0o077,
        start_new_session=True,
        user=account.uid if switch else None,
        group=account.gid if switch else None,
        extra_groups=[] if switch else None,
        preexec_fn=_ends_with(os.getpid()),
    )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in HANDED_DOWN if name in os.environ}
    return kept | {"LC_ALL": "C"}


def run(argv: list[str], account: Account) -> tuple[int, str]:
    """Run a program to its end as the account; return its exit code and what it wrote.

    It is killed where we are interrupted.
    """
    with spawn(argv, account, subprocess.PIPE) as process:
        try:
            written, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    return process.returncode, written.decode(errors="replace")


def arguments_of(pid: int) -> list[str]:
    """Return the command line of a process; none if it has ended."""
    if HAS_PROC:
        try:
            line = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return []
        return line.rstrip("\0").split("\0") if line else []
    shown = subprocess.run(  # noqa: S603 - a number is all that varies.
        ["/bin/ps", "-p", str(pid), "-o", "command="],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.split()


def carries(pid: int, mark: str) -> bool:
    """Tell whether the process lives and is a Postgres with the mark."""
    return any(mark in argument for argument in arguments_of(pid))


def left_behind(mark: str, account: Account) -> Iterator[int]:
    """Find the Postgres processes with the mark (on Linux; nothing elsewhere)."""
    for entry in PROC.glob("[0-9]*") if HAS_PROC else ():
        try:
            is_postgres = (entry / "comm").read_text() == "postgres\n"
            is_the_accounts = entry.stat().st_uid == account.uid
            if is_postgres and is_the_accounts and carries(int(entry.name), mark):
                yield int(entry.name)
        except OSError:
            continue  # It ended while we looked.


def end(
    send: Callable[[signal.Signals], None],
    has_ended: Callable[[], bool],
    steps: tuple[tuple[signal.Signals, float], ...],
) -> None:
    """Send one signal after another, each with seconds to work, until it has ended."""
    for number, patience in steps:
        if has_ended():
            return
        with suppress(ProcessLookupError):
            send(number)
        wait_until(has_ended, patience)


def wait_until(condition: Callable[[], bool], patience: float) -> bool:
    """Look at a condition until it holds, or the seconds have passed."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
