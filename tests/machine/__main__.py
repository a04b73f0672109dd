"""Runs the state machine for a while, with one seed after the other.

    python -m tests.machine [--seconds 300] [--seed 1]

Stops at the first seed that finds something; the same seed asks for the same again,
though not in the same moments where requests meet.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

LONG_RUN = Path(__file__).parent / "test_for_longer.py"


def main() -> int:
    """Return the exit code: 0 if nothing was found."""
    options = _options()
    deadline = time.monotonic() + options.seconds
    seed, found = options.seed, 0
    while time.monotonic() < deadline and not found:
        print(f"fuzz: seed {seed}", flush=True)
        found = _run(seed)
        seed += 1
    print(f"{seed - options.seed - found} passed, {found} failed")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.machine")
    parser.add_argument("--seconds", type=int, default=300, help="no seed begins later")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _run(seed: int) -> int:
    """Return 1 if the seed finds something."""
    result = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "pytest", "-q", "--show-capture=no"),
            *("-p", "no:cacheprovider", f"--hypothesis-seed={seed}", str(LONG_RUN)),
        ],
        check=False,
    )
    return min(result.returncode, 1)


if __name__ == "__main__":
    sys.exit(main())
