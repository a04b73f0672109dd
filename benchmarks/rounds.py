"""One short window after another: all kinds in turn, so that noise hits all alike."""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from benchmarks import messages, scripts
from benchmarks import stage as places
from benchmarks.load import Outcome
from benchmarks.loader import Loader, cost_of
from benchmarks.pgbench import Rate
from benchmarks.servers import Server
from benchmarks.stage import Stage

HELLO, EMPTY, OURS, PGBENCH = "raw ASGI hello", "empty FastAPI", "ours", "pgbench"
ALLOCATE, SHOW, LIST, RELEASE = "allocate", "show", "list", "release"
SHARED = "allocate, one project"

PGBENCH_WINDOWS = 2
"""How much longer pgbench runs: in each of its windows it connects and plans anew."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window showed; microseconds are per request."""

    who: str
    what: str
    clients: int
    number: int
    """Of the round."""
    per_second: float
    server_us: float | None = None
    postgres_us: float | None = None
    load_us: float | None = None
    load_busy: float | None = None
    """The share of one processor that the load generator took."""
    starved: float | None = None
    """The share of the window for which the server stood in line for a processor."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Those that run side by side."""

    service: Server
    empty: Server
    hello: Server


class Windows:
    """The windows of one round with so many clients."""

    def __init__(
        self, stage: Stage, servers: Servers, generator: Executor, seconds: float
    ) -> None:
        self._stage = stage
        self._servers = servers
        self._loader = Loader(generator, stage.postmaster, seconds)
        self._seconds = seconds

    def warm(self, clients: int) -> None:
        """Let connections be opened, statements be planned and code be warm."""
        for _ in self._of_rivals(clients, 0):
            pass
        for _ in self._of_service(clients, 0):
            pass

    def run(self, clients: int, number: int, *, shared: bool) -> Iterator[Sample]:
        """Measure everything once; `shared`: also all clients in one project."""
        yield from self._of_rivals(clients, number)
        of_service = self._of_service(clients, number)
        of_pgbench = self._of_pgbench(clients, number)
        for ours, limit in zip(of_service, of_pgbench, strict=True):
            yield ours
            yield limit
        if shared:
            yield self._shared_service(clients, number)
            yield self._shared_pgbench(clients, number)

    def _of_rivals(self, clients: int, number: int) -> Iterator[Sample]:
        requests = [[messages.nothing()]] * clients
        for who, server in (
            (HELLO, self._servers.hello),
            (EMPTY, self._servers.empty),
        ):
            outcome = self._loader.load(server, requests)
            yield _sample(who, "nothing", (clients, number), outcome)

    def _of_service(self, clients: int, number: int) -> Iterator[Sample]:
        first, counted = places.SERVICE, (clients, number)
        pool = self._stage.settings.default_pool
        taken = self._ask(
            [[messages.allocate(first + n, pool)] for n in range(clients)]
        )
        yield _sample(OURS, ALLOCATE, counted, taken)
        yield _sample(OURS, SHOW, counted, self._ask(self._shows(clients)))
        lists = [[messages.list_of_100(places.READ + n)] for n in range(clients)]
        yield _sample(OURS, LIST, counted, self._ask(lists))
        returned = [
            [messages.release(first + n, known) for known in messages.ids(bodies)]
            for n, bodies in enumerate(taken.bodies)
        ]
        released = self._ask(returned, repeated=False)
        yield _sample(OURS, RELEASE, counted, released)

    def _shows(self, clients: int) -> list[list[bytes]]:
        held = range(scripts.LISTED)
        return [
            [
                messages.show(
                    places.READ + n, self._stage.first_read + n * scripts.LISTED + m
                )
                for m in held
            ]
            for n in range(clients)
        ]

    def _of_pgbench(self, clients: int, number: int) -> Iterator[Sample]:
        counted = (clients, number)
        taken = self._pgbench(ALLOCATE, clients, places.PGBENCH)
        yield _sample_of(ALLOCATE, counted, taken)
        shown = self._pgbench(SHOW, clients, places.READ)
        yield _sample_of(SHOW, counted, shown)
        listed = self._pgbench(LIST, clients, places.READ)
        yield _sample_of(LIST, counted, listed)
        each = max(taken.done // clients, 1)
        yield _sample_of(RELEASE, counted, self._pgbench_release(clients, each))

    def _shared_service(self, clients: int, number: int) -> Sample:
        pool = self._stage.settings.default_pool
        request = messages.allocate(places.ALL_OF_SERVICE, pool)
        outcome = self._ask([[request]] * clients)
        return _sample(OURS, SHARED, (clients, number), outcome)

    def _shared_pgbench(self, clients: int, number: int) -> Sample:
        rate = self._pgbench(SHARED, clients, places.ALL_OF_PGBENCH)
        return _sample_of(SHARED, (clients, number), rate)

    def _ask(self, requests: list[list[bytes]], *, repeated: bool = True) -> Outcome:
        return self._loader.load(self._servers.service, requests, repeated=repeated)

    def _pgbench(self, what: str, clients: int, first_project: int) -> Rate:
        seconds = self._seconds * PGBENCH_WINDOWS
        return self._stage.run_pgbench(what, clients, first_project, seconds)

    def _pgbench_release(self, clients: int, each: int) -> Rate:
        """Release as many as the same round's window has allocated."""
        first_id = self._stage.hold(places.SEEDED, clients, each)
        variables = {
            "first_project": places.SEEDED,
            "first_id": first_id,
            "each": each,
            "n": 0,
        }
        script = scripts.SCRIPTS[RELEASE]
        return self._stage.pgbench.run(script, clients, ("-t", each), variables)


def _sample(who: str, what: str, counted: tuple[int, int], outcome: Outcome) -> Sample:
    cost = cost_of(outcome)
    return Sample(
        who,
        what,
        *counted,
        cost.per_second,
        cost.server_us,
        cost.postgres_us if who == OURS else None,
        cost.load_us,
        cost.load_busy,
        cost.starved,
    )


def _sample_of(what: str, counted: tuple[int, int], rate: Rate) -> Sample:
    postgres_us = rate.postgres_cpu * 1e6 / max(rate.done, 1)
    return Sample(PGBENCH, what, *counted, rate.per_second, postgres_us=postgres_us)
