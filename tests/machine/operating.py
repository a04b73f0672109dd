"""Operations on servers, and those of operators."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import ClassVar

from tests.machine.operations import Operation, demand
from tests.machine.pointing import point
from tests.machine.state import JSON, Address, Answer, Ledger, Server

FIXED_RANGE = ip_network("10.0.0.0/16")
NEW_POOLS_REST = 3600


@dataclass(frozen=True)
class Register(Operation):
    """Register a server; with fixed IPs it is an admin who asks."""

    name: str
    fixed_ips: tuple[str, ...] = ()

    success = 200
    path = "/servers"

    @property
    def body(self) -> JSON:
        """The server."""
        server: dict[str, JSON] = {"name": self.name}
        if self.fixed_ips:
            server |= {
                "fixed_ips": list(self.fixed_ips),
                "project_id": self.asker.project_id,
            }
        return {"server": server}

    def refusal(self, ledger: Ledger) -> int | None:
        """A fixed IP may be taken."""
        owners = [
            ledger.server_of(self.asker.project_id, each) for each in self.fixed_ips
        ]
        return 409 if any(owners) else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Register it."""
        shown = answer.body["server"]
        demand(shown["id"] not in ledger.servers, "a new server has a new id")
        demand(shown["addresses"]["public"] == [], "nothing is associated yet")
        private = [each["addr"] for each in shown["addresses"]["private"]]
        self._demand_fixed_ips(ledger, private)
        server = Server(shown["id"], self.asker.project_id, self.name, private)
        ledger.servers[server.id] = server

    def _demand_fixed_ips(self, ledger: Ledger, private: list[str]) -> None:
        if self.fixed_ips:
            return demand(set(private) == set(self.fixed_ips), "its own were sent")
        (fixed_ip,) = private
        is_known = ledger.server_of(self.asker.project_id, fixed_ip)
        demand(is_known is None, f"{fixed_ip} is taken")
        return demand(
            ip_address(fixed_ip) in FIXED_RANGE, f"{fixed_ip} is out of range"
        )


@dataclass(frozen=True)
class Remove(Operation):
    """Remove a server."""

    server_id: int

    method = "DELETE"

    @property
    def path(self) -> str:
        """Of one server."""
        return f"/servers/{self.server_id}"

    def refusal(self, ledger: Ledger) -> int | None:
        """Foreign is unknown; one of its floating IPs may be protected."""
        server = ledger.servers.get(self.server_id)
        if server is None or server.project_id != self.asker.project_id:
            return 404
        own = ledger.floating_ips(server.project_id)
        associated = [each for each in own if each.fixed_ip in server.fixed_ips]
        return 409 if any(each.protected for each in associated) else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """The project keeps its floating IPs."""
        server = ledger.servers[self.server_id]
        for each in ledger.floating_ips(server.project_id):
            if each.fixed_ip in server.fixed_ips:
                point(ledger, each, None, self.asker.user, answer)
        del ledger.servers[self.server_id]


@dataclass(frozen=True)
class PutQuota(Operation):
    """Set what a project may hold."""

    of: str
    allowed: int

    method = "PUT"
    success = 200

    @property
    def path(self) -> str:
        """Of a project."""
        return f"/os-quota-sets/{self.of}"

    @property
    def body(self) -> JSON:
        """The quota."""
        return {"quota_set": {"floating_ips": self.allowed}}

    def refusal(self, ledger: Ledger) -> int | None:
        """None."""
        return None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """What the project holds, it keeps."""
        ledger.quotas[self.of] = self.allowed
        told = {"quota_set": {"id": self.of, "floating_ips": self.allowed}}
        demand(answer.body == told, f"{told} was due")


