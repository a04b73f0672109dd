"""Which microversion of the compute API a request asks for, and how that is echoed.

All of them have the shapes of 2.1: what Nova added up to 2.35 concerns what no registry
has. From 2.36 on Nova has no floating IPs, hence the end there.

Source: CONTRACT 1.3 and 4; OpenStack API SIG, microversion specification.
"""

import re
from typing import TypeAlias

from app.errors import InvalidValue, NotAcceptable
from app.wire.request_body import Fields

Microversion: TypeAlias = tuple[int, int]

OLDEST: Microversion = 2, 1
NEWEST: Microversion = 2, 35


HEADER, LEGACY_HEADER = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"
SERVICE = "compute"

_is_version = re.compile(r"([1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})").fullmatch


def choose(fields: Fields) -> Microversion:
    """Return the version asked for: by the newer header, else the older, else 2.1.

    Raises InvalidValue for what is no version, NotAcceptable for one out of range.
    """
    asked = _of_service(_line(fields, HEADER))
    if asked is not None:
        return _read(HEADER, asked)
    legacy = _line(fields, LEGACY_HEADER)
    return _read(LEGACY_HEADER, legacy) if legacy else OLDEST


def _line(fields: Fields, header: str) -> str:
    """Return the lines of a header as one list."""
    lines = fields.get(header.lower().encode(), ())
    return b",".join(lines).decode("latin-1").strip()


def _of_service(versions: str) -> str | None:
    """Find our version in `compute 2.1, volume 3.0`; the last one counts."""
    found = None
    for each in versions.split(","):
        service, _, version = each.strip().partition(" ")
        if service.lower() == SERVICE:
            found = version.strip()
    return found


def _read(header: str, asked: str) -> Microversion:
    if asked.lower() == "latest":
        return NEWEST
    match = _is_version(asked)
    if match is None:
        raise InvalidValue(header, "must be a version such as 2.1, or latest", asked)
    version = int(match[1]), int(match[2])
    if not OLDEST <= version <= NEWEST:
        raise NotAcceptable(
            f"Version {asked} is not supported by the API. "
            f"Minimum is {text(OLDEST)} and maximum is {text(NEWEST)}."
        )
    return version


def text(version: Microversion) -> str:
    """Write a version as clients do."""
    return f"{version[0]}.{version[1]}"


def echo(version: Microversion) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell which version an answer has, and that it matters."""
    shown = text(version)
    return [
        (HEADER.lower().encode(), f"{SERVICE} {shown}".encode()),
        (LEGACY_HEADER.lower().encode(), shown.encode()),
        (b"vary", f"{HEADER}, {LEGACY_HEADER}".encode()),
    ]
