"""The command `floating-ips`."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from asyncpg import PostgresError
from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy.exc import SQLAlchemyError

from app import fleet_cli, migrations, serve
from app.database import LedgerDatabase, snapshot, transaction
from app.embedded import EmbeddedPostgres, EmbeddedPostgresError
from app.errors import ApiError, quote
from app.ledger import check as ledger_check
from app.ledger import pools
from app.ledger.addresses import parse_range
from app.main import ANSWERS, REQUESTS, create_api
from app.settings import POOL_NAME, Settings, is_pool_name
from app.wire import xsd

main = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
pool = typer.Typer(no_args_is_help=True, help="Add, list and remove pools.")
main.add_typer(pool, name="pool")

MISUSE = 2
"""The exit code of everything that an operator has to mend first."""

PATIENCE = 3600.0
"""Seconds that the database has for a command's transaction."""

T = TypeVar("T")

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where a Postgres of our own keeps its data, if DATABASE_URL is not set."
    ),
]


def default_data_dir() -> Path:
    """Return a folder that outlives the checkout and that Postgres can enter."""
    if os.geteuid() == 0:
        return Path("/var/lib/floating-ips")
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "floating-ips"


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Tell an operator's mistakes in one line, with exit code 2 and no traceback."""
    try:
        yield
    except ValidationError as error:
        problem = error.errors()[0]
        name = "_".join(str(part) for part in problem["loc"])
        _fail(f"setting {name}: {problem['msg']}")
    except (
        ApiError,
        EmbeddedPostgresError,
        serve.CannotServe,
        migrations.UnknownSchema,
        fleet_cli.FleetError,
        OSError,
        PostgresError,
        SQLAlchemyError,
    ) as error:
        _fail(str(error).partition("\n")[0])


def _fail(message: str) -> NoReturn:
    typer.echo(f"floating-ips: {message}", err=True)
    raise typer.Exit(MISUSE)


@main.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes one that is free.")
    ] = 8774,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    data_dir: DataDir = None,
    *,
    demo: Annotated[
        bool, typer.Option(help="Add a pool, a project and two servers to try.")
    ] = False,
) -> None:
    """Serve the API; without DATABASE_URL, over a Postgres of our own."""
    with _one_line_errors():
        settings = Settings()
        serve.check_exposure(settings, host)
        with (
            serve.listen(host, port) as listener,
            _postgres(settings, data_dir) as (url, postgres),
        ):
            serve.serve(
                settings, url, postgres, listener, workers=workers, with_demo=demo
            )


@contextmanager
def _postgres(
    settings: Settings, data_dir: Path | None
) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """Yield the URL of the database, and the Postgres if it is started here."""
    if settings.database_url:
        yield settings.database_url, None
        return
    folder = data_dir or default_data_dir()
    with EmbeddedPostgres(folder, settings.pg_bindir) as postgres:
        yield postgres.url, postgres


def _run(
    data_dir: Path | None, work: Callable[[LedgerDatabase, Settings], Awaitable[T]]
) -> T:
    """Do a command's work on the database, beside a running service or without one."""
    with _one_line_errors():
        settings = Settings()
        with _reachable(settings, data_dir) as url:
            settings = settings.model_copy(update={"database_url": url})
            return asyncio.run(_on_database(settings, work))


@contextmanager
def _reachable(settings: Settings, data_dir: Path | None) -> Iterator[str]:
    """Yield the URL of the database: of the running service's, or one started here."""
    folder = data_dir or default_data_dir()
    running = EmbeddedPostgres.url_of_running(folder)
    if running and not settings.database_url:
        yield running
        return
    with _postgres(settings, data_dir) as (url, _):
        yield url


async def _on_database(
    settings: Settings, work: Callable[[LedgerDatabase, Settings], Awaitable[T]]
) -> T:
    async with LedgerDatabase(settings, PATIENCE) as database:
        return await work(database, settings)


