"""Operations on a floating IP that its project keeps."""

from dataclasses import dataclass

from tests.machine.operations import OfOne, demand
from tests.machine.state import JSON, Answer, FloatingIP, Ledger


def refused_fixed_ip(
    ledger: Ledger, floating_ip_id: int | None, project_id: str, ip: str, fixed_ip: str
) -> int | None:
    """Return why a floating IP may not point at a fixed IP, if so."""
    if ledger.server_of(project_id, fixed_ip) is None:
        return 404
    if (":" in ip) != (":" in fixed_ip):
        return 400
    others = (e for e in ledger.floating_ips(project_id) if e.id != floating_ip_id)
    return 409 if any(each.fixed_ip == fixed_ip for each in others) else None


def point(
    ledger: Ledger,
    floating_ip: FloatingIP,
    fixed_ip: str | None,
    actor: str,
    answer: Answer,
) -> None:
    """Point a floating IP elsewhere, if it is elsewhere."""
    if floating_ip.fixed_ip == fixed_ip:
        return
    floating_ip.fixed_ip = fixed_ip
    floating_ip.revision += 1
    ledger.note(floating_ip, actor, answer)


@dataclass(frozen=True)
class Show(OfOne):
    """Show a floating IP."""

    method = "GET"
    success = 200

    @property
    def path(self) -> str:
        """Of one floating IP."""
        return f"/os-floating-ips/{self.floating_ip_id}"

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Nothing; but the answer is the present."""
        check_shown(ledger, self.found(ledger), answer)


def check_shown(ledger: Ledger, floating_ip: FloatingIP, answer: Answer) -> None:
    """Compare what was answered with the floating IP."""
    server = ledger.server_of(floating_ip.project_id, floating_ip.fixed_ip)
    expected = shape(floating_ip, server.id if server else None)
    demand(answer.body == {"floating_ip": expected}, f"{expected} was due")
    demand(answer.revision == floating_ip.revision, "the tag is the revision")


def shape(floating_ip: FloatingIP, server_id: int | None) -> dict[str, JSON]:
    """Return a floating IP as the draft writes it."""
    return {
        "id": floating_ip.id,
        "ip": floating_ip.ip,
        "fixed_ip": floating_ip.fixed_ip,
        "instance_id": server_id,
    }


@dataclass(frozen=True)
class Associate(OfOne):
    """Point a floating IP at a fixed IP."""

    fixed_ip: str

    @property
    def path(self) -> str:
        """Of the action."""
        return f"/os-floating-ips/{self.floating_ip_id}/addFloatingIp"

    @property
    def body(self) -> JSON:
        """The fixed IP."""
        return {"associate_address": {"fixed_ip": self.fixed_ip}}

    def refusal_of(self, floating_ip: FloatingIP, ledger: Ledger) -> int | None:
        """As the fixed IP is."""
        ip, project_id = floating_ip.ip, self.asker.project_id
        return refused_fixed_ip(ledger, floating_ip.id, project_id, ip, self.fixed_ip)

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Point it there."""
        found = self.found(ledger)
        point(ledger, found, self.fixed_ip, self.asker.user, answer)
        demand(answer.revision == found.revision, "the tag is the revision")


@dataclass(frozen=True)
class Disassociate(OfOne):
    """Point a floating IP at nothing."""

    @property
    def path(self) -> str:
        """Of the action."""
        return f"/os-floating-ips/{self.floating_ip_id}/removeFloatingIp"

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Point it nowhere."""
        found = self.found(ledger)
        point(ledger, found, None, self.asker.user, answer)
        demand(answer.revision == found.revision, "the tag is the revision")


@dataclass(frozen=True)
class Write(OfOne):
    """Write on a floating IP."""

    description: str | None
    tags: tuple[str, ...] | None
    protected: bool | None

    method = "PUT"
    success = 200

    @property
    def path(self) -> str:
        """Of its attributes."""
        return f"/os-floating-ips/{self.floating_ip_id}/attributes"

    @property
    def body(self) -> JSON:
        """The members that are to change."""
        members = {
            "description": self.description,
            "tags": None if self.tags is None else list(self.tags),
            "protected": self.protected,
        }
        given = {name: each for name, each in members.items() if each is not None}
        return {"floating_ip_attributes": given}

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Write; what changes nothing leaves the revision."""
        found = self.found(ledger)
        before = (found.description, found.tags, found.protected)
        if self.description is not None:
            found.description = self.description
        if self.tags is not None:
            found.tags = frozenset(self.tags)
        if self.protected is not None:
            found.protected = self.protected
        found.revision += before != (found.description, found.tags, found.protected)
        demand(answer.body == attributes(found), f"{attributes(found)} was due")
        demand(answer.revision == found.revision, "the tag is the revision")


def attributes(floating_ip: FloatingIP) -> JSON:
    """Return what is written on a floating IP, as the service tells it."""
    told = {
        "description": floating_ip.description,
        "tags": sorted(floating_ip.tags),
        "protected": floating_ip.protected,
    }
    return {"floating_ip_attributes": told}
