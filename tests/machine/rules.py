"""The state machine: requests one by one, or several at once, and time that passes."""

from asyncio import Runner
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from itertools import permutations
from random import Random
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from app.settings import Settings
from tests.machine import draws, media, seeing, standing
from tests.machine.allocating import Allocate, Release
from tests.machine.draws import Drawing
from tests.machine.operating import AddRange, Register
from tests.machine.operations import Asker, Operation
from tests.machine.passing import Sweep
from tests.machine.state import Answer, Ledger, Wrong
from tests.machine.world import OBSTACLES, Sent, World

Done = tuple[Operation, Answer]

RED, BLUE = Asker("joe", "red"), Asker("eve", "blue")
AT_THE_START = (
    AddRange(draws.OPERATOR, "192.0.2.0/29", "public"),
    AddRange(draws.OPERATOR, "2001:db8::/126", "six"),
    Register(Asker("admin", "red"), "web", ("11.0.0.1", "fd00::1")),
    Register(Asker("admin", "red"), "db", ("11.0.0.2",)),
    Register(Asker("admin", "blue"), "web", ("11.0.0.1",)),
    Allocate(RED, fixed_ip="11.0.0.2"),
    Allocate(RED, tags=("a",)),
    Allocate(BLUE),
    Release(BLUE, 3),
)


SWEEP = Sweep(draws.OPERATOR)
LOOK_EACH = 10

CHANCE = st.integers(0, 2**32 - 1)


class LedgerMachine(RuleBasedStateMachine):
    """A ledger that many change, and the one it should be."""

    world: ClassVar[World]
    runner: ClassVar[Runner]

    @initialize()
    def begin(self) -> None:
        """Two pools, three servers, two floating IPs, and one that was released."""
        self.run(self.world.empty())
        self.trace: list[str] = []
        self.audits = 0
        self.ledger = Ledger(self.world.settings.default_quota)
        for operation in AT_THE_START:
            self._ask(Sent(operation))
        self._audit()

    def run(self, work: Any) -> Any:
        """Wait for the service."""
        return self.runner.run(work)

    def _drawn(self, chance: Random, kind: draws.Kind) -> Sent:
        operation = kind(Drawing(chance, self.ledger))
        return Sent(operation, chance.choice(media.TYPES), chance.choice(media.TYPES))

    @rule(kind=st.sampled_from(draws.MEMBERS), chance=CHANCE)
    def a_member_asks(self, kind: draws.Kind, chance: int) -> None:
        """Somebody of a project."""
        with self._traced():
            self._ask(self._drawn(Random(chance), kind))
            self._audit()

    @rule(kind=st.sampled_from(draws.AT_TIMES), chance=CHANCE)
    def an_operator_asks(self, kind: draws.Kind, chance: int) -> None:
        """An admin; or nobody, and time passes."""
        with self._traced():
            self._ask(self._drawn(Random(chance), kind))
            self._audit()

    def _ask(self, sent: Sent) -> None:
        answer = self.run(self.world.send(sent))
        self.trace.append(f"{sent} -> {answer.status} {answer.body}")
        sent.operation.check(self.ledger, answer)

    @contextmanager
    def _traced(self) -> Iterator[None]:
        """Tell all that was asked, should it end here: it may not happen again."""
        try:
            yield
        except BaseException as error:
            error.add_note("\n".join(self.trace))
            raise

    @rule(count=st.integers(2, 4), chance=CHANCE)
    def several_ask_at_once(self, count: int, chance: int) -> None:
        """Their answers have to be those of some order, one after the other."""
        drawing = Random(chance)
        kinds = draws.that_meet(drawing, count)
        several = [self._drawn(drawing, kind) for kind in kinds]
        obstacle = drawing.choice([None, *OBSTACLES])
        with self._traced():
            self._meet(several, obstacle)
            self._audit()

    def _meet(self, several: Sequence[Sent], obstacle: str | None) -> None:
        answers = self.run(self.world.send_at_once(several, obstacle))
        operations = [sent.operation for sent in several]
        done = list(zip(operations, answers, strict=True))
        self.trace += ["at once:"]
        self.trace += [f"  {o} -> {a.status} {a.body}" for o, a in done]
        # What was locked when a sweep came, it has passed by; another one does it.
        after = (SWEEP, self.run(self.world.send(Sent(SWEEP))))
        found = self.run(standing.stand(self.world.aside))
        told = []
        for ledger in possible_ledgers(self.ledger, done, after):
            told.append(list(standing.differences(ledger, found)))
            if not told[-1]:
                self.ledger = ledger
                return
        raise Wrong(f"no order of these requests gives these answers: {told}")

    def _audit(self) -> None:
        """Compare the ledger with the model, and ask for what breaks a promise."""
        found = self.run(standing.stand(self.world.aside))
        assert list(standing.differences(self.ledger, found)) == []
        assert self.run(self.world.breaches()) == []
        self.audits += 1
        if self.audits % LOOK_EACH == 0:
            assert self.run(self._seen_otherwise()) == []

    async def _seen_otherwise(self) -> list[str]:
        """Read every list and every thing, in one type or the other."""
        return [each async for each in seeing.differences(self.world, self.ledger)]


def possible_ledgers(
    ledger: Ledger, done: Sequence[Done], after: Done
) -> Iterator[Ledger]:
    """Yield what the ledger may be after requests that met, by their answers."""
    for order in permutations(without_twins(done)):
        trial = deepcopy(ledger)
        trial.is_strict = False
        with suppress(Wrong):
            for operation, answer in (*order, after):
                operation.check(trial, answer)
            trial.is_strict = True
            yield trial


def without_twins(done: Sequence[Done]) -> list[Done]:
    """Leave out those that were told that their twin, with their key, is under way."""
    kept = [each for each in done if not each[0].is_under_way(each[1])]
    scopes = [operation.scope for operation, _ in done]
    for operation, answer in done:
        if operation.is_under_way(answer) and scopes.count(operation.scope) < 2:
            raise Wrong(f"{operation} has no twin")
    return kept


@contextmanager
def machine_over(settings: Settings) -> Iterator[type[LedgerMachine]]:
    """Provide a machine over a service of its own, on a loop of its own."""
    world = World(settings.model_copy(update={"default_quota": 3}))
    with Runner() as runner:
        runner.run(world.open())
        yield type("Machine", (LedgerMachine,), {"world": world, "runner": runner})
        runner.run(world.close())