@main.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the schema of the database up to date."""
    with _one_line_errors():
        settings = Settings()
        with _reachable(settings, data_dir) as url:
            migrations.upgrade(url)
    typer.echo(f"The schema is at {migrations.head()}.")


def _pool_name(name: str | None) -> str | None:
    if name is not None and not is_pool_name(name):
        _fail(f"{quote(name)} is no name of a pool: it must match {POOL_NAME}.")
    return name


PoolName = Annotated[
    str, typer.Argument(help="The name of the pool.", callback=_pool_name)
]


@pool.command("add")
def pool_add(
    name: PoolName,
    ip_range: Annotated[
        str, typer.Argument(help="One address, or a network whose hosts are meant.")
    ],
    interface: Annotated[str, typer.Option(help="A name for you to read.")] = "eth0",
    data_dir: DataDir = None,
) -> None:
    """Add addresses to a pool, which is created if there is none of that name.

    All of them or none, and 2^24 at most: a network /8.
    """
    with _one_line_errors():
        try:
            addresses = parse_range(ip_range)
        except ValueError as rule:
            _fail(f"{ip_range}: {rule}.")
        pools.limit(addresses)

    async def work(database: LedgerDatabase, _: Settings) -> None:
        async with transaction(database) as tx:
            await pools.add(tx, name, addresses, interface, progress)

    with fleet_cli.progress(f"Adding to {name}", addresses.count) as progress:
        _run(data_dir, work)
    typer.echo(f"Added {addresses.count} addresses to {name}.")


@pool.command("list")
def pool_list(data_dir: DataDir = None) -> None:
    """List the pools, with how many of their addresses are in which state."""

    async def work(database: LedgerDatabase, _: Settings) -> list[pools.PoolState]:
        async with snapshot(database) as tx:
            return await pools.states(tx)

    for state in _run(data_dir, work):
        typer.echo(
            f"{state.name}: {state.free} free, {state.held} held, "
            f"{state.resting} resting, {state.reserved} reserved"
        )


@pool.command("remove")
def pool_remove(name: PoolName, data_dir: DataDir = None) -> None:
    """Remove a pool and its addresses, if no project holds one."""

    async def work(database: LedgerDatabase, _: Settings) -> None:
        async with transaction(database) as tx:
            await pools.remove(tx, name)

    _run(data_dir, work)
    typer.echo(f"Removed {name}.")


@main.command("import", help=fleet_cli.IMPORT_HELP)
def import_fleet(
    file: Annotated[str, typer.Argument(help="The CSV file; - is standard input.")],
    into: Annotated[
        str | None,
        typer.Option("--pool", help="For addresses in no pool.", callback=_pool_name),
    ] = None,
    data_dir: DataDir = None,
    *,
    raise_quotas: Annotated[
        bool, typer.Option("--raise-quotas", help="Raise quotas where need be.")
    ] = False,
) -> None:
    """Take in the fleet that a file lists."""
    with _one_line_errors():
        work = fleet_cli.take_in(file, into, raise_quotas=raise_quotas)
        fleet_cli.tell(_run(data_dir, work), into)


@main.command("export", help=fleet_cli.EXPORT_HELP)
def export_fleet(
    file: Annotated[
        str, typer.Argument(help="The file to write; - is standard output.")
    ] = "-",
    data_dir: DataDir = None,
) -> None:
    """Give out the fleet that the ledger holds."""
    with _one_line_errors(), fleet_cli.output(file) as write:
        _run(data_dir, fleet_cli.give_out(write))


@main.command()
def openapi(
    folder: Annotated[Path, typer.Option(help="Where they are written.")] = Path(
        "openapi"
    ),
) -> None:
    """Write the OpenAPI document and the XML Schemas."""
    with _one_line_errors():
        settings = Settings(DATABASE_URL="postgresql://nowhere/")
        api = create_api(settings, LedgerDatabase(settings))
        document = to_json(api.openapi(), indent=1)
        (folder / "openapi.json").write_bytes(document + b"\n")
        for name, text in xsd.schemas(REQUESTS, ANSWERS).items():
            (folder / name).write_bytes(text)


@main.command()
def check(data_dir: DataDir = None) -> None:
    """Audit every promise of the ledger; exit with 1 at the first that is broken."""

    async def work(
        database: LedgerDatabase, _: Settings
    ) -> list[tuple[ledger_check.Promise, list[str]]]:
        async with snapshot(database) as tx:
            return [told async for told in ledger_check.audit(tx)]

    for promise, breaches in _run(data_dir, work):
        number = f"{promise.number}" if promise.number else "-"
        typer.echo(f"{'broken' if breaches else 'ok'} {number} {promise.text}")
        for breach in breaches:
            typer.echo(f"  {breach}", err=True)
        if breaches:
            raise typer.Exit(1)


if __name__ == "__main__":
    main()
