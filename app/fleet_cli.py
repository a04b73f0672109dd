"""What the commands for whole fleets read, write and tell."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import typer

from app.database import LedgerDatabase, snapshot, transaction
from app.ledger import fleets
from app.ledger.fleets import CONTENT_LIMIT, FleetRefused, TakenIn, Terms
from app.ledger.pools import Progress
from app.settings import Settings

Taken = tuple[str, TakenIn]
"""The request id that the history names, and what was new."""

STANDARD = "-"
"""Stands for standard input and output."""

IMPORT_HELP = (
    "Allocate the floating IPs that a CSV file lists: all of them, or none.\n\n"
    "The file begins with the line address,project,fixed_ip,server and has a line for "
    "each floating IP. Where fixed_ip and server are empty, it is allocated only. A "
    "server is registered unless the project has one of that name; several lines with "
    "one name are one server with several fixed IPs.\n\n"
    "Every address must be free in a pool: --pool adds those that are in none, and "
    "leaves others where they are. No project gets more than its quota: --raise-quotas "
    "raises that to what the project then holds. Every faulty line is told, with exit "
    "code 2, and then nothing has changed."
)

EXPORT_HELP = (
    "Write the floating IPs of all projects as CSV, as import reads it.\n\n"
    "They are those of one moment, by address. Values are exact: a name that begins "
    "with =, +, - or @ is a formula to a spreadsheet, so open the file there as text."
)


class FleetError(Exception):
    """Why an import or export has come to nothing, in a sentence for the operator."""


def take_in(
    file: str, pool: str | None, *, raise_quotas: bool
) -> Callable[[LedgerDatabase, Settings], Awaitable[Taken]]:
    """Read a file, or standard input, and return the work of taking it in.

    No more of it is read than shows that it is too long.
    The work raises FleetError, having told the faults.
    """
    if file == STANDARD:
        content = sys.stdin.buffer.read(CONTENT_LIMIT + 1)
    else:
        with Path(file).open("rb") as stream:
            content = stream.read(CONTENT_LIMIT + 1)

    async def work(database: LedgerDatabase, settings: Settings) -> Taken:
        request_id = f"req-{uuid4()}"
        terms = Terms(request_id, settings.default_quota, pool, raise_quotas)
        try:
            async with transaction(database) as tx:
                return request_id, await fleets.take_in(tx, content, terms)
        except FleetRefused as refused:
            _tell_faults(refused)
            raise FleetError(
                f"{file} is not imported; faults: {refused.count}."
            ) from None

    return work


def _tell_faults(refused: FleetRefused) -> None:
    for fault in refused.faults:
        typer.echo(f"line {fault.line}: {fault.sentence}", err=True)
    if more := refused.count - len(refused.faults):
        typer.echo(f"and {more} more", err=True)


def tell(taken: Taken, pool: str | None) -> None:
    """Tell what an import has changed."""
    request_id, new = taken
    typer.echo(f"Imported {new.floating_ips} floating IPs, as {request_id}.")
    for number, what in (
        (new.servers, "servers registered"),
        (new.addresses, f"addresses added to {pool}"),
        (new.quotas, "quotas raised"),
    ):
        if number:
            typer.echo(f"  {number} {what}")


def give_out(
    write: Callable[[str], None],
) -> Callable[[LedgerDatabase, Settings], Awaitable[None]]:
    """Return the work of writing what the ledger holds."""

    async def work(database: LedgerDatabase, _: Settings) -> None:
        async with snapshot(database) as tx:
            async for lines in fleets.export(tx):
                write(lines)

    return work


@contextmanager
def progress(label: str, length: int) -> Iterator[Progress]:
    """Show a bar while the block lasts, if somebody sits before it."""
    hidden = not sys.stderr.isatty()
    with typer.progressbar(
        length=length, label=label, file=sys.stderr, hidden=hidden
    ) as bar:
        yield bar.update


@contextmanager
def output(file: str) -> Iterator[Callable[[str], None]]:
    """Yield what writes to a file, or to standard output.

    A file is there in the end as a whole, or as it was before.

    Raises FleetError; an OSError in a transaction would pass for a lost database.
    """
    try:
        if file == STANDARD:
            with _standard_output() as stream:
                yield _writer(stream)
        else:
            with _replaced(Path(file).resolve()) as stream:
                yield _writer(stream)
    except OSError as error:
        raise FleetError(f"{file}: {error.strerror or error}.") from error


def _writer(stream: IO[bytes]) -> Callable[[str], None]:
    def write(text: str) -> None:
        try:
            stream.write(text.encode())
        except OSError as error:
            raise FleetError(f"{stream.name}: {error.strerror}.") from error

    return write


@contextmanager
def _standard_output() -> Iterator[IO[bytes]]:
    stream = sys.stdout.buffer
    try:
        yield stream
        stream.flush()
    except (FleetError, BrokenPipeError):
        # What is left in the buffer has nowhere to go: not to be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise


@contextmanager
def _replaced(path: Path) -> Iterator[IO[bytes]]:
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
