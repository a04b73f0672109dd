"""What happens without a request: time passes, and the sweep comes."""

from dataclasses import dataclass

from tests.machine.operating import lift
from tests.machine.operations import Operation
from tests.machine.state import Answer, Ledger

LONG_AGO = "2020-01-01T00:00:00Z"

PASS_TIME = (
    "UPDATE addresses SET rests_until = changed_at WHERE rests_until IS NOT NULL",
    "UPDATE former_addresses SET rests_until = changed_at"
    " WHERE rests_until IS NOT NULL",
    "UPDATE addresses SET reserved_until = '2020-01-01T00:00:00Z'"
    " WHERE reserved_until IS NOT NULL",
)


@dataclass(frozen=True)
class Event(Operation):
    """No request, and no answer."""

    success = 200

    def refusal(self, ledger: Ledger) -> int | None:
        """None."""
        return None


@dataclass(frozen=True)
class PassTime(Event):
    """All times that the ledger waits for are over."""

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Quarantines are due, and holds that end by themselves are over."""
        for address in ledger.addresses.values():
            if address.until:
                address.hold_is_over, address.until = True, LONG_AGO
        for rest in [*ledger.former.values(), *ledger.rests()]:
            if rest:
                rest.is_due = True


@dataclass(frozen=True)
class Sweep(Event):
    """What is due is done."""

    def effect(self, ledger: Ledger, answer: Answer) -> None:
        """Addresses that are due become free, and holds that are over end."""
        for address in ledger.addresses.values():
            if address.hold_is_over:
                lift(address)
            elif not address.reason and address.rest and address.rest.is_due:
                address.rest = None
