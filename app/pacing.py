"""How much of the service one project may take, so that the others are served too.

Of each worker: nobody waits for a database to be told that it has to wait.
"""

import math
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass

from app import metrics
from app.errors import ApiError

PROJECTS_KEPT = 10_000
"""Whose pace is remembered; of more, those that allocated last."""

TURN = "project_with_turn"
"""In the state of a request: whose turn it takes until it is answered."""


class TooManyRequests(ApiError):
    """One project asks for more than its part of the service."""

    status = 429

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(seconds)}


class ProjectIsBusy(TooManyRequests):
    """The project has as many requests under way as one project may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The project has {most} requests under way already.", 1)


class AllocatesTooFast(TooManyRequests):
    """The project has allocated as much as it may in so short a time."""

    def __init__(self, per_minute: int, seconds: int) -> None:
        super().__init__(
            f"The project may allocate {per_minute} floating IPs a minute.", seconds
        )


class Turns:
    """How many requests of each project are under way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: dict[str, int] = {}

    def take(self, project_id: str, state: MutableMapping[str, object]) -> None:
        """Let a request of the project begin; its state remembers that it has.

        Raises ProjectIsBusy.
        """
        count = self._under_way.get(project_id, 0)
        if count >= self._most:
            metrics.TURNED_AWAY.labels("project").inc()
            raise ProjectIsBusy(self._most)
        self._under_way[project_id] = count + 1
        state[TURN] = project_id

    def give_back(self, state: MutableMapping[str, object]) -> None:
        """Note that a request has been answered, whoever it was of."""
        project_id = state.pop(TURN, None)
        if not isinstance(project_id, str):
            return
        count = self._under_way[project_id] - 1
        if count:
            self._under_way[project_id] = count
        else:
            del self._under_way[project_id]


@dataclass(slots=True)
class _Bucket:
    """What a project may allocate at once, and since when it has that."""

    room: float
    since: float


class Pace:
    """How fast each project may allocate: a bucket of a minute's allocations.

    A request for more than it can ever hold waits until it is full, and leaves a debt.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._most = float(per_minute or 0)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def keep(self, project_id: str, count: int, now: float) -> None:
        """Let a project allocate so many; `now` is in seconds, of any clock.

        Raises AllocatesTooFast.
        """
        if not self._most:
            return
        bucket = self._buckets.setdefault(project_id, _Bucket(self._most, now))
        self._buckets.move_to_end(project_id)
        if len(self._buckets) > PROJECTS_KEPT:
            self._buckets.popitem(last=False)
        a_second = self._most / 60
        gained = (now - bucket.since) * a_second
        bucket.room, bucket.since = min(self._most, bucket.room + gained), now
        missing = min(float(count), self._most) - bucket.room
        if missing > 0:
            metrics.TURNED_AWAY.labels("allocations").inc()
            raise AllocatesTooFast(int(self._most), math.ceil(missing / a_second))
        bucket.room -= count
