"""The options that all measuring commands have, and how they are read."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST_WINDOW = 600.0
"""Seconds."""

Add = Callable[..., Any]


def parser(program: str, about: str | None) -> argparse.ArgumentParser:
    """Begin with the options that all have."""
    begun = argparse.ArgumentParser(f"python -m {program}", description=about)
    add = begun.add_argument
    add("--seconds", type=seconds, help="Length of a window.")
    add("--rounds", type=positive, help="How often everything is measured.")
    add("--dir", type=Path, default=Path("/var/tmp"), help="On a real disk.")  # noqa: S108
    add("--json", type=Path, metavar="FILE", help="Where the figures go.")
    return begun


def fill_in(asked: argparse.Namespace, defaults: dict[str, Any]) -> None:
    """Set what was not asked for otherwise."""
    for name, value in defaults.items():
        if getattr(asked, name) is None:
            setattr(asked, name, value)


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def seconds(text: str) -> float:
    """Read the length of a window."""
    length = float(text)
    if not 0.1 <= length <= LONGEST_WINDOW:
        raise ValueError(text)
    return length


def counts(text: str) -> list[int]:
    """Read numbers as in 1,8,32."""
    return [positive(count) for count in text.split(",")]
