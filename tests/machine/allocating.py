"""Operations that give addresses to projects, and take them back."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.machine.operations import OfOne, Operation, demand
from tests.machine.pointing import check_shown, point, refused_fixed_ip
from tests.machine.state import JSON, Answer, FloatingIP, Ledger, Rest

DEFAULT_POOL = "public"


def give(
    ledger: Ledger, who: Operation, shown: JSON, tags: Sequence[str], answer: Answer
) -> FloatingIP:
    """Let a project hold an address, as an answer has shown it."""
    known = ledger.history.keys()
    demand(shown["id"] not in known, f"the id {shown['id']} was used before")
    demand(shown["ip"] in ledger.addresses, f"{shown['ip']} is in no pool")
    address = ledger.addresses[shown["ip"]]
    project_id = who.asker.project_id
    demand(address.held is None, f"{shown['ip']} is held")
    demand(address.may_go_to(project_id), f"{shown['ip']} rests for another")
    made = FloatingIP(shown["id"], shown["ip"], project_id, tags=frozenset(tags))
    address.held, address.rest = made, None
    address.reason, address.hold_is_over, address.until = None, False, None
    ledger.note(made, who.asker.user, answer)
    return made


def demand_chosen(ips: set[str], available: Sequence[set[str]]) -> None:
    """Demand that none of later sets was taken while earlier ones had some."""
    for first in available:
        taken = ips & first
        demand(len(taken) == min(len(ips), len(first)), f"{ips}: {first} come first")
        ips = ips - first
    demand(not ips, f"{ips} could not be had")


@dataclass(frozen=True)
class Allocate(Operation):
    """Allocate a floating IP, or claim one."""

    pool: str | None = None
    address: str | None = None
    fixed_ip: str | None = None
    reuse: bool = False
    tags: tuple[str, ...] = ()

    success = 200
    path = "/os-floating-ips"

    @property
    def body(self) -> JSON:
        """In the shortest form that says it."""
        members = {
            "pool": self.pool,
            "address": self.address,
            "fixed_ip": self.fixed_ip,
            "reuse_unassociated": self.reuse or None,
            "tags": list(self.tags) or None,
        }
        given = {name: each for name, each in members.items() if each is not None}
        if not given:
            return None
        return given if given.keys() == {"pool"} else {"allocate_address": given}

    def _candidates(self, ledger: Ledger) -> list[FloatingIP]:
        """Return what would do instead of a new one; the first is to be taken."""
        if not self.reuse:
            return []
        pool = self.pool or (None if self.address else DEFAULT_POOL)
        found = [
            each
            for each in ledger.floating_ips(self.asker.project_id)
            if each.fixed_ip is None
            and pool in (None, ledger.addresses[each.ip].pool)
            and self.address in (None, each.ip)
            and each.tags >= set(self.tags)
            and self._suits(each)
        ]
        return found[:1] if ledger.is_strict else found

    def _suits(self, floating_ip: FloatingIP) -> bool:
        """Tell whether it is of the fixed IP's family."""
        return not self.fixed_ip or (":" in floating_ip.ip) == (":" in self.fixed_ip)

    def refusal(self, ledger: Ledger) -> int | None:
        """The pool, the quota, the address; then the fixed IP."""
        if self._unknown_pool(ledger):
            return 404
        candidates = self._candidates(ledger)
        refusal = None if candidates else self._refusal_of_a_new_one(ledger)
        if refusal or not self.fixed_ip:
            return refusal
        some_ip = candidates[0].ip if candidates else self._some_ip(ledger)
        return refused_fixed_ip(
            ledger, None, self.asker.project_id, some_ip, self.fixed_ip
        )

    def _unknown_pool(self, ledger: Ledger) -> bool:
        pool = self.pool or (None if self.address else DEFAULT_POOL)
        return pool is not None and pool not in ledger.pools

    def _refusal_of_a_new_one(self, ledger: Ledger) -> int | None:
        project_id = self.asker.project_id
        address = ledger.addresses.get(self.address or "")
        if self.address:
            if address is None or self.pool not in (None, address.pool):
                return 404
            if not ledger.has_room(project_id, 1):
                return 403
            is_free = not address.held and (not address.reason or address.hold_is_over)
            return None if is_free and address.may_go_to(project_id) else 409
        if not ledger.has_room(project_id, 1):
            return 403
        pool = self.pool or DEFAULT_POOL
        return None if any(ledger.available(project_id, pool)) else 404

    def _some_ip(self, ledger: Ledger) -> str:
        """Return an address like the one to come: a pool is of one family."""
        pool = self.pool or DEFAULT_POOL
        some = ledger.available(self.asker.project_id, pool)
        return self.address or next(ip for ips in some for ip in ips)

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Claim a candidate, or hold a new address; then associate it."""
        shown = answer.body["floating_ip"]
        candidates = {each.id: each for each in self._candidates(ledger)}
        if candidates:
            demand(shown["id"] in candidates, f"{list(candidates)} were to be claimed")
            one = candidates[shown["id"]]
        else:
            self._demand_choice(ledger, shown["ip"])
            one = give(ledger, self, shown, self.tags, answer)
        if self.fixed_ip:
            point(ledger, one, self.fixed_ip, self.asker.user, answer)
        check_shown(ledger, one, answer)

    def _demand_choice(self, ledger: Ledger, ip: str) -> None:
        if self.address:
            return demand(ip == self.address, f"{self.address} was asked for")
        pool = self.pool or DEFAULT_POOL
        return demand_chosen({ip}, ledger.available(self.asker.project_id, pool))


@dataclass(frozen=True)
class AllocateMany(Operation):
    """Allocate several floating IPs, or none."""

    count: int
    pool: str | None = None

    success = 200
    path = "/os-floating-ips/batch"

    @property
    def body(self) -> JSON:
        """How many, and of which pool."""
        pool = {"pool": self.pool} if self.pool else {}
        return {"allocate_addresses": {"count": self.count, **pool}}

    def refusal(self, ledger: Ledger) -> int | None:
        """The pool, the quota, the addresses."""
        pool, project_id = self.pool or DEFAULT_POOL, self.asker.project_id
        if pool not in ledger.pools:
            return 404
        if not ledger.has_room(project_id, self.count):
            return 403
        available = ledger.available(project_id, pool)
        return 404 if sum(map(len, available)) < self.count else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Hold them all."""
        shown = answer.body["floating_ips"]
        demand(len(shown) == self.count, f"{self.count} were asked for")
        pool = self.pool or DEFAULT_POOL
        available = ledger.available(self.asker.project_id, pool)
        demand_chosen({each["ip"] for each in shown}, available)
        for each in shown:
            give(ledger, self, each, (), answer)


