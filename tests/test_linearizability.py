"""What clients are told of an address could have happened one after the other."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from itertools import permutations
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.linearizability import Kind, Operation, Outcome, State, refute
from tests.recording import Recorder, fixed_ip, hammer
from tests.service import Service, command, serving

CLIENTS = 8
ADDRESSES = ("203.0.113.1", "203.0.113.2", "203.0.113.3")


def done(
    client: int,
    kind: Kind,
    whose: tuple[str, int],
    invoked: float,
    answered: float,
    fixed_ip: str | None = None,
) -> Operation:
    return Operation(client, kind, *whose, invoked, answered, Outcome.DONE, fixed_ip)


RED, BLUE = ("red", 1), ("blue", 2)
TWO_OWNERS = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(2, Kind.ALLOCATE, BLUE, 2, 3),
]
LOST_RELEASE = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(1, Kind.RELEASE, RED, 2, 3),
    done(1, Kind.SHOW, RED, 4, 5),
]
RELEASED_TWICE = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(1, Kind.RELEASE, RED, 2, 5),
    done(2, Kind.RELEASE, RED, 3, 4),
]
STALE_READ = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(1, Kind.ASSOCIATE, RED, 2, 3, "11.0.0.1"),
    done(2, Kind.SHOW, RED, 4, 5, None),
]
READS_GO_BACK = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(1, Kind.ASSOCIATE, RED, 2, 9, "11.0.0.1"),
    done(2, Kind.SHOW, RED, 3, 4, "11.0.0.1"),
    done(2, Kind.SHOW, RED, 5, 6, None),
]
LOST_ASSOCIATION = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(1, Kind.ASSOCIATE, RED, 2, 3, "11.0.0.1"),
    done(2, Kind.ASSOCIATE, RED, 4, 5, "11.0.0.2"),
    done(1, Kind.SHOW, RED, 6, 7, "11.0.0.1"),
]
HELD_AND_NOT_FOUND = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    Operation(2, Kind.DISASSOCIATE, *RED, 2, 3, Outcome.NOT_FOUND),
]
TAKEN_BEFORE_IT_WAS_GIVEN_BACK = [
    done(1, Kind.ALLOCATE, RED, 0, 1),
    done(2, Kind.ALLOCATE, BLUE, 2, 3),
    done(1, Kind.RELEASE, RED, 4, 5),
]


@pytest.mark.parametrize(
    "history",
    [
        TWO_OWNERS,
        LOST_RELEASE,
        RELEASED_TWICE,
        STALE_READ,
        READS_GO_BACK,
        LOST_ASSOCIATION,
        HELD_AND_NOT_FOUND,
        TAKEN_BEFORE_IT_WAS_GIVEN_BACK,
    ],
)
def test_a_bad_history_is_refuted(history: list[Operation]) -> None:
    refutation = refute(history)

    assert refutation
    assert refutation.operation in history


LOST = Outcome.UNKNOWN


@pytest.mark.parametrize(
    "history",
    [
        [],
        [done(2, Kind.ALLOCATE, BLUE, 1, 4), done(1, Kind.RELEASE, RED, 2, 3)],
        [
            done(1, Kind.ASSOCIATE, RED, 0, 9, "11.0.0.1"),
            done(2, Kind.SHOW, RED, 1, 2, None),
            done(2, Kind.SHOW, RED, 3, 4, "11.0.0.1"),
        ],
        # What nobody was told may have been done, at any time,
        [
            Operation(1, Kind.RELEASE, *RED, 0, inf, LOST),
            done(2, Kind.SHOW, RED, 1, 2),
            done(3, Kind.ALLOCATE, BLUE, 3, 4),
        ],
        # or never.
        [
            Operation(1, Kind.RELEASE, *RED, 0, inf, LOST),
            done(2, Kind.SHOW, RED, 1, 2),
        ],
        [
            done(1, Kind.RELEASE, RED, 0, 1),
            Operation(1, Kind.ALLOCATE, "red", 3, 2, inf, LOST),
            done(2, Kind.SHOW, ("red", 3), 4, 5),
        ],
    ],
)
def test_a_good_history_is_not(history: list[Operation]) -> None:
    held = Operation(0, Kind.ALLOCATE, *RED, -2, -1)

    assert refute([held, *history]) is None


def by_trying_all_orders(history: list[Operation]) -> bool:
    """Check a short history by what the word means."""
    return any(is_right(list(order)) for order in permutations(history))


def is_right(order: list[Operation]) -> bool:
    state: State = None
    for place, operation in enumerate(order):
        if any(later.answered < operation.invoked for later in order[place:]):
            return False
        can_be, state = operation.after(state)
        if not can_be:
            return False
    return True


TIMES = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)
WHOSE = st.sampled_from([RED, BLUE])
ANSWERED = st.sampled_from([Outcome.DONE, Outcome.NOT_FOUND])
FIXED_IPS = st.sampled_from([None, "11.0.0.1", "11.0.0.2"])


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from(list(Kind)))
    outcome = Outcome.DONE if kind is Kind.ALLOCATE else draw(ANSWERED)
    can_point = kind in (Kind.ASSOCIATE, Kind.SHOW)
    fixed_ip = draw(FIXED_IPS) if can_point else None
    times = draw(TIMES)
    project_id, floating_ip_id = draw(WHOSE)
    return Operation(
        0, kind, project_id, floating_ip_id, times[0], times[1], outcome, fixed_ip
    )


def each_by_another(history: list[Operation]) -> list[Operation]:
    return [replace(each, client=client) for client, each in enumerate(history)]


@given(st.lists(operations(), max_size=5).map(each_by_another))
@hypothesis_settings(max_examples=300, deadline=None, derandomize=True)
def test_the_checker_agrees_with_trying_all_orders(history: list[Operation]) -> None:
    assert (refute(history) is None) == by_trying_all_orders(history)


@pytest.fixture(scope="module")
def data_dir(folder: Path) -> Path:
    return folder / "linearizability"


def prepare(service: Service) -> None:
    """Make a pool of a few addresses that do not rest, and servers to point at."""
    with service.client("admin", "operators") as admin:
        for address in ADDRESSES:
            asked = {"ip_range": address}
            admin.post(
                "/os-floating-ips-bulk", json={"floating_ips_bulk_create": asked}
            )
        now = {"floating_ip_pool": {"quarantine_seconds": 0}}
        admin.put("/os-floating-ip-pools/public", json=now).raise_for_status()
        for project_id in ("red", "blue"):
            for client in range(CLIENTS):
                fixed_ips = [
                    fixed_ip(client, ip.rpartition(".")[2]) for ip in ADDRESSES
                ]
                server = {
                    "name": "web",
                    "fixed_ips": fixed_ips,
                    "project_id": project_id,
                }
                admin.post("/servers", json={"server": server}).raise_for_status()


def refutations(recorder: Recorder) -> list[str]:
    return [
        f"{ip}: {refutation}"
        for ip, history in recorder.operations.items()
        if (refutation := refute(history))
    ]


async def kill(recorder: Recorder, pid: int) -> None:
    """End a worker as a power cut would, amid what it does."""
    await recorder.is_half_full.wait()
    os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(300)
async def test_eight_clients_on_three_addresses_with_a_worker_killed(
    data_dir: Path,
) -> None:
    with serving(data_dir, "--workers", "2") as service:
        prepare(service)
        recorder = Recorder(service.url, most=600, until=time.monotonic() + 30)

        await asyncio.gather(
            hammer(recorder, CLIENTS), kill(recorder, service.workers()[0])
        )

        audit = command("check", "--data-dir", str(data_dir))

    assert refutations(recorder) == []
    assert recorder.statuses.keys() <= {0, 200, 202, 404, 409, 503}
    assert recorder.operations.keys() == set(ADDRESSES)
    assert audit.returncode == 0, audit.stdout
