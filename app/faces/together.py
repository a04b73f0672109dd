"""The plain changes of all faces, which the requests of one worker make together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from prometheus_client import Histogram

from app import metrics
from app.combining import Combiner
from app.database import Connection, LedgerDatabase, connection
from app.ledger import together
from app.ledger.floating_ips import FloatingIP
from app.ledger.together import Allocation, Association, Disassociation, Release

Asked = TypeVar("Asked")
Given = TypeVar("Given")

Changes = Callable[[Connection, Sequence[Asked]], Awaitable[Sequence[Given | None]]]


class Together:
    """One place for each kind of change; None is given where it is to be made alone.

    Half of a request's time is for its turn to come, and half for the change.

    Each raises Busy, DatabaseUnavailable, SchemaMissing.
    """

    def __init__(self, database: LedgerDatabase, default_quota: int) -> None:
        self._database = database
        self._half = database.deadline / 2
        self.allocate: Combiner[Allocation, FloatingIP] = self._combined(
            "allocate", partial(together.allocate, default_quota=default_quota)
        )
        self.release: Combiner[Release, bool] = self._combined(
            "release", together.release
        )
        self.associate: Combiner[Association, int] = self._combined(
            "associate", together.associate
        )
        self.disassociate: Combiner[Disassociation, int] = self._combined(
            "disassociate", together.disassociate
        )

    def _combined(
        self, name: str, changes: "Changes[Asked, Given]"
    ) -> Combiner[Asked, Given]:
        size = metrics.TOGETHER.labels(name)
        return Combiner(partial(self._run, changes, size), self._half)

    async def _run(
        self, changes: "Changes[Asked, Given]", size: Histogram, asked: Sequence[Asked]
    ) -> Sequence[Given | None]:
        size.observe(len(asked))
        until = asyncio.get_running_loop().time() + self._half
        async with connection(self._database, until) as lent:
            return await changes(lent, asked)
