"""Where the clients are, and how they are run."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
VENVS = Path(os.environ.get("CLIENTS", HERE.parents[1] / ".venv-clients")).absolute()
"""The folder with a venv for each client, which `make test-clients` fills."""

PATIENCE = 120
"""Seconds that a command may take on a crowded machine."""

CLEAN = {name: value for name, value in os.environ.items() if name[:3] != "OS_"}


def run(
    client: str, program: str, *arguments: object, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program of a client's venv to its end."""
    return subprocess.run(  # noqa: S603
        [str(VENVS / client / "bin" / program), *map(str, arguments)],
        env={**CLEAN, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def tell(client: str, *arguments: object, env: dict[str, str]) -> None:
    """Run the story of a client, which ends well if all is as it says."""
    done = run(client, "python", HERE / client / "story.py", *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
