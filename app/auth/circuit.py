"""Whether Keystone is asked at all: one that is away costs nobody a wait."""

import structlog

from app.auth.identity import Clock
from app.errors import Unavailable

FAILURES = 3
"""In a row; one answer that was late is no outage."""

PAUSE = 1.0
"""Seconds from one try to the next while Keystone is away."""

log = structlog.get_logger()


class KeystoneUnavailable(Unavailable):
    """Keystone cannot be reached, does not answer in time, or has too much to do."""

    def __init__(self) -> None:
        super().__init__("Keystone cannot be asked at present; try again.")


class Circuit:
    """Closed while Keystone answers; once open, one asks each second for all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._next_try = 0.0

    def enter(self) -> None:
        """Let one ask, or refuse at once.

        Raises KeystoneUnavailable.
        """
        if self._failures < FAILURES:
            return
        now = self._clock()
        if now < self._next_try:
            raise KeystoneUnavailable
        self._next_try = now + PAUSE

    def succeeded(self) -> None:
        """Note that Keystone has answered."""
        if self._failures >= FAILURES:
            log.warning("keystone is back")
        self._failures = 0

    def failed(self, problem: str) -> None:
        """Note that it has not; `problem` is logged, and has no token in it."""
        self._failures += 1
        self._next_try = self._clock() + PAUSE
        if self._failures < FAILURES:
            log.warning("keystone failed", problem=problem)
        elif self._failures == FAILURES:
            log.error("keystone is away", problem=problem)
