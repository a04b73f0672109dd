"""The ledger as it should be, in plain Python."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = Any


class Wrong(AssertionError):
    """The service has said, or has become, what it should not."""


@dataclass(slots=True)
class FloatingIP:
    """An address while a project holds it."""

    id: int
    ip: str
    project_id: str
    fixed_ip: str | None = None
    revision: int = 1
    description: str = ""
    tags: frozenset[str] = frozenset()
    protected: bool = False


@dataclass(slots=True)
class Rest:
    """A quarantine: for whom, and whether its time is over."""

    project_id: str
    is_due: bool = False


@dataclass(slots=True)
class Address:
    """An address of a pool: free, unless one of these is there."""

    pool: str
    held: FloatingIP | None = None
    rest: Rest | None = None
    reason: str | None = None
    """Why it is held back."""
    hold_is_over: bool = False
    until: str | None = None

    @property
    def state(self) -> str:
        """In the words of the database."""
        if self.held:
            return "held"
        if self.reason:
            return "reserved"
        return "resting" if self.rest else "free"

    def may_go_to(self, project_id: str) -> bool:
        """Tell whether its quarantine lets the project have it."""
        rest = self.rest
        return rest is None or rest.is_due or rest.project_id == project_id


@dataclass(slots=True)
class Server:
    """A server of a project."""

    id: int
    project_id: str
    name: str
    fixed_ips: list[str]


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of history, without its times."""

    ip: str
    project_id: str
    fixed_ip: str | None
    server_id: int | None
    actor: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said."""

    status: int
    body: JSON
    headers: Mapping[str, str]

    @property
    def revision(self) -> int | None:
        """The number in the entity tag."""
        tag = self.headers.get("etag", "").strip('"').removesuffix("-xml")
        return int(tag) if tag else None

    @property
    def is_replay(self) -> bool:
        """Whether it says that it was given before."""
        return self.headers.get("idempotency-replayed") == "true"

    @property
    def request_id(self) -> str:
        """Under which it stands in the history."""
        return self.headers["x-openstack-request-id"]


@dataclass(slots=True)
class Ledger:
    """Everything that a client can find out."""

    default_quota: int
    is_strict: bool = True
    """False while requests meet: what is locked is passed by, so that order is free."""
    pools: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, Address] = field(default_factory=dict)
    former: dict[str, Rest | None] = field(default_factory=dict)
    quotas: dict[str, int] = field(default_factory=dict)
    servers: dict[int, Server] = field(default_factory=dict)
    history: dict[int, list[Interval]] = field(default_factory=dict)
    answers: dict[tuple[str, str, str], tuple[JSON, Answer]] = field(
        default_factory=dict
    )

    def floating_ips(self, project_id: str) -> list[FloatingIP]:
        """Return what a project holds, by id."""
        held = (a.held for a in self.addresses.values() if a.held)
        own = [each for each in held if each.project_id == project_id]
        return sorted(own, key=lambda each: each.id)

    def find(self, project_id: str, floating_ip_id: int) -> FloatingIP | None:
        """Return a floating IP of a project."""
        own = self.floating_ips(project_id)
        return next((each for each in own if each.id == floating_ip_id), None)

    def server_of(self, project_id: str, fixed_ip: str | None) -> Server | None:
        """Return the server of a project that has a fixed IP."""
        for server in self.servers.values():
            if server.project_id == project_id and fixed_ip in server.fixed_ips:
                return server
        return None

    def has_room(self, project_id: str, count: int) -> bool:
        """Tell whether the quota lets the project hold so many more."""
        allowed = self.quotas.get(project_id, self.default_quota)
        return allowed == -1 or len(self.floating_ips(project_id)) + count <= allowed

    def available(self, project_id: str, pool: str) -> list[set[str]]:
        """Return the addresses that the project may get, the first ones first."""
        own, free, due = set(), set(), set()
        for ip, address in self.addresses.items():
            if address.pool != pool or address.held or address.reason:
                continue
            if address.rest is None:
                free.add(ip)
            elif address.rest.project_id == project_id:
                own.add(ip)
            elif address.rest.is_due:
                due.add(ip)
        return [own, free, due] if self.is_strict else [own | free | due]

    def history_of(self, floating_ip: FloatingIP) -> list[Interval]:
        """Return the intervals of a floating IP so far."""
        return self.history.setdefault(floating_ip.id, [])

    def note(self, floating_ip: FloatingIP, actor: str, answer: Answer) -> None:
        """Begin an interval of what is now; the one before ends."""
        server = self.server_of(floating_ip.project_id, floating_ip.fixed_ip)
        self.history_of(floating_ip).append(
            Interval(
                floating_ip.ip,
                floating_ip.project_id,
                floating_ip.fixed_ip,
                server.id if server else None,
                actor,
                answer.request_id,
            )
        )

    def counts(self, pool: str) -> dict[str, int]:
        """Count the addresses of a pool in each state."""
        states = [a.state for a in self.addresses.values() if a.pool == pool]
        names = ("free", "held", "resting", "reserved")
        return {name: states.count(name) for name in names} | {"total": len(states)}

    def rests(self) -> Iterator[Rest]:
        """Yield the quarantines that go on."""
        yield from (a.rest for a in self.addresses.values() if a.rest)

    def all_floating_ips(self) -> Iterator[FloatingIP]:
        """Yield what all projects hold."""
        yield from (a.held for a in self.addresses.values() if a.held)
