"""Which requests are drawn: mostly possible ones, and some that are not.

Hypothesis draws the chance of a request and not its parts, for these depend on what the
service has chosen before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from tests.machine import allocating, operating, passing, pointing
from tests.machine.operations import PROJECTS, Asker, Operation
from tests.machine.state import Ledger

POOLS = ("public", "second", "six")
FIXED_IPS = ("11.0.0.1", "11.0.0.2", "11.0.0.3", "fd00::1")
TAGS = ("a", "b", "é f")
KEYS = ("monday", "tuesday", "wednesday")
OPERATOR = Asker("admin", "operators")

ASKERS = (
    Asker("joe", "red"),
    Asker("ann", "red", is_mounted=True),
    Asker("eve", "blue"),
    Asker("admin", "blue", is_mounted=True),
)


Kind: TypeAlias = Callable[["Drawing"], Operation]
"""A kind of request, of which one is drawn."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws the parts of a request from what there is in the ledger."""

    chance: Random
    ledger: Ledger

    def one_of(self, *options: Any) -> Any:
        """Draw one of the options."""
        return self.chance.choice(options)

    def asker(self) -> Asker:
        """Draw somebody of a project."""
        return self.chance.choice(ASKERS)

    def asker_of(self, project_id: str) -> Asker:
        """Draw somebody of that project, and now and then of another one."""
        own = [each for each in ASKERS if each.project_id == project_id]
        found: Asker = self.one_of(*own * 4, *ASKERS)
        return found

    def floating_ip(self) -> tuple[Asker, int]:
        """Draw an asker and an id: mostly the project's own, or else whose it was."""
        held = [(each.project_id, each.id) for each in self.ledger.all_floating_ips()]
        project_id, floating_ip_id = self.one_of(*held * 4, ("red", 1))
        return self.asker_of(project_id), floating_ip_id

    def address(self) -> str:
        """Draw an address of a pool, or one that may be in none."""
        known: str = self.one_of(*sorted(self.ledger.addresses), "192.0.2.1")
        return known

    def fixed_ip(self, project_id: str) -> str:
        """Draw a fixed IP: the project's own, or another's, or nobody's."""
        servers = self.ledger.servers.values()
        own = [ip for s in servers if s.project_id == project_id for ip in s.fixed_ips]
        found: str = self.one_of(*sorted(own) * 4, *FIXED_IPS)
        return found

    def tags(self) -> tuple[str, ...]:
        """Draw a few tags."""
        return tuple(sorted(self.chance.sample(TAGS, self.one_of(0, 0, 1, 2))))

    def revision(self, floating_ip_id: int) -> int | None:
        """Draw a revision: mostly none, often the present, and now and then another."""
        held = {each.id: each for each in self.ledger.all_floating_ips()}
        present = held[floating_ip_id].revision if floating_ip_id in held else 1
        found: int | None = self.one_of(None, None, None, present, present + 1)
        return found

    def key(self) -> str | None:
        """Draw a key, mostly none."""
        found: str | None = self.one_of(None, None, None, *KEYS)
        return found


def allocate(d: Drawing) -> Operation:
    asker = d.asker()
    address = d.one_of(None, None, None, d.address())
    fixed_ip = d.one_of(None, None, d.fixed_ip(asker.project_id))
    pool = d.one_of(None, None, *POOLS)
    reuse = d.one_of(False, False, True)
    return allocating.Allocate(
        asker, pool, address, fixed_ip, reuse, d.tags(), key=d.key()
    )


def allocate_many(d: Drawing) -> Operation:
    pool = d.one_of(None, None, *POOLS)
    return allocating.AllocateMany(d.asker(), d.one_of(1, 2, 3), pool, key=d.key())


def release(d: Drawing) -> Operation:
    asker, each = d.floating_ip()
    return allocating.Release(asker, each, key=d.key(), if_match=d.revision(each))


def release_many(d: Drawing) -> Operation:
    asker, one = d.floating_ip()
    own = [each.id for each in d.ledger.floating_ips(asker.project_id)]
    ids = {one, *d.chance.sample(own, min(len(own), d.one_of(0, 1, 2)))}
    in_any_order = tuple(d.chance.sample(sorted(ids), len(ids)))
    return allocating.ReleaseMany(asker, in_any_order, key=d.key())


