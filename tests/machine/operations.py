"""What a request asks for, which answer to it is right, and what is then."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from tests.machine.state import JSON, Answer, FloatingIP, Ledger, Wrong

PROJECTS = ("red", "blue")
UNDER_WAY = "the first request with it is under way"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for which project, and how: by its path or by its own token."""

    user: str
    project_id: str
    is_mounted: bool = False

    @property
    def token(self) -> str:
        """As noauth takes it; an admin's own project is another one."""
        own = "operators" if self.user == "admin" else self.project_id
        return f"{self.user}:{own}"


@dataclass(frozen=True)
class Operation:
    """A request of one kind; its subclasses say what it means."""

    asker: Asker
    key: str | None = field(default=None, kw_only=True)
    if_match: int | None = field(default=None, kw_only=True)

    method: ClassVar[str] = "POST"
    success: ClassVar[int] = 202

    @property
    def path(self) -> str:
        """Without the mount."""
        raise NotImplementedError

    @property
    def body(self) -> JSON:
        """In JSON; None is no body."""
        return None

    @property
    def headers(self) -> dict[str, str]:
        """Beside those of negotiation."""
        headers = {"X-Auth-Token": self.asker.token}
        if self.key:
            headers["Idempotency-Key"] = self.key
        if self.if_match:
            headers["If-Match"] = f'"{self.if_match}"'
        return headers

    @property
    def scope(self) -> tuple[str, str, str] | None:
        """Within which its key is one; None without a key."""
        if self.key is None:
            return None
        is_mounted = self.asker.user != "admin" or self.asker.is_mounted
        project_id = self.asker.project_id if is_mounted else "operators"
        return project_id, type(self).__name__, self.key

    def asked(self, **changed: Any) -> Self:
        """Return the same request, with another key or condition."""
        return replace(self, **changed)

    def refusal(self, ledger: Ledger) -> int | None:
        """Return the status of the refusal that is due, or None."""
        raise NotImplementedError

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Do to the ledger what the answer says was done; raise Wrong if it cannot."""
        raise NotImplementedError

    def check(self, ledger: Ledger, answer: Answer) -> None:
        """Take an answer in, or raise Wrong."""
        if self.scope in ledger.answers:
            return self._check_again(ledger, answer)
        demand(not answer.is_replay, "a first request is no replay")
        refusal = self.refusal(ledger)
        if refusal is not None:
            return demand_status(answer, refusal)
        demand_status(answer, self.success)
        self.effect(ledger, answer)
        if self.scope:
            ledger.answers[self.scope] = (self._said, answer)
        return None

    @property
    def _said(self) -> JSON:
        return self.path, self.body or None

    def _check_again(self, ledger: Ledger, answer: Answer) -> None:
        assert self.scope
        said, first = ledger.answers[self.scope]
        if said != self._said:
            return demand_status(answer, 422)
        demand_status(answer, first.status)
        demand(answer.is_replay, "the same request again is a replay")
        demand(answer.body == first.body, "a replay says what was said first")
        return demand(answer.revision == first.revision, "a replay has the same tag")

    def is_under_way(self, answer: Answer) -> bool:
        """Tell whether its twin, of the same key, was not done yet."""
        return answer.status == 409 and UNDER_WAY in str(answer.body)


def demand(condition: bool, sentence: str) -> None:
    """Raise Wrong unless it is so."""
    if not condition:
        raise Wrong(sentence)


def demand_status(answer: Answer, status: int) -> None:
    """Raise Wrong for another status."""
    demand(answer.status == status, f"{status} was due, and {answer.status} came")


@dataclass(frozen=True)
class OfOne(Operation):
    """An operation on one floating IP, which may be anybody's or nobody's."""

    floating_ip_id: int

    def found(self, ledger: Ledger) -> FloatingIP:
        """Return the floating IP, which is there."""
        found = ledger.find(self.asker.project_id, self.floating_ip_id)
        assert found
        return found

    def refusal(self, ledger: Ledger) -> int | None:
        """Foreign is unknown; then its revision is compared."""
        found = ledger.find(self.asker.project_id, self.floating_ip_id)
        if found is None:
            return 404
        if self.if_match and self.if_match != found.revision:
            return 412
        return self.refusal_of(found, ledger)

    def refusal_of(self, floating_ip: FloatingIP, ledger: Ledger) -> int | None:
        """Return what else stands in the way."""
        return None
