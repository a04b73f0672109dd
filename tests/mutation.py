"""What is taken away for a moment, and who has to notice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A text that holds a promise, what stands in its place, and who notices."""

    name: str
    path: str
    text: str
    instead: str
    tests: str
