"""Takes each lock, constraint and check away for a moment: a test must turn red.

    python -m tests.mutations [part of a name]

Works on a copy of the tree. Each mutation names the text that is taken away, where, and
the tests that have to notice.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LEDGER = "alembic/versions/0001_ledger.py"
REQUESTS = "alembic/versions/0005_server_requests.py"
PARTS = ("app", "alembic", "tests", "openapi", "pyproject.toml", "alembic.ini")


PATIENCE = 240
"""Seconds; without its locks a test may wait for ever."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A text that holds a promise, what stands in its place, and who notices."""

    name: str
    path: str
    text: str
    instead: str
    tests: str


MUTATIONS = (
    Mutation(
        "no lock on the free address",
        "app/ledger/allocation.py",
        "        LIMIT 1\n          FOR UPDATE SKIP LOCKED)",
        "        LIMIT 1)",
        "tests/test_allocation.py",
    ),
    Mutation(
        "exhausted as soon as all free rows are locked",
        "app/ledger/allocation.py",
        "if not await tx.fetchval(IS_ANY_FREE, pool_id):",
        "if True:",
        "tests/test_allocation.py",
    ),
    Mutation(
        "no waiting for a locked row",
        "app/ledger/allocation.py",
        " ORDER BY pick\n LIMIT 1\n   FOR UPDATE\n",
        " ORDER BY pick\n LIMIT 1\n   FOR UPDATE SKIP LOCKED\n",
        "tests/test_allocation.py",
    ),
    Mutation(
        "no condition in the quota's update",
        "app/ledger/quotas.py",
        "   AND (coalesce(allowed, $2) = -1 OR used < coalesce(allowed, $2))\n",
        "   AND CAST($2 AS integer) IS NOT NULL\n",
        "tests/test_allocation.py tests/test_operator.py",
    ),
    Mutation(
        "quota counted without its row lock",
        "app/ledger/quotas.py",
        'TAKE_ONE = """\nUPDATE quotas\n   SET used = used + 1\n',
        'TAKE_ONE = """\nUPDATE quotas\n   SET used = (SELECT used FROM quotas q'
        " WHERE q.project_id = $1) + 1\n",
        "tests/test_allocation.py tests/test_operator.py",
    ),
    Mutation(
        "release forgets the quota",
        "app/ledger/allocation.py",
        "    await quotas.give_back(tx, caller.project_id)\n",
        "",
        "tests/test_allocation.py",
    ),
    Mutation(
        "release of whatever project",
        "app/ledger/allocation.py",
        " WHERE project_id = $1 AND floating_ip_id = $2\nRETURNING changed_at",
        " WHERE $1 <> '' AND floating_ip_id = $2\nRETURNING changed_at",
        "tests/test_auth.py",
    ),
    Mutation(
        "no lock on the floating IP that is associated",
        "app/ledger/association.py",
        " WHERE project_id = $1 AND floating_ip_id = $2\n   FOR UPDATE\n",
        " WHERE project_id = $1 AND floating_ip_id = $2\n",
        "tests/test_association.py tests/test_history.py",
    ),
    Mutation(
        "no lock on the fixed IP that is associated",
        "app/ledger/association.py",
        "   FOR KEY SHARE\n",
        "",
        "tests/test_association.py",
    ),
    Mutation(
        "server removal locks no floating IPs",
        "app/ledger/servers.py",
        " ORDER BY a.address\n   FOR UPDATE OF a\n",
        " ORDER BY a.address\n",
        "tests/test_association.py",
    ),
    Mutation(
        "server removal locks no fixed IPs",
        "app/ledger/servers.py",
        " ORDER BY address\n   FOR UPDATE\n",
        " ORDER BY address\n",
        "tests/test_association.py",
    ),
    Mutation(
        "server removal does not look again",
        "app/ledger/servers.py",
        "        raise _OvertakenError\n",
        "        pass\n",
        "tests/test_association.py",
    ),
    Mutation(
        "addresses leave the pool without a lock",
        "app/ledger/pools.py",
        "     WHERE address BETWEEN $1 AND $2\n     ORDER BY address\n"
        "       FOR UPDATE\n",
        "     WHERE address BETWEEN $1 AND $2\n     ORDER BY address\n",
        "tests/test_operator.py",
    ),
    Mutation(
        "what came into the pool meanwhile is taken out, held or not",
        "app/ledger/pools.py",
        " AND state <> 'held'\n",
        "\n",
        "tests/test_operator.py",
    ),
    Mutation(
        "whoever waits for an address keeps its locks",
        "app/ledger/allocation.py",
        "    savepoint = tx.transaction()\n    await savepoint.start()\n    try:\n"
        "        await tx.execute(A_MOMENT)\n        await tx.fetchval("
        "AWAIT_FREE, pool_id)\n    except LockNotAvailableError:\n"
        "        # Another row may be free by now.\n        pass\n"
        "    await savepoint.rollback()\n",
        "    await tx.fetchval(AWAIT_FREE, pool_id)\n",
        "tests/test_allocation.py",
    ),
    Mutation(
        "intervals begin at the clock's time, whatever was before",
        "app/ledger/allocation.py",
        "       revision = 1,\n"
        "       changed_at = greatest(clock_timestamp(), changed_at)",
        "       revision = 1,\n       changed_at = clock_timestamp()",
        "tests/test_history.py",
    ),
    Mutation(
        "intervals begin at the transaction's start",
        "app/ledger/association.py",
        "changed_at = greatest(clock_timestamp(), changed_at)",
        "changed_at = now()",
        "tests/test_history.py tests/test_association.py",
    ),
    Mutation(
        "no deadline for a connection",
        "app/database.py",
        "cut = loop.call_at(deadline, lent.terminate)",
        "cut = loop.call_at(deadline + 60, lent.terminate)",
        "tests/test_serve.py -k stops_answering",
    ),
    Mutation(
        "transactions of `databases` itself",
        "app/database.py",
        "async with connection(database) as lent, lent.transaction():\n",
        "async with database.connection() as it, it.transaction():\n"
        "        lent = it.raw_connection\n",
        "tests/test_cancellation.py tests/test_allocation.py",
    ),
    Mutation(
        "no lock on the address that is taken off a server",
        "app/ledger/attachment.py",
        "AND state = 'held'\n   FOR UPDATE\n",
        "AND state = 'held'\n",
        "tests/test_compute_actions.py",
    ),
    Mutation(
        "a server may go while an address is put on it",
        "app/ledger/attachment.py",
        " FOR KEY SHARE\n",
        "\n",
        "tests/test_compute_actions.py",
    ),
    Mutation(
        "an address is taken off whatever server has it",
        "app/ledger/attachment.py",
        "        raise NotAssociated(address, server_uuid)\n",
        "        pass\n",
        "tests/test_compute_actions.py",
    ),
    *(
        Mutation(f"{name} of whatever project", path, text, instead, tests)
        for name, path, text, instead, tests in (
            (
                "release by UUID",
                "app/ledger/by_uuid.py",
                "WHERE project_id = $1 AND floating_ip_uuid = $2",
                "WHERE $1 <> '' AND floating_ip_uuid = $2",
                "tests/test_cross_project.py",
            ),
            (
                "action on a server",
                "app/ledger/by_uuid.py",
                "FROM servers WHERE project_id = $1 AND uuid = $2",
                "FROM servers WHERE $1 <> '' AND uuid = $2",
                "tests/test_cross_project.py",
            ),
            (
                "floating IP shown",
                "app/ledger/by_uuid.py",
                " WHERE a.project_id = $1 AND a.floating_ip_uuid = $2\n",
                " WHERE $1 <> '' AND a.floating_ip_uuid = $2\n",
                "tests/test_cross_project.py",
            ),
            (
                "server shown",
                "app/ledger/instances.py",
                " WHERE s.project_id = $1 AND s.uuid = $2\n",
                " WHERE $1 <> '' AND s.uuid = $2\n",
                "tests/test_cross_project.py",
            ),
            (
                "marker",
                "app/ledger/instances.py",
                "FROM servers WHERE project_id = $1 AND uuid = $2",
                "FROM servers WHERE $1 <> '' AND uuid = $2",
                "tests/test_cross_project.py tests/test_compute_servers.py",
            ),
            (
                "address put on a server",
                "app/ledger/attachment.py",
                " WHERE project_id = $1 AND address = $2 AND state = 'held'\n",
                " WHERE $1 <> '' AND address = $2 AND state = 'held'\n",
                "tests/test_cross_project.py",
            ),
        )
    ),
    *(
        Mutation(
            f"no constraint {name}",
            REQUESTS,
            text,
            instead,
            "tests/test_compute_servers.py",
        )
        for name, text, instead in (
            (
                "server_image_is_short",
                "CHECK (length(image) <= 255)",
                "CHECK (true)",
            ),
            (
                "server_flavor_is_short",
                "CHECK (length(flavor) BETWEEN 1 AND 255)",
                "CHECK (true)",
            ),
            (
                "server_metadata_is_an_object",
                "CHECK (jsonb_typeof(metadata) = 'object')",
                "CHECK (true)",
            ),
            (
                "fixed_ips_uuid_key",
                "\n        CONSTRAINT fixed_ips_uuid_key UNIQUE\n",
                "\n",
            ),
            (
                "pools_uuid_key",
                "\n        CONSTRAINT pools_uuid_key UNIQUE\n",
                "\n",
            ),
        )
    ),
    *(
        Mutation(name, path, text, instead, f"tests/test_keystone.py -k {noticed}")
        for name, path, text, instead, noticed in (
            (
                "a question for each request with a token",
                "app/auth/flights.py",
                "task = self._tasks.get(key)",
                "task = None",
                "one_question",
            ),
            (
                "whoever asked first takes the answer along",
                "app/auth/flights.py",
                "return await asyncio.shield(task)",
                "return await task",
                "asked_first",
            ),
            (
                "tokens in the cache do not expire",
                "app/auth/verdicts.py",
                " and self._wall_clock() < entry.expires_at",
                "",
                "ends_with_the_token",
            ),
            (
                "expired tokens are let in if Keystone says so",
                "app/auth/keystone.py",
                "if token.expires_at <= datetime.now(UTC):",
                "if False:",
                "has_expired",
            ),
            (
                "what is known of tokens grows without end",
                "app/auth/verdicts.py",
                "while len(self._entries) > self._size:",
                "while False:",
                "least_recently_used",
            ),
            (
                "a token's time begins with the answer",
                "app/auth/keystone.py",
                "        since = self._clock()\n"
                "        shown = await self._keystone.show(token)\n",
                "        shown = await self._keystone.show(token)\n"
                "        since = self._clock()\n",
                "from_when_it_was_asked",
            ),
            (
                "any number of tokens may wait",
                "app/auth/keystone.py",
                "len(self._flights) >= MOST_AT_ONCE",
                "False",
                "most_that_may_wait",
            ),
            (
                "the first of two tokens counts",
                "app/auth/keystone.py",
                "if len(tokens) > 1 or not",
                "if not",
                "nobody_is_asked",
            ),
            (
                "everybody waits for a Keystone that is away",
                "app/auth/circuit.py",
                "if self._failures < FAILURES:",
                "if True:",
                "costs_nobody_a_wait",
            ),
            (
                "the service's token is not renewed in time",
                "app/auth/keystone_api.py",
                "own is not refused and now < own.renewed_at:",
                "own is not refused:",
                "renewed_before",
            ),
            (
                "callers can make the service log in all the time",
                "app/auth/keystone_api.py",
                "own is refused and now < own.since + RENEWED_APART:",
                "own is refused and False:",
                "cannot_make",
            ),
            (
                "a connection that was closed is not made anew",
                "app/auth/keystone_api.py",
                "        except CONNECTION_WAS_CLOSED:\n"
                "            return await self._http.send(request)\n",
                "        except CONNECTION_WAS_CLOSED:\n            raise\n",
                "made_anew",
            ),
        )
    ),
    *(
        Mutation(f"no constraint {name}", LEDGER, text, instead, tests)
        for name, text, instead, tests in (
            (
                "addresses_pkey",
                "        CONSTRAINT addresses_pkey PRIMARY KEY\n",
                "        NOT NULL\n",
                "tests/test_operator.py",
            ),
            (
                "held_address_is_a_floating_ip",
                "        CASE state\n",
                "        true OR CASE state\n",
                "tests/test_history.py",
            ),
            (
                "address_is_free_held_resting_or_reserved",
                "CHECK (state IN (",
                "CHECK (true OR state IN (",
                "tests/test_history.py",
            ),
            (
                "one_floating_ip_per_fixed_ip",
                "CREATE UNIQUE INDEX one_floating_ip_per_fixed_ip",
                "CREATE INDEX one_floating_ip_per_fixed_ip",
                "tests/test_association.py",
            ),
            (
                "one_owner_at_a_time",
                "tstzrange(since, until) WITH &&)",
                "tstzrange(since, until) WITH &&) WHERE (false)",
                "tests/test_history.py",
            ),
            (
                "history_is_ended_once",
                "    WHEN (OLD.until IS NOT NULL\n",
                "    WHEN (false AND OLD.until IS NOT NULL\n",
                "tests/test_history.py",
            ),
            (
                "history_of_the_present_stays",
                "    WHEN (OLD.until IS NULL)\n",
                "    WHEN (false)\n",
                "tests/test_history.py",
            ),
            (
                "interval_does_not_end_before_it_begins",
                "CHECK (until >= since)",
                "CHECK (true)",
                "tests/test_history.py",
            ),
            (
                "quota_used_is_not_negative",
                "CHECK (used >= 0)",
                "CHECK (true)",
                "tests/test_history.py",
            ),
            (
                "fixed_ips_pkey",
                "    CONSTRAINT fixed_ips_pkey PRIMARY KEY (project_id, address),\n",
                "    CONSTRAINT fixed_ips_pkey PRIMARY KEY (project_id, address,"
                " server_id),\n",
                "tests/test_servers.py",
            ),
            (
                "fixed_ip_is_of_its_servers_project",
                ",\n    CONSTRAINT fixed_ip_is_of_its_servers_project\n"
                "        FOREIGN KEY (project_id, server_id)"
                " REFERENCES servers (project_id, id)\n",
                "\n",
                "tests/test_history.py",
            ),
            (
                "fixed_ip_is_of_the_same_project",
                ",\n    CONSTRAINT fixed_ip_is_of_the_same_project\n"
                "        FOREIGN KEY (project_id, fixed_ip)"
                " REFERENCES fixed_ips (project_id, address)\n",
                "\n",
                "tests/test_history.py",
            ),
            (
                "address_is_one_address",
                "        CONSTRAINT address_is_one_address\n"
                "            CHECK (masklen(address)",
                "        CONSTRAINT address_is_one_address\n"
                "            CHECK (true OR masklen(address)",
                "tests/test_history.py",
            ),
        )
    ),
)


