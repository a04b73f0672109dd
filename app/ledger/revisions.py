"""Compare-and-set: a change is made only to what its asker has seen."""

from typing import TypeAlias

from app.errors import PreconditionFailed

IfMatch: TypeAlias = frozenset[int] | None
"""The revisions that the asker would change; None: whatever there is."""


def check(if_match: IfMatch, revision: int) -> None:
    """Refuse a change to another revision; the row has been locked before.

    Raises PreconditionFailed.
    """
    if if_match is not None and revision not in if_match:
        raise PreconditionFailed(revision)
