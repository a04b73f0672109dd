"""Windows of HTTP load: run in the generator's process, and refused if not all well."""

from concurrent.futures import Executor
from dataclasses import dataclass

from benchmarks import load
from benchmarks.load import Outcome, Plan
from benchmarks.servers import Server

PREPARING = 300.0
"""Seconds that what is not measured may take."""


class Refused(Exception):
    """A server answered with something else than success."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a window showed; microseconds are per request."""

    per_second: float
    server_us: float
    postgres_us: float
    load_us: float
    load_busy: float
    """The share of one processor that the load generator took."""
    starved: float
    """The share of the window for which the server stood in line for a processor.

    Of several workers, the sum of theirs.
    """


class Loader:
    """Sends load to servers, which use one Postgres."""

    def __init__(self, generator: Executor, postmaster: int, seconds: float) -> None:
        self._generator = generator
        self._postmaster = postmaster
        self._seconds = seconds

    def load(
        self,
        server: Server,
        requests: list[list[bytes]],
        *,
        repeated: bool = True,
        seconds: float | None = None,
    ) -> Outcome:
        """Send each client's requests for the length of a window, or so many seconds.

        Raises Refused if any answer was not a success.
        """
        length = seconds or self._seconds
        return self._run(
            Plan(server, length, requests, repeated, postmaster=self._postmaster)
        )

    def prepare(self, server: Server, requests: list[list[bytes]]) -> Outcome:
        """Send each client's requests once, all of them.

        Raises Refused.
        """
        return self._run(Plan(server, PREPARING, requests, False, to_the_end=True))

    def _run(self, plan: Plan) -> Outcome:
        outcome = self._generator.submit(load.run, plan).result()
        if outcome.refusal:
            raise Refused(outcome.refusal)
        return outcome


def cost_of(outcome: Outcome) -> Cost:
    """Divide what a window took by what was answered in it."""
    each = 1e6 / max(outcome.answered, 1)
    spent = outcome.spent
    return Cost(
        outcome.answered / outcome.seconds,
        spent.server * each,
        spent.postgres * each,
        spent.own * each,
        spent.own / outcome.seconds,
        spent.waited / outcome.seconds,
    )
