"""One of two services that are compared, and the windows of one round on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from benchmarks import messages
from benchmarks.load import Outcome
from benchmarks.loader import Loader
from benchmarks.scripts import LISTED
from benchmarks.servers import Server
from benchmarks.stage import MOST_CLIENTS, READ, SERVICE

ALLOCATE, SHOW, LIST = "allocate", "show", f"list of {LISTED}"
ASSOCIATE, DISASSOCIATE, RELEASE = "associate", "disassociate", "release"
AGAIN = "allocate after release"
"""By the same projects, which may get back what they have just released."""

OPERATIONS = (ALLOCATE, SHOW, LIST, ASSOCIATE, DISASSOCIATE, RELEASE, AGAIN)

POOL = "public"

FIRST_FIXED_IP = IPv4Address("10.1.0.1")
MOST_FIXED_IPS = 64
"""Fixed IPs that one server can have."""


@dataclass(frozen=True, slots=True)
class Side:
    """A service that is measured, and what its projects for reading hold."""

    name: str
    server: Server
    held: list[list[int]]


def filled(name: str, server: Server, loader: Loader, clients: int) -> Side:
    """Let so many projects hold what is shown and listed."""
    asked = [[messages.allocate(READ + n, POOL)] * LISTED for n in range(clients)]
    return Side(name, server, _given(loader.prepare(server, asked)))


def _given(outcome: Outcome) -> list[list[int]]:
    return [messages.ids(bodies) for bodies in outcome.bodies]


def windows(
    side: Side, loader: Loader, clients: int, number: int
) -> Iterator[tuple[str, Outcome]]:
    """Measure each operation once, with projects that no other round has.

    They are known before the first window: their first floating IP is not measured.
    """
    first = SERVICE + MOST_CLIENTS * (number * (MOST_CLIENTS + 1) + clients)
    projects = range(first, first + clients)
    allocations = [[messages.allocate(project, POOL)] for project in projects]
    loader.prepare(side.server, allocations)
    taken = loader.load(side.server, allocations)
    yield ALLOCATE, taken
    yield from _reading(side, loader, clients)
    given = _given(taken)
    yield from _pointing(side, loader, projects, given)
    releases = [
        [messages.release(project, known) for known in of_project]
        for project, of_project in zip(projects, given, strict=True)
    ]
    yield RELEASE, loader.load(side.server, releases, repeated=False)
    yield AGAIN, loader.load(side.server, allocations)


def _reading(side: Side, loader: Loader, clients: int) -> Iterator[tuple[str, Outcome]]:
    shows = [
        [messages.show(READ + n, known) for known in of_project]
        for n, of_project in enumerate(side.held[:clients])
    ]
    yield SHOW, loader.load(side.server, shows)
    lists = [[messages.list_of_100(READ + n)] for n in range(clients)]
    yield LIST, loader.load(side.server, lists)


def _pointing(
    side: Side, loader: Loader, projects: Sequence[int], given: list[list[int]]
) -> Iterator[tuple[str, Outcome]]:
    """Associate each with a fixed IP of its own, then disassociate those again."""
    loader.prepare(
        side.server,
        [
            list(_registrations(project, len(of_project)))
            for project, of_project in zip(projects, given, strict=True)
        ],
    )
    associations = [
        [
            messages.associate(project, known, str(FIRST_FIXED_IP + n))
            for n, known in enumerate(of_project)
        ]
        for project, of_project in zip(projects, given, strict=True)
    ]
    pointed = loader.load(side.server, associations, repeated=False)
    yield ASSOCIATE, pointed
    returns = [
        [messages.disassociate(project, known) for known in of_project[: len(bodies)]]
        for project, of_project, bodies in zip(
            projects, given, pointed.bodies, strict=True
        )
    ]
    yield DISASSOCIATE, loader.load(side.server, returns, repeated=False)


def _registrations(project: int, count: int) -> Iterator[bytes]:
    for begin in range(0, count, MOST_FIXED_IPS):
        numbers = range(begin, min(begin + MOST_FIXED_IPS, count))
        yield messages.register(project, [str(FIRST_FIXED_IP + n) for n in numbers])
