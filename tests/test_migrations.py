import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from alembic.script import ScriptDirectory

from app import migrations
from app.database import LedgerDatabase, connection
from app.embedded import EmbeddedPostgres
from app.settings import Settings
from tests import schema
from tests.service import command

SCHEMA = Path("alembic/schema.sql")
OURS = """
SELECT count(*)
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'
"""


def run(url: str, *statements: str) -> object:
    """Run statements in a database, and return the last one's first value."""

    async def work() -> object:
        settings = Settings(DATABASE_URL=url)
        async with LedgerDatabase(settings) as database, connection(database) as lent:
            values = [await lent.fetchval(statement) for statement in statements]
        return values[-1]

    return asyncio.run(work())


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> str:
    """The URL of a database of its own, without a schema."""
    run(postgres.url, "DROP DATABASE IF EXISTS empty", "CREATE DATABASE empty")
    return urlsplit(postgres.url)._replace(path="/empty").geturl()


def test_up_down_and_up_again(empty: str) -> None:
    migrations.upgrade(empty)
    up = run(empty, OURS)
    migrations.downgrade(empty)
    down = run(empty, OURS)
    migrations.upgrade(empty)

    assert isinstance(up, int)
    assert up > 20
    assert down == 0
    assert run(empty, OURS) == up
    assert run(empty, "SELECT version_num FROM alembic_version") == migrations.head()


def test_processes_migrate_one_after_the_other(empty: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = list(
            pool.map(lambda _: command("migrate", DATABASE_URL=empty), range(3))
        )

    assert [result.returncode for result in results] == [0, 0, 0], results
    assert run(empty, "SELECT version_num FROM alembic_version") == migrations.head()


@pytest.mark.parametrize("arguments", [("migrate",), ("serve", "--port", "0")])
def test_a_newer_database_is_refused_in_one_line(
    empty: str, arguments: tuple[str, ...]
) -> None:
    migrations.upgrade(empty)
    run(empty, "UPDATE alembic_version SET version_num = '9999'")

    result = command(*arguments, DATABASE_URL=empty, FLOATING_IPS_AUTH="noauth")

    assert result.returncode == 2
    assert result.stderr.startswith("floating-ips: The database has the schema of")
    assert "'9999'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_there_is_one_head() -> None:
    assert ScriptDirectory("alembic").get_heads() == [migrations.head()]


def test_schema_sql_is_what_the_migrations_give() -> None:
    assert schema.current() == SCHEMA.read_text(), "run: make schema"


def test_every_constraint_and_index_has_a_name_of_its_own() -> None:
    text = SCHEMA.read_text()

    for generated in ("_check1", "_excl", "_fkey", "_key1", "_idx1"):
        assert generated not in text