def show(d: Drawing) -> Operation:
    return pointing.Show(*d.floating_ip())


def associate(d: Drawing) -> Operation:
    asker, each = d.floating_ip()
    fixed_ip = d.fixed_ip(asker.project_id)
    condition = d.revision(each)
    return pointing.Associate(asker, each, fixed_ip, key=d.key(), if_match=condition)


def disassociate(d: Drawing) -> Operation:
    asker, each = d.floating_ip()
    return pointing.Disassociate(asker, each, key=d.key(), if_match=d.revision(each))


def write(d: Drawing) -> Operation:
    asker, each = d.floating_ip()
    return pointing.Write(
        asker,
        each,
        d.one_of(None, "", "the shop"),
        d.one_of(None, d.tags()),
        d.one_of(None, False, True),
        key=d.key(),
        if_match=d.revision(each),
    )


def register(d: Drawing) -> Operation:
    if d.one_of(True, True, False):
        some = d.chance.sample(FIXED_IPS, d.one_of(1, 1, 2))
        asker = Asker("admin", d.one_of(*PROJECTS))
        return operating.Register(asker, "web", tuple(sorted(some)), key=d.key())
    return operating.Register(d.asker(), "web", key=d.key())


def remove(d: Drawing) -> Operation:
    servers = [(each.project_id, each.id) for each in d.ledger.servers.values()]
    project_id, server_id = d.one_of(*servers * 4, ("red", 1))
    return operating.Remove(d.asker_of(project_id), server_id, key=d.key())


def put_quota(d: Drawing) -> Operation:
    allowed = d.one_of(0, 1, 2, 3, 5, 70, -1)
    return operating.PutQuota(OPERATOR, d.one_of(*PROJECTS), allowed, key=d.key())


def put_pool(d: Drawing) -> Operation:
    seconds = d.one_of(0, 3600, 86400)
    return operating.PutPool(OPERATOR, d.one_of(*POOLS), seconds, key=d.key())


def place_hold(d: Drawing) -> Operation:
    until = d.one_of(None, "2100-01-01T00:00:00Z", "2020-01-01T00:00:00Z")
    return operating.PlaceHold(OPERATOR, d.address(), "spam", until, key=d.key())


def lift_hold(d: Drawing) -> Operation:
    held_back = [ip for ip, each in sorted(d.ledger.addresses.items()) if each.reason]
    address = d.one_of(*held_back * 3, d.address())
    return operating.LiftHold(OPERATOR, address, key=d.key())


def add_range(d: Drawing) -> Operation:
    ip_range = d.one_of(*operating.RANGES)
    pool = "six" if ":" in ip_range else d.one_of("public", "second")
    return operating.AddRange(OPERATOR, ip_range, pool, key=d.key())


def take_out(d: Drawing) -> Operation:
    return operating.TakeOut(OPERATOR, d.one_of(*operating.RANGES), key=d.key())


def sweep(d: Drawing) -> Operation:
    return passing.Sweep(OPERATOR)


def pass_time(d: Drawing) -> Operation:
    return passing.PassTime(OPERATOR)


MEMBERS: tuple[Kind, ...] = (
    *(allocate, allocate, allocate, allocate_many, release, release, release_many),
    *(show, associate, associate, associate, disassociate, write, register, remove),
)
OPERATORS: tuple[Kind, ...] = (
    put_quota,
    put_pool,
    place_hold,
    lift_hold,
    add_range,
    take_out,
    sweep,
)
THAT_CAN_MEET = MEMBERS + OPERATORS
AT_TIMES: tuple[Kind, ...] = (*OPERATORS, pass_time, pass_time)


def that_meet(chance: Random, count: int) -> list[Kind]:
    """Draw kinds of requests that are to meet.

    Not an address that comes and goes at once: one that came into its pool and was
    allocated, while its range was about to be taken out, stays, by design.
    """
    kinds = chance.choices(THAT_CAN_MEET, k=count)
    if {add_range, take_out} <= set(kinds):
        return that_meet(chance, count)
    return kinds
