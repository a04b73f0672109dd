"""Runs the tests that use Postgres on each version that can be had here.

    python -m tests.versions [15 16 17 18]

Without a choice it leaves out the wheel's version, on which the suite itself runs.
Prints which versions ran; one that cannot be had is told with the reason, and is no
failure. Postgres runs from a temporary folder, and nothing of it is kept.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.versions.binaries import PINNED, Binaries, NotHad, from_npm, system, wheel

TREE = Path(__file__).parent.parent.parent
LIMIT = 900
"""Seconds for the tests on one version."""

SUPPORTED = {15, 16, 17, 18}


def main() -> int:
    """Return the exit code: 0 if at least one version ran, and none failed."""
    wanted = {int(text) for text in sys.argv[1:]} or SUPPORTED - _of_the_suite()
    folder = Path(tempfile.mkdtemp(prefix="fip-versions-"))
    folder.chmod(0o755)
    try:
        results = [_tested(binaries) for binaries in _had(wanted, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("versions:", *(line for line, _ in results), sep="\n  ")
    return 0 if results and all(passed for _, passed in results) else 1


def _of_the_suite() -> set[int]:
    try:
        binaries = wheel()
    except NotHad:
        return set()
    print(f"versions: {binaries.version} ({binaries.source}) is the suite's own")
    return {binaries.major}


def _had(wanted: set[int], folder: Path) -> Iterator[Binaries]:
    """Yield one set of binaries for each major version."""
    missing = set(wanted)
    for binaries in _installed():
        if binaries.major in missing:
            missing.remove(binaries.major)
            yield binaries
    for version in PINNED:
        major = int(version.partition(".")[0])
        if major in missing:
            try:
                yield from_npm(version, folder)
                missing.remove(major)
            except NotHad as reason:
                print(f"versions: {version} from npm: {reason}", flush=True)
    for major in sorted(missing):
        print(f"versions: {major} cannot be had here", flush=True)


def _installed() -> Iterator[Binaries]:
    try:
        yield wheel()
    except NotHad as reason:
        print(f"versions: {reason}", flush=True)
    yield from system()


def _tested(binaries: Binaries) -> tuple[str, bool]:
    """Run the tests; return a line to print, and whether they passed."""
    name = f"{binaries.version} ({binaries.source})"
    print(f"versions: {name}", flush=True)
    env = os.environ | {"FLOATING_IPS_PG_BINDIR": str(binaries.bindir)}
    if binaries.source == "the wheel":
        # The service finds it by itself, and copies it where others may enter.
        del env["FLOATING_IPS_PG_BINDIR"]
    began = time.monotonic()
    try:
        result = subprocess.run(  # noqa: S603
            [
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    "-q",
                    "-n",
                    "2",
                    "--dist",
                    "loadfile",
                ),
                *("-p", "tests.versions.database_only", "tests"),
                *("-p", "no:cacheprovider", "--color=no"),
            ],
            cwd=TREE,
            env=env,
            timeout=LIMIT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{name}: not done in {LIMIT} s", False
    passed = result.returncode == 0
    if not passed:
        print(result.stdout, flush=True)
    last = re.sub(r"=+", "", result.stdout.strip().splitlines()[-1]).strip()
    return f"{name}: {last}, {time.monotonic() - began:.0f} s in all", passed


if __name__ == "__main__":
    sys.exit(main())
