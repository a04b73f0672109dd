"""Runs schemathesis over every operation of a service of its own, in JSON and in XML.

    python -m tests.fuzz [--seconds 100] [--seed 1]

schemathesis has a virtual environment of its own; `make test-fuzz` makes it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.service import Service, command, serving

HERE = Path(__file__).parent
TREE = HERE.parent.parent
DOCUMENT = TREE / "openapi" / "openapi.json"
SPARE = 60
"""Seconds that a run may take beyond what it was given: its start, its report."""

REPLACED = (
    "positive_data_acceptance,negative_data_rejection,ensure_resource_availability,"
    "unsupported_method,allow_header_conformance"
)
"""Checks that hooks.py wraps under other names, to exempt what it explains."""

UNASKED = "missing_required_header"
"""The one header that is required is the token, which every request of these has."""

OTHER_FACES = "^/(v1.1|v2.*)?$"
"""The APIs of Nova and Neutron, which take more than their schemas say, as their
clients need it; what no input may do to them is tested with the suite."""

PHASES = {
    "application/json": "examples,coverage,fuzzing,stateful",
    # Links point into JSON: an expression for them knows no XML.
    "application/xml": "examples,coverage,fuzzing",
}
"""What is run for answers of a type."""


def main() -> int:
    """Return the exit code: 0 if nothing was found."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="fip-"))
    folder.chmod(0o755)
    try:
        with serving(folder / "data", "--demo") as service:
            _make_room(service)
            found = [
                media_type
                for media_type in PHASES
                if not _run(service, media_type, options)
            ]
            found += _left_behind(service, folder / "data")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"fuzz: {', '.join(found) or 'nothing'} found", flush=True)
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=90, help="of each of two runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venv", type=Path, default=TREE / ".venv-fuzz")
    return parser.parse_args()


def _make_room(service: Service) -> None:
    """See that quota and pool do not refuse everything after a moment."""
    with service.client("admin") as client:
        unlimited = {"quota_set": {"floating_ips": -1}}
        client.put("/os-quota-sets/demo", json=unlimited).raise_for_status()
        more = {"floating_ips_bulk_create": {"ip_range": "198.18.0.0/18"}}
        client.post("/os-floating-ips-bulk", json=more).raise_for_status()


def _run(service: Service, media_type: str, options: argparse.Namespace) -> bool:
    """Run once with answers of one type; tell whether all was well."""
    print(f"fuzz: answers in {media_type}, seed {options.seed}", flush=True)
    arguments: Sequence[str] = [
        str(options.venv / "bin" / "schemathesis"),
        *("--config-file", str(HERE / "schemathesis.toml")),
        *("run", str(DOCUMENT), "--url", service.url),
        *("--checks", "all", "--exclude-checks", f"{REPLACED},{UNASKED}"),
        *("--exclude-path-regex", OTHER_FACES),
        *("--phases", PHASES[media_type]),
        *("--max-time", str(options.seconds)),
        *("--seed", str(options.seed)),
        *("--header", "X-Auth-Token: admin:demo"),
        *("--header", f"Accept: {media_type}"),
        *("--warnings", "off", "--no-color", "--generation-database", "none"),
    ]
    env = os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"}
    result = subprocess.run(  # noqa: S603
        arguments, cwd=TREE, env=env, timeout=options.seconds + SPARE, check=False
    )
    return result.returncode == 0


def _left_behind(service: Service, data_dir: Path) -> list[str]:
    """Look at what all that did to the service and to the ledger."""
    found = []
    if service.process.poll() is not None:
        found.append("the service ended")
    result = command("check", "--data-dir", str(data_dir))
    print(result.stdout, end="", flush=True)
    if result.returncode:
        found.append("a promise broken")
    return found


if __name__ == "__main__":
    sys.exit(main())
