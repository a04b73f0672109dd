"""The form in which fleets come and go: CSV, a line for each floating IP.

The first line names the columns: address, project, fixed_ip, server. A floating IP that
is associated has both a fixed IP and the name of the server, any other has neither.
Lines of one project with the same name are of one server with several fixed IPs.

It is written in UTF-8 with LF, quoted by RFC 4180 where need be; read with CRLF and a
byte order mark as well. Values are exact: a name such as `=1+1`, which a spreadsheet
would compute, is neither refused nor altered. No value has a line break, so every line
stands for itself, and its number is that of an editor.
"""

import codecs
import csv
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO

from app.auth import PROJECT_ID
from app.errors import ApiError, FamiliesDiffer, InvalidValue
from app.ledger.addresses import Address, parse_address
from app.ledger.fleets.faults import Faults
from app.ledger.registration import NAME_RULE, is_name

COLUMNS = ["address", "project", "fixed_ip", "server"]

CONTENT_LIMIT = 64 * 2**20
"""Bytes of a file."""

LINES_LIMIT = 1_000_000
"""Floating IPs in a file."""

LINE_LIMIT = 4096
"""Bytes of a line: longer than the longest values, quoted, can make it."""

HEADER_RULE = f"must be {','.join(COLUMNS)}"
VALUES_RULE = f"must be {len(COLUMNS)} values between commas, quoted as in RFC 4180"
PROJECT_RULE = "must be 1 to 255 visible ASCII characters without a slash"
BOTH_RULE = "fixed_ip and server must be given together"

Line = tuple[int, Address, str, Address | None, str | None]
"""Number, address, project, fixed IP, name of the server."""


def read(content: bytes, faults: Faults) -> Iterator[Line]:
    """Yield the lines that can be read; note what is wrong with the others."""
    if len(content) > CONTENT_LIMIT:
        faults.add(1, f"The file is longer than {CONTENT_LIMIT} bytes.")
        return
    lines = enumerate(BytesIO(content.removeprefix(codecs.BOM_UTF8)), start=1)
    if not _is_header(next(lines, (1, b""))[1], faults):
        return
    for number, line in lines:
        if number > 1 + LINES_LIMIT:
            faults.add(number, f"The file has more than {LINES_LIMIT} floating IPs.")
            return
        try:
            yield number, *_read_values(_split(line))
        except ApiError as fault:
            faults.add(number, str(fault))


def _is_header(line: bytes, faults: Faults) -> bool:
    try:
        if _split(line) == COLUMNS:
            return True
    except ApiError:
        pass
    shown = line.decode(errors="replace").rstrip("\r\n")
    faults.add(1, str(InvalidValue("header", HEADER_RULE, shown)))
    return False


def _split(line: bytes) -> list[str]:
    """Divide a line into its values.

    Raises InvalidValue.
    """
    shown = line[:LINE_LIMIT].decode(errors="replace").rstrip("\r\n")
    if len(line) > LINE_LIMIT:
        raise InvalidValue("line", f"is longer than {LINE_LIMIT} bytes", shown)
    try:
        (values,) = csv.reader([line.decode()], strict=True)
    except UnicodeDecodeError:
        raise InvalidValue("line", "is not in UTF-8", shown) from None
    except (csv.Error, ValueError):
        raise InvalidValue("line", VALUES_RULE, shown) from None
    if len(values) != len(COLUMNS):
        raise InvalidValue("line", VALUES_RULE, shown)
    return values


def _read_values(
    values: Sequence[str],
) -> tuple[Address, str, Address | None, str | None]:
    """Read what a line says.

    Raises InvalidValue, FamiliesDiffer.
    """
    address, project_id, fixed_ip, server = values
    floating = _address("address", address)
    if not PROJECT_ID.fullmatch(project_id):
        raise InvalidValue("project", PROJECT_RULE, project_id)
    if not fixed_ip and not server:
        return floating, project_id, None, None
    if not (fixed_ip and server):
        raise InvalidValue("line", BOTH_RULE, ",".join(values))
    if not is_name(server):
        raise InvalidValue("server", NAME_RULE, server)
    fixed = _address("fixed_ip", fixed_ip)
    if floating.version != fixed.version:
        raise FamiliesDiffer(floating, fixed)
    return floating, project_id, fixed, server


def _address(column: str, text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as rule:
        raise InvalidValue(column, str(rule), text) from None


def written(lines: Iterable[Sequence[str]]) -> str:
    """Return lines of values as they stand in the file."""
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