def take_back(ledger: Ledger, floating_ip: FloatingIP) -> None:
    """Let an address rest, or be free at once."""
    address = ledger.addresses[floating_ip.ip]
    address.held = None
    if ledger.pools[address.pool] > 0:
        address.rest = Rest(floating_ip.project_id)


@dataclass(frozen=True)
class Release(OfOne):
    """Release a floating IP."""

    method = "DELETE"

    @property
    def path(self) -> str:
        """Of one floating IP."""
        return f"/os-floating-ips/{self.floating_ip_id}"

    def refusal_of(self, floating_ip: FloatingIP, ledger: Ledger) -> int | None:
        """It may be protected."""
        return 409 if floating_ip.protected else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Take it back."""
        take_back(ledger, self.found(ledger))


@dataclass(frozen=True)
class ReleaseMany(Operation):
    """Release several floating IPs, or none."""

    floating_ip_ids: tuple[int, ...]

    path = "/os-floating-ips/batch/release"

    @property
    def body(self) -> JSON:
        """Their ids."""
        return {"release_addresses": {"ids": list(self.floating_ip_ids)}}

    def refusal(self, ledger: Ledger) -> int | None:
        """One may be unknown, or protected."""
        found = [
            ledger.find(self.asker.project_id, each) for each in self.floating_ip_ids
        ]
        if None in found:
            return 404
        return 409 if any(each and each.protected for each in found) else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Take them all back."""
        for each in self.floating_ip_ids:
            found = ledger.find(self.asker.project_id, each)
            assert found
            take_back(ledger, found)
