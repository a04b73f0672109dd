"""Addresses that an admin holds back: reserved, so that no project gets them."""

from dataclasses import dataclass
from datetime import datetime

from app.database import Connection, Tx
from app.errors import (
    AddressHeld,
    AddressNotFound,
    AddressReserved,
    HoldNotFound,
    InvalidValue,
    UnknownMarker,
)
from app.ledger.addresses import Address

REASON_RULE = (
    "must be 1 to 255 printable characters without space at either end, and not null"
)


def is_reason(text: str) -> bool:
    """Tell whether this can be why an address is held back."""
    is_bare = text == text.strip() and text != "null"
    return is_bare and text.isprintable() and 0 < len(text) <= 255


@dataclass(frozen=True, slots=True)
class Hold:
    """A reserved address, why, and until when (None: until it is lifted)."""

    address: str
    reason: str
    until: datetime | None


LOCK = "SELECT state FROM addresses WHERE address = $1 FOR UPDATE"

IS_PAST = "SELECT $1 <= clock_timestamp()"

# What it still has to rest is kept, and goes on when the hold ends.
RESERVE = """
UPDATE addresses
   SET state = 'reserved', reserved_reason = $2, reserved_until = $3
 WHERE address = $1
RETURNING host(address)
"""


async def place(tx: Tx, address: Address, reason: str, until: datetime | None) -> Hold:
    """Hold back an address that no project holds.

    Locks the address.
    Raises InvalidValue for a time that has passed, AddressNotFound, AddressHeld,
    AddressReserved.
    """
    if until is not None and await tx.fetchval(IS_PAST, until):
        raise InvalidValue("until", "must be in the future", until.isoformat())
    match await tx.fetchval(LOCK, address):
        case None:
            raise AddressNotFound(address)
        case "held":
            raise AddressHeld(address)
        case "reserved":
            raise AddressReserved(address)
    return Hold(await tx.fetchval(RESERVE, address, reason, until), reason, until)


LIFT = """
UPDATE addresses
   SET state = CASE WHEN rests_until > now() THEN 'resting' ELSE 'free' END,
       rests_for = CASE WHEN rests_until > now() THEN rests_for END,
       rests_until = CASE WHEN rests_until > now() THEN rests_until END,
       reserved_reason = NULL,
       reserved_until = NULL,
       changed_at = CASE
           WHEN rests_until <= now() THEN greatest(clock_timestamp(), changed_at)
           ELSE changed_at
           END
 WHERE address = ANY($1) AND state = 'reserved'
RETURNING address
"""


async def lift(tx: Tx, address: Address) -> None:
    """Let an address go that is held back; it rests on, if its time is not over.

    Locks the address.
    Raises HoldNotFound.
    """
    if await tx.fetchval(LIFT, [address]) is None:
        raise HoldNotFound(address)


OVER = """
SELECT address
  FROM addresses
 WHERE state = 'reserved' AND reserved_until <= now()
 LIMIT $1
   FOR UPDATE SKIP LOCKED
"""


async def lift_those_over(tx: Tx, most: int) -> int:
    """Let addresses go whose hold is over; return how many.

    Locks them.
    """
    over = [row["address"] for row in await tx.fetch(OVER, most)]
    return len(await tx.fetch(LIFT, over)) if over else 0


PAGE = """
SELECT host(address), reserved_reason, reserved_until
  FROM addresses
 WHERE state = 'reserved' AND (address > $1 OR $1 IS NULL)
 ORDER BY address
 LIMIT $2
"""

IS_THERE = "SELECT FROM addresses WHERE state = 'reserved' AND address = $1"


async def page(
    connection: Connection, marker: Address | None, limit: int
) -> list[Hold]:
    """Return the holds by address, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, marker) is None:
        raise UnknownMarker(marker)
    return [Hold(*row) for row in await connection.fetch(PAGE, marker, limit)]
