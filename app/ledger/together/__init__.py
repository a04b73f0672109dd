"""Changes that several callers ask for at once, in one statement for all of them.

Each statement does the plain cases and passes by the rest: what is locked, unknown,
refused, or in the way of another. What it passes by is left as it was, and its caller
asks for it alone, by the rule of the same name in `ledger`, which says why. So nothing
here waits for a row, and no two of these statements can wait for each other.

A statement is its own transaction. It looks at the rows as they are once they are
locked, like the rules do.
"""

from app.ledger.together.allocation import Allocation, allocate
from app.ledger.together.association import (
    Association,
    Disassociation,
    associate,
    disassociate,
)
from app.ledger.together.release import Release, release

__all__ = [
    "Allocation",
    "Association",
    "Disassociation",
    "Release",
    "allocate",
    "associate",
    "disassociate",
    "release",
]
