"""Where the makers of clients are, and how they are run."""

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "openapi" / "openapi.json"
TOOLS = Path(os.environ.get("GENERATED", ROOT / ".venv-generated")).absolute()
"""The folder with the venv and the node_modules that `make test-generated` fills."""

ENV = {
    **os.environ,
    "PATH": f"{TOOLS}/bin:{TOOLS}/node_modules/.bin:{os.environ['PATH']}",
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
}


def run(*command: object, cwd: Path, python_path: Path | None = None) -> str:
    """Run a command to its good end within two minutes, and return what it said."""
    env = ENV if python_path is None else {**ENV, "PYTHONPATH": str(python_path)}
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
