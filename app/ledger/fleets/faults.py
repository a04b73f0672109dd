"""What in a file keeps it from being taken in, line by line."""

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 1000
"""Faults that are told one by one; of more, their number is told."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A line of the file, and a sentence: the value and the rule that it breaks."""

    line: int
    sentence: str


class Faults:
    """The faults found so far: how many, and enough of them to tell the first."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[Fault] = []

    def add(self, line: int, sentence: str) -> None:
        """Note one more; they come in the order of the lines."""
        if self.count < SHOWN:
            self._kept.append(Fault(line, sentence))
        self.count += 1

    def extend(self, first: Iterable[Fault], count: int) -> None:
        """Note so many more, of which these are the first."""
        self._kept.extend(first)
        self.count += count

    def first(self) -> list[Fault]:
        """Return the faults to be told, by line."""
        return sorted(self._kept)[:SHOWN]


class FleetRefused(Exception):
    """A file has faults, and nothing of it was taken in."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(f"{faults.count} faults")
        self.count = faults.count
        self.faults = faults.first()
