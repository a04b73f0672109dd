"""What Keystone has said of tokens, kept for a while."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from math import inf

from app.auth.identity import Clock, Identity


class Refusal(Enum):
    """Why a token lets nobody in."""

    INVALID = "The token is not valid, or no longer."
    UNSCOPED = "The token is not scoped to a project."
    NO_ROLE = "The token has none of the roles reader, member and admin."


Verdict = Identity | Refusal


@dataclass(frozen=True, slots=True)
class _Entry:
    verdict: Verdict
    until: float
    expires_at: float


class Verdicts:
    """At most so many verdicts; the least recently used one goes first.

    Keys are hashes of tokens, never tokens. One clock says how long something has been
    known; the other, which people may set, whether a token has expired.
    """

    def __init__(
        self, size: int, clock: Clock = time.monotonic, wall_clock: Clock = time.time
    ) -> None:
        self._size = size
        self._clock = clock
        self._wall_clock = wall_clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def keep(
        self, key: bytes, verdict: Verdict, until: float, expires_at: float = inf
    ) -> None:
        """Keep a verdict for so long, and not past the expiry of the token."""
        self._entries[key] = _Entry(verdict, until, expires_at)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def find(self, key: bytes) -> Verdict | None:
        """Return what is known of a token; None if nothing is, or no longer."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() < entry.until and self._wall_clock() < entry.expires_at:
            self._entries.move_to_end(key)
            return entry.verdict
        del self._entries[key]
        return None
