"""`python -m benchmarks.keystone`: what a token that is cached adds to a list request.

Two services on one database, one with noauth and one with Keystone, whose stand-in is
asked once for each token; the windows of the two follow each other, round after round.
"""

import argparse
import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from secrets import token_urlsafe
from statistics import median, quantiles
from threading import Thread

from app.embedded import die_with_parent
from benchmarks import load, messages, servers, stage
from benchmarks.load import Plan
from benchmarks.servers import Server, started
from tests.keystone_double import SERVICE_PASSWORD, KeystoneDouble

CLIENTS = 8
NETWORK = "10.0.0.0/18"
LONG, EMPTY = "list of 100", "list of none"
NOBODYS = 9000
"""The first project that holds nothing."""

FERNET = 135
"""Random bytes of a token as long as Keystone's for a project."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A service, and what its clients send."""

    server: Server
    requests: dict[str, list[list[bytes]]]


def main() -> None:
    """Measure, and print microseconds of processor time per request."""
    asked = _arguments()
    with (
        stage.prepared(asked.dir, NETWORK, CLIENTS) as prepared,
        _keystone() as (double, env),
        started(servers.service(prepared.settings)) as believing,
        started(
            servers.service(
                prepared.settings.model_copy(update={"auth": "keystone"}), env=env
            )
        ) as asking,
        ProcessPoolExecutor(1, get_context("spawn"), die_with_parent) as generator,
    ):
        kinds = [Kind(believing, _requests(None)), Kind(asking, _requests(double))]
        for what in (LONG, EMPTY):
            _measure(kinds, what, generator, asked)
            print(f"Keystone was asked {double.asked.total()} times.", flush=True)


def _measure(
    kinds: list[Kind], what: str, generator: Executor, asked: argparse.Namespace
) -> None:
    rounds = []
    for number in range(-1, asked.rounds):
        order = kinds if number % 2 else kinds[::-1]
        found = {
            id(kind): _window(kind, what, generator, asked.seconds) for kind in order
        }
        if number >= 0:
            rounds.append([found[id(kind)] for kind in kinds])
    noauth, keystone = (median(each) for each in zip(*rounds, strict=True))
    low, middle, high = quantiles((late / early for early, late in rounds), n=4)
    print(
        f"{what}: noauth {noauth:.0f} µs, keystone {keystone:.0f} µs of processor time "
        f"a request; ratio {middle:.3f} (the middle half of {len(rounds)} rounds: "
        f"{low:.3f} to {high:.3f})"
    )


def _window(kind: Kind, what: str, generator: Executor, seconds: float) -> float:
    """Return microseconds of the server's processor time per request."""
    plan = Plan(kind.server, seconds, kind.requests[what])
    outcome = generator.submit(load.run, plan).result()
    if outcome.refusal:
        raise RuntimeError(outcome.refusal)
    return outcome.spent.server * 1e6 / outcome.answered


def _requests(double: KeystoneDouble | None) -> dict[str, list[list[bytes]]]:
    return {
        what: [
            [messages.list_of_100(first + n, _token(double, first + n))]
            for n in range(CLIENTS)
        ]
        for what, first in ((LONG, stage.READ), (EMPTY, NOBODYS))
    }


def _token(double: KeystoneDouble | None, project: int) -> str | None:
    if double is None:
        return None
    token = f"gAA{token_urlsafe(FERNET)}"
    scope = {"project": {"id": str(project)}}
    return double.know(token, "member", "reader", user="bench", scope=scope)


@contextmanager
def _keystone() -> Iterator[tuple[KeystoneDouble, dict[str, str]]]:
    """Run the stand-in in a thread; yield it, and the settings that lead to it."""
    double, loop = KeystoneDouble(), asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(double.start(), loop).result()
        yield (
            double,
            {
                "FLOATING_IPS_KEYSTONE_URL": double.url,
                "FLOATING_IPS_KEYSTONE_USERNAME": "floating-ips",
                "FLOATING_IPS_KEYSTONE_PASSWORD": SERVICE_PASSWORD,
                "FLOATING_IPS_KEYSTONE_PROJECT_NAME": "service",
                "FLOATING_IPS_KEYSTONE_CACHE_SECONDS": "3600",
            },
        )
        asyncio.run_coroutine_threadsafe(double.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.keystone")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a window")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"))  # noqa: S108
    return parser.parse_args()


if __name__ == "__main__":
    main()