@dataclass(frozen=True)
class PutPool(Operation):
    """Set how long released addresses of a pool rest."""

    pool: str
    quarantine_seconds: int

    method = "PUT"
    success = 200

    @property
    def path(self) -> str:
        """Of a pool."""
        return f"/os-floating-ip-pools/{self.pool}"

    @property
    def body(self) -> JSON:
        """The quarantine."""
        return {"floating_ip_pool": {"quarantine_seconds": self.quarantine_seconds}}

    def refusal(self, ledger: Ledger) -> int | None:
        """It may be unknown."""
        return None if self.pool in ledger.pools else 404

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """What rests, rests on."""
        ledger.pools[self.pool] = self.quarantine_seconds


@dataclass(frozen=True)
class PlaceHold(Operation):
    """Hold an address back."""

    address: str
    reason: str
    until: str | None = None

    success = 200
    path = "/os-floating-ip-holds"

    @property
    def body(self) -> JSON:
        """The hold."""
        until = {"until": self.until} if self.until else {}
        told = {"address": self.address, "reason": self.reason, **until}
        return {"floating_ip_hold": told}

    def refusal(self, ledger: Ledger) -> int | None:
        """A time that has passed; an address that is unknown, held, or held back."""
        if self.until and self.until < "2030":
            return 400
        address = ledger.addresses.get(self.address)
        if address is None:
            return 404
        return 409 if address.held or address.reason else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """What it has to rest is kept."""
        address = ledger.addresses[self.address]
        address.reason, address.until = self.reason, self.until
        address.hold_is_over = False


@dataclass(frozen=True)
class LiftHold(Operation):
    """Let an address go that is held back."""

    address: str

    method = "DELETE"

    @property
    def path(self) -> str:
        """Of the hold."""
        return f"/os-floating-ip-holds/{self.address}"

    def refusal(self, ledger: Ledger) -> int | None:
        """There may be none."""
        address = ledger.addresses.get(self.address)
        return None if address and address.reason else 404

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """It rests on."""
        lift(ledger.addresses[self.address])


def lift(address: Address) -> None:
    """End a hold."""
    address.reason = address.until = None
    address.hold_is_over = False
    if address.rest and address.rest.is_due:
        address.rest = None


RANGES = {
    "192.0.2.1": ["192.0.2.1"],
    "192.0.2.0/29": [f"192.0.2.{n}" for n in range(1, 7)],
    "192.0.2.4/30": ["192.0.2.5", "192.0.2.6"],
    "198.51.100.0/30": ["198.51.100.1", "198.51.100.2"],
    "2001:db8::1": ["2001:db8::1"],
    "2001:db8::/126": [f"2001:db8::{n}" for n in range(1, 4)],
}
"""What can be added and taken out, and the addresses that are meant."""


@dataclass(frozen=True)
class AddRange(Operation):
    """Add addresses to a pool."""

    ip_range: str
    pool: str

    success = 200
    path = "/os-floating-ips-bulk"

    @property
    def body(self) -> JSON:
        """The range."""
        asked = {"ip_range": self.ip_range, "pool": self.pool}
        return {"floating_ips_bulk_create": asked}

    def refusal(self, ledger: Ledger) -> int | None:
        """One may be in a pool."""
        return 409 if ledger.addresses.keys() & set(RANGES[self.ip_range]) else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """What rested when it was taken out, rests on."""
        ledger.pools.setdefault(self.pool, NEW_POOLS_REST)
        for ip in RANGES[self.ip_range]:
            rest = ledger.former.pop(ip, None)
            ledger.addresses[ip] = Address(self.pool, rest=rest)


@dataclass(frozen=True)
class TakeOut(Operation):
    """Take addresses out of their pools."""

    ip_range: str

    method = "PUT"
    success: ClassVar[int] = 200
    path = "/os-floating-ips-bulk/delete"

    @property
    def body(self) -> JSON:
        """The range."""
        return {"ip_range": self.ip_range}

    def refusal(self, ledger: Ledger) -> int | None:
        """One may be held."""
        there = [ledger.addresses.get(ip) for ip in RANGES[self.ip_range]]
        return 409 if any(each and each.held for each in there) else None

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Those that are in no pool are no matter."""
        for ip in RANGES[self.ip_range]:
            if gone := ledger.addresses.pop(ip, None):
                ledger.former[ip] = gone.rest
