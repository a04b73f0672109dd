"""The operations as pgbench runs them: the ledger's statements, and their parameters.

The statements are the constants of app.ledger. Their order is written here once more,
so `check` compares it with what the rules really send.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from app.auth import Caller, Role
from app.database import LedgerDatabase, Tx, transaction
from app.ledger import allocation, floating_ips, quotas
from app.ledger import release as releasing
from app.ledger.pools import named
from app.settings import Settings
from benchmarks import ledger_load

LISTED = 100
"""Floating IPs in the list."""


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, the pgbench variables that are its $1, $2, ..., and its result's."""

    statement: str
    parameters: tuple[str, ...]
    """In square brackets where an array of one number is wanted."""
    prefix: str | None = None
    """What the variables are named that take the result; None: it is not needed."""


@dataclass(frozen=True, slots=True)
class Script:
    """An operation: what is set beforehand, and the statements."""

    settings: tuple[str, ...]
    steps: tuple[Step, ...]
    is_transaction: bool
    """Whether BEGIN and COMMIT stand around it, as in the service."""


OF_CLIENT = r"\set project :first_project + :client_id"
OF_ALL = r"\set project :first_project"
"""Which project a client acts for: one of its own, or the one of all."""

PICK = r"\set start random(0, 999000) / 1000000.0"
"""Where the free addresses are looked for first."""

SHARE = rf"\set share random(0, {quotas.SHARES - 1})"
"""Where room is looked for first."""

ALLOCATE = (
    Step(named.FIND, ("pool",), "pool_"),
    Step(quotas.TAKE_ONE, ("project", "quota", "share")),
    Step(allocation.TAKE_ONE, ("project", "actor", "request", "pool_id", "start"), ""),
)
SHOW = (Step(floating_ips.SHOW, ("project", "id")),)
LIST = (Step(floating_ips.PAGES[None], ("project", "marker", "limit")),)
RELEASE = (
    Step(quotas.GIVE_BACK_TO_ANY, ("project", "one", "share")),
    Step(releasing.LOCK, ("project", "[id]")),
    Step(releasing.GIVE_BACK, ("project", "[id]")),
)

SCRIPTS = {
    "allocate": Script((OF_CLIENT, PICK, SHARE), ALLOCATE, True),
    "show": Script(
        (
            OF_CLIENT,
            rf"\set id :first_id + :client_id * {LISTED} + random(0, {LISTED - 1})",
        ),
        SHOW,
        False,
    ),
    "list": Script((OF_CLIENT,), LIST, False),
    "release": Script(
        (
            OF_CLIENT,
            r"\set id :first_id + :client_id * :each + :n",
            r"\set n :n + 1",
            SHARE,
        ),
        RELEASE,
        True,
    ),
    "allocate, one project": Script((OF_ALL, PICK, SHARE), ALLOCATE, True),
}


class ScriptIsOld(Exception):
    """The rules of the ledger send other statements than the scripts."""


class _Listener:
    """A connection that notes the statements that go through it."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.heard: list[str] = []

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        run = getattr(self._tx, verb)

        def noting(statement: str, *arguments: object) -> Any:
            self.heard.append(statement)
            return run(statement, *arguments)

        return noting


async def check(database: LedgerDatabase, project: str, settings: Settings) -> None:
    """Compare the scripts with what the rules send, for a project known already.

    Raises ScriptIsOld.
    """
    caller = Caller("bench", project, Role.MEMBER, "req-check")
    async with transaction(database) as tx:
        listener = _Listener(tx)
        listening = cast(Tx, listener)
        mine = await ledger_load.allocate(listening, caller, settings)
        _compare("allocate", ALLOCATE, listener)
        await floating_ips.show(listening, project, mine)
        _compare("show", SHOW, listener)
        await floating_ips.page(listening, project, None, LISTED + 1)
        _compare("list", LIST, listener)
        await ledger_load.release(listening, caller, mine)
        _compare("release", RELEASE, listener)


def _compare(name: str, steps: tuple[Step, ...], listener: _Listener) -> None:
    heard, listener.heard = listener.heard, []
    if heard != [step.statement for step in steps]:
        sent = "\n".join(statement.strip() for statement in heard)
        raise ScriptIsOld(f"benchmarks/scripts.py: {name} is other SQL by now:\n{sent}")
