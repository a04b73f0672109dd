"""The schema: brought up to date, and compared with what this version knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

HERE = Path(__file__).resolve().parent


def _config(url: str | None = None) -> Config:
    """Find the migrations beside the package, or inside of it once it is a wheel."""
    inside = HERE / "alembic"
    folder = inside if inside.is_dir() else HERE.parent / "alembic"
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["url"] = url
    return config


def head() -> str:
    """Return the revision that this version of the service works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise LookupError("there are no migrations")
    return revision


class UnknownSchema(Exception):
    """The database has a schema that this version of the service does not know."""


def upgrade(url: str) -> None:
    """Bring the schema up to date, one process at a time; nothing to do if it is.

    Raises UnknownSchema if a newer version of the service has been there.
    """
    try:
        command.upgrade(_config(url), "head")
    except CommandError as error:
        raise UnknownSchema(
            f"The database has the schema of another, newer version: {error}."
        ) from None


def downgrade(url: str) -> None:
    """Take the whole schema away: for tests alone."""
    command.downgrade(_config(url), "base")
