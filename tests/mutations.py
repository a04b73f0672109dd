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
from pathlib import Path

from tests.constraint_mutations import CONSTRAINT_MUTATIONS
from tests.face_mutations import FACE_MUTATIONS
from tests.ledger_mutations import LEDGER_MUTATIONS
from tests.more_ledger_mutations import MORE_LEDGER_MUTATIONS
from tests.mutation import Mutation
from tests.together_mutations import TOGETHER_MUTATIONS

PARTS = ("app", "alembic", "tests", "openapi", "pyproject.toml", "alembic.ini")


PATIENCE = 240
"""Seconds; without its locks a test may wait for ever."""

MUTATIONS = (
    *LEDGER_MUTATIONS,
    *MORE_LEDGER_MUTATIONS,
    *TOGETHER_MUTATIONS,
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
        "async with connection(database, until) as lent, lent.transaction():\n",
        "async with database.connection() as it, it.transaction():\n"
        "        lent = it.raw_connection\n",
        "tests/test_cancellation.py tests/test_allocation.py",
    ),
    Mutation(
        "a worker that is slow is replaced at once",
        "app/serve.py",
        "        timeout_worker_healthcheck=SILENCE,\n",
        "",
        "tests/test_serve.py -k left_alone",
    ),
    *CONSTRAINT_MUTATIONS,
    *FACE_MUTATIONS,
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
