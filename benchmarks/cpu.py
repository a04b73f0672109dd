"""The processor time of a process and all that it has started (Linux; else unknown).

On a machine shared with others, also how long a process stood in line for a processor.
"""

import os
from math import nan
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds; what the kernel counts the time of ended children in."""

RAN, WAITED = 0, 1
"""What the scheduler counts of a thread, in nanoseconds: with a processor, and without.
"""

CUTIME, CUTIME_END = 13, 15
"""Where the user and system time of ended children stand after the name."""


def seconds_of(pid: int) -> float:
    """Return the seconds that a process, its children and theirs have used so far."""
    if not (PROC / "self" / "schedstat").exists():
        return nan
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # It ended; its parent counts it from now on.
    of_ended = sum(int(ticks) for ticks in fields[CUTIME:CUTIME_END]) * TICK
    of_children = sum(seconds_of(child) for child in children_of(pid))
    return _scheduled(pid, RAN) + of_ended + of_children


def waited_by(pid: int) -> float:
    """Return the seconds for which it and its children stood in line."""
    return _scheduled(pid, WAITED) + sum(map(waited_by, children_of(pid)))


def _scheduled(pid: int, what: int) -> float:
    """Read in seconds what the scheduler counts of a process's threads."""
    if not (PROC / "self" / "schedstat").exists():
        return nan
    lines = (PROC / str(pid) / "task").glob("*/schedstat")
    try:
        return sum(int(line.read_text().split()[what]) for line in lines) / 1e9
    except OSError:
        return 0.0


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started and not yet buried."""
    listed = (PROC / str(pid) / "task").glob("*/children")
    try:
        return [int(child) for path in listed for child in path.read_text().split()]
    except OSError:
        return []
