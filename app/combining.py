"""What requests of one worker ask for at the same time, done together.

A commit waits for the disk, and most of what a statement costs it costs once, however
much it does. So what is asked for while a statement is under way waits for its end, and
then goes together in the next one. What comes alone goes at once, and alone.

Nobody pays for neighbours: what cannot be done together is left to its asker, who is
told so and does it alone, with the refusals that are due.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from asyncpg import IntegrityConstraintViolationError

from app.errors import Busy

Asked = TypeVar("Asked")
Given = TypeVar("Given")

Run: TypeAlias = Callable[[Sequence[Asked]], Awaitable[Sequence[Given | None]]]
"""Does all that is asked for in one transaction; None for what was left undone."""

MOST = 64
"""Of one transaction: enough to make its fixed cost small, and soon done."""

UNDONE = (Busy, IntegrityConstraintViolationError)
"""Errors of the database that leave nothing done, and may be a single request's fault.
"""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Asked, Given]):
    """A request that waits for its turn, and then for what comes of it."""

    asked: Asked
    given: "asyncio.Future[Given | None]"
    since: float


class Combiner(Generic[Asked, Given]):
    """Runs one transaction at a time, for all that have come before it begins.

    `patience` are the seconds that a request may wait for its turn. A run has to end
    by itself, in a time of its own.
    """

    def __init__(self, run: Run[Asked, Given], patience: float) -> None:
        self._run = run
        self._patience = patience
        self._waiting: deque[_Waiting[Asked, Given]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Given | None:
        """Return what comes of it; None if nothing was done, and it is to go alone.

        First come, first served. Whoever stops waiting before its turn is left out.

        Raises Busy if its turn does not come in time, and what the run raises.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(asked, loop.create_future(), loop.time())
        self._waiting.append(waiting)
        if self._running is None:
            # Begins after all that this turn of the loop has still to bring.
            self._running = loop.create_task(self._run_all())
        return await waiting.given

    async def _run_all(self) -> None:
        try:
            while self._waiting:
                if taken := self._take():
                    await self._run_together(taken)
        finally:
            self._running = None

    def _take(self) -> list[_Waiting[Asked, Given]]:
        """Take those whose turn it is, and refuse those that have waited too long."""
        oldest = asyncio.get_running_loop().time() - self._patience
        taken: list[_Waiting[Asked, Given]] = []
        while self._waiting and len(taken) < MOST:
            waiting = self._waiting.popleft()
            if waiting.given.done():
                continue
            if waiting.since < oldest:
                waiting.given.set_exception(Busy())
            else:
                taken.append(waiting)
        return taken

    async def _run_together(self, taken: Sequence[_Waiting[Asked, Given]]) -> None:
        try:
            given = await self._run([waiting.asked for waiting in taken])
        except UNDONE:
            given = [None] * len(taken)
        except BaseException as error:
            for waiting in taken:
                if not waiting.given.done():
                    waiting.given.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for waiting, result in zip(taken, given, strict=True):
            if not waiting.given.done():
                waiting.given.set_result(result)