def survives(mutation: Mutation) -> str:
    """Apply a mutation to a copy, run its tests, and say whether they noticed."""
    with tempfile.TemporaryDirectory(prefix="fip-mutation-") as folder:
        for part in PARTS:
            copy = shutil.copytree if Path(part).is_dir() else shutil.copy
            copy(part, Path(folder) / part)
        target = Path(folder) / mutation.path
        source = target.read_text()
        if mutation.text not in source:
            return "stale: its text is gone"
        target.write_text(source.replace(mutation.text, mutation.instead))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        try:
            result = subprocess.run(  # noqa: S603
                [*command, *mutation.tests.split()],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            return f"red: nothing answers any more after {PATIENCE} s"
    if result.returncode == 1:
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", result.stdout, re.MULTILINE)
        return f"red: {failed[1] if failed else result.stdout[-200:]}"
    return f"SURVIVED (exit code {result.returncode})"


def main() -> int:
    """Try each mutation, and return how many no test noticed."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutation for mutation in MUTATIONS if wanted in mutation.name]
    unnoticed = 0
    with ThreadPoolExecutor(2) as pool:
        for mutation, line in zip(chosen, pool.map(survives, chosen), strict=True):
            print(f"{mutation.name}: {line}", flush=True)
            unnoticed += not line.startswith("red")
    print(f"{len(chosen) - unnoticed} passed, {unnoticed} failed")
    return min(unnoticed, 1)


if __name__ == "__main__":
    sys.exit(main())
