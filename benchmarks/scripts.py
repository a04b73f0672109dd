"""The operations as pgbench runs them: the ledger's statements, and their parameters.

The statements are the constants of app.ledger, as a request that comes alone runs them.
Which they are is written here once more, so `check` compares it with what is really
sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from app.auth import Caller, Role
from app.database import LedgerDatabase, Tx, transaction
from app.ledger import floating_ips, quotas, together
from app.ledger.together import Allocation, Release
from app.ledger.together.allocation import ALLOCATE as ALLOCATE_TOGETHER
from app.ledger.together.release import RELEASE as RELEASE_TOGETHER
from app.settings import Settings

LISTED = 100
"""Floating IPs in the list."""


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, the pgbench variables that are its $1, $2, ..., and its result's."""

    statement: str
    parameters: tuple[str, ...]
    """In square brackets, with its type, where an array of one is wanted."""


@dataclass(frozen=True, slots=True)
class Script:
    """An operation: what is set beforehand, and the statement."""

    settings: tuple[str, ...]
    step: Step


OF_CLIENT = r"\set project :first_project + :client_id"
OF_ALL = r"\set project :first_project"
"""Which project a client acts for: one of its own, or the one of all."""

PICK = r"\set start random(0, 999000) / 1000000.0"
"""Where the free addresses are looked for first."""

SHARE = rf"\set share random(0, {quotas.SHARES - 1})"
"""Where room is looked for first."""

ALLOCATE = Step(
    ALLOCATE_TOGETHER,
    (
        "[project text]",
        "[actor text]",
        "[request text]",
        "[pool text]",
        "quota",
        "share",
        "start",
    ),
)
SHOW = Step(floating_ips.SHOW, ("project", "id"))
LIST = Step(floating_ips.PAGES[None], ("project", "marker", "limit"))
RELEASE = Step(RELEASE_TOGETHER, ("[project text]", "[id bigint]", "share"))

SCRIPTS = {
    "allocate": Script((OF_CLIENT, PICK, SHARE), ALLOCATE),
    "show": Script(
        (
            OF_CLIENT,
            rf"\set id :first_id + :client_id * {LISTED} + random(0, {LISTED - 1})",
        ),
        SHOW,
    ),
    "list": Script((OF_CLIENT,), LIST),
    "release": Script(
        (
            OF_CLIENT,
            r"\set id :first_id + :client_id * :each + :n",
            r"\set n :n + 1",
            SHARE,
        ),
        RELEASE,
    ),
    "allocate, one project": Script((OF_ALL, PICK, SHARE), ALLOCATE),
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
        asked = Allocation(caller, settings.default_pool)
        (given,) = await together.allocate(listening, [asked], settings.default_quota)
        _compare("allocate", ALLOCATE, listener)
        if given is None:
            raise ScriptIsOld("benchmarks/scripts.py: nothing is allocated together")
        await floating_ips.show(listening, project, given.id)
        _compare("show", SHOW, listener)
        await floating_ips.page(listening, project, None, LISTED + 1)
        _compare("list", LIST, listener)
        await together.release(listening, [Release(caller, given.id)])
        _compare("release", RELEASE, listener)


def _compare(name: str, step: Step, listener: _Listener) -> None:
    heard, listener.heard = listener.heard, []
    if heard != [step.statement]:
        sent = "\n".join(statement.strip() for statement in heard)
        raise ScriptIsOld(f"benchmarks/scripts.py: {name} is other SQL by now:\n{sent}")
