"""One effect per idempotency key: its answer is kept in the effect's transaction.

Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from app.database import Tx
from app.errors import ApiError, Conflict, quote


class RequestInFlight(Conflict):
    """The first request with the same Idempotency-Key is still under way."""

    headers: Mapping[str, str] = {"Retry-After": "1"}

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {quote(key)}: the first request with it is under way."
        )


class KeyReused(ApiError):
    """The Idempotency-Key stood on another request of the project before."""

    status = 422

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key {quote(key)}: another request was sent with it before."
        )


@dataclass(frozen=True, slots=True)
class Key:
    """What a client called its request, within its project and its operation."""

    project_id: str
    route: str
    text: str
    fingerprint: bytes
    """Of what the request says, to tell it from another one under the same key."""

    @property
    def lock_id(self) -> int:
        """The number under which it is locked: 64 bits, which two hardly share."""
        scoped = "\n".join((self.project_id, self.route, self.text))
        return int.from_bytes(sha256(scoped.encode()).digest()[:8], signed=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to the first request with a key."""

    status: int
    headers: dict[str, str]
    body: bytes


LOCK = "SELECT pg_try_advisory_xact_lock($1)"

FIND = """
SELECT fingerprint, status, headers, body
  FROM idempotency_keys
 WHERE project_id = $1 AND route = $2 AND key = $3
"""


async def claim(tx: Tx, key: Key) -> Answer | None:
    """Return the answer kept for the key, or hold it until the transaction ends.

    The lock is a statement of its own: the next one sees what its last holder has
    committed. One statement for both would look at the ledger first, and the work of
    a request that was answered meanwhile would be done again.

    Locks the key, without waiting for it.
    Raises RequestInFlight, KeyReused.
    """
    if not await tx.fetchval(LOCK, key.lock_id):
        raise RequestInFlight(key.text)
    kept = await tx.fetchrow(FIND, key.project_id, key.route, key.text)
    if kept is None:
        return None
    if kept["fingerprint"] != key.fingerprint:
        raise KeyReused(key.text)
    return Answer(kept["status"], json.loads(kept["headers"]), kept["body"])


STORE = """
INSERT INTO idempotency_keys (project_id, route, key, fingerprint, status, headers,
                              body)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def store(tx: Tx, key: Key, answer: Answer) -> None:
    """Keep the answer of a request whose effect is in this transaction."""
    await tx.execute(
        STORE,
        key.project_id,
        key.route,
        key.text,
        key.fingerprint,
        answer.status,
        json.dumps(answer.headers),
        answer.body,
    )


# Nothing updates these rows, so that one that is locked stays where it is.
SWEEP = """
WITH swept AS (
    DELETE FROM idempotency_keys
     WHERE ctid = ANY (ARRAY(
           SELECT ctid
             FROM idempotency_keys
            WHERE created_at < now() - CAST($1 AS interval)
            ORDER BY created_at
            LIMIT $2
              FOR UPDATE SKIP LOCKED))
 RETURNING 1
)
SELECT count(*) FROM swept
"""


async def sweep(tx: Tx, older_than: timedelta, most: int) -> int:
    """Forget the oldest of the answers that are older than that; return how many.

    Locks those rows, and passes by what another sweep has locked.
    """
    swept: int = await tx.fetchval(SWEEP, older_than, most)
    return swept
