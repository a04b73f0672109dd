"""Whether what clients were told of an address could have happened one after the other.

An operation takes effect at one moment between its invocation and its answer. A history
is linearizable if such moments can be found for all of its operations so that each
answer is right. An operation whose answer never came may take effect at any time after
its invocation, or never.

Events are read in order. What the address may be, and which of the operations under way
have taken effect by then, is a configuration; when an operation is answered, those are
kept in which it has. Histories of different addresses are checked one by one: a history
is linearizable if those of its objects are (Herlihy and Wing, 1990).

Source: Lowe, Testing for linearizability, 2017: just-in-time linearization.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Held:
    """What an address is while a project holds it."""

    project_id: str
    floating_ip_id: int
    fixed_ip: str | None = None


State: TypeAlias = Held | None
"""Of an address: held, or to be had."""


class Kind(Enum):
    """What can be asked of a floating IP."""

    ALLOCATE = "allocate"
    RELEASE = "release"
    ASSOCIATE = "associate"
    DISASSOCIATE = "disassociate"
    SHOW = "show"


class Outcome(Enum):
    """What was answered."""

    DONE = "done"
    NOT_FOUND = "not found"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """A request on one address, when it was sent, and what came back when."""

    client: int
    """Who asks one thing at a time."""
    kind: Kind
    project_id: str
    floating_ip_id: int
    invoked: float
    answered: float
    outcome: Outcome = Outcome.DONE
    fixed_ip: str | None = None
    """The one that is asked for, or shown."""

    @property
    def ends(self) -> float:
        """When it must have taken effect, if ever."""
        return inf if self.outcome is Outcome.UNKNOWN else self.answered

    def after(self, state: State) -> tuple[bool, State]:
        """Tell whether it can take effect now as was answered, and what is then."""
        if self.kind is Kind.ALLOCATE:
            return state is None, Held(self.project_id, self.floating_ip_id)
        is_there = state is not None and (
            (state.project_id, state.floating_ip_id)
            == (self.project_id, self.floating_ip_id)
        )
        if self.outcome is Outcome.NOT_FOUND or not is_there:
            return is_there != (self.outcome is Outcome.NOT_FOUND), state
        assert state
        return self._done_to(state)

    def _done_to(self, state: Held) -> tuple[bool, State]:
        match self.kind:
            case Kind.RELEASE:
                return True, None
            case Kind.SHOW:
                return state.fixed_ip == self.fixed_ip, state
            case _:
                pointed = Held(state.project_id, state.floating_ip_id, self.fixed_ip)
                return True, pointed


Configuration: TypeAlias = tuple[State, frozenset[Operation]]
"""What an address is, by the operations under way that have taken effect."""


@dataclass(frozen=True, slots=True)
class Refutation:
    """The first answer that is wrong whatever happened, and what could have been."""

    operation: Operation
    states: frozenset[State]


def refute(history: Iterable[Operation], begin: State = None) -> Refutation | None:
    """Return why the history of an address is not linearizable; None if it is."""
    configurations: set[Configuration] = {(begin, frozenset())}
    under_way: set[Operation] = set()
    for is_answer, operation in _events(history):
        if not is_answer:
            under_way.add(operation)
            continue
        settled = _settle(configurations, under_way, operation)
        if not settled:
            return Refutation(
                operation, frozenset(state for state, _ in configurations)
            )
        configurations = settled
        under_way.remove(operation)
    return None


def _events(history: Iterable[Operation]) -> Sequence[tuple[bool, Operation]]:
    """Return invocations and answers by time; of one moment, the invocations first."""
    events = [
        event
        for operation in history
        for event in (
            (operation.invoked, False, operation),
            (operation.ends, True, operation),
        )
        if event[0] != inf
    ]
    events.sort(key=lambda event: event[:2])
    return [(is_answer, operation) for _, is_answer, operation in events]


def _settle(
    configurations: set[Configuration],
    under_way: set[Operation],
    answered: Operation,
) -> set[Configuration]:
    """Return the configurations in which an operation has taken effect."""
    settled: set[Configuration] = set()
    seen, to_do = set(configurations), list(configurations)
    while to_do:
        state, done = to_do.pop()
        if answered in done:
            settled.add((state, done - {answered}))
            continue
        for following in _following(state, done, under_way):
            if following not in seen:
                seen.add(following)
                to_do.append(following)
    return settled


def _following(
    state: State, done: frozenset[Operation], under_way: set[Operation]
) -> Iterable[Configuration]:
    for operation in under_way - done:
        can_be, after = operation.after(state)
        if can_be:
            yield after, done | {operation}
