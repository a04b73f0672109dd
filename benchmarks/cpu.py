"""The processor time of a process and all that it has started (Linux; else unknown).

On a machine shared with others, also how long a process stood in line for a processor.
"""

import os
from math import nan
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")
"""Seconds; what the kernel counts in, so that short windows are known coarsely."""

UTIME, CUTIME_END = 11, 15
"""Where user and system time stand after the name, then those of ended children."""


def seconds_of(pid: int) -> float:
    """Return the seconds that a process, its children and theirs have used so far."""
    if not (PROC / "self" / "stat").exists():
        return nan
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # It ended; its parent counts it from now on.
    used = sum(int(ticks) for ticks in fields[UTIME:CUTIME_END]) * TICK
    return used + sum(seconds_of(child) for child in children_of(pid))


def waited_by(pid: int) -> float:
    """Return the seconds for which it and its children stood in line."""
    lines = (PROC / str(pid) / "task").glob("*/schedstat")
    try:
        waited = sum(int(line.read_text().split()[1]) for line in lines) / 1e9
    except OSError:
        return nan
    return waited + sum(waited_by(child) for child in children_of(pid))


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started and not yet buried."""
    listed = (PROC / str(pid) / "task").glob("*/children")
    try:
        return [int(child) for path in listed for child in path.read_text().split()]
    except OSError:
        return []
