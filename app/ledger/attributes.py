"""What a project writes on its floating IPs: a description, tags, and "protected"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.database import Connection, Tx
from app.errors import FloatingIPNotFound
from app.ledger import revisions
from app.ledger.revisions import IfMatch

DESCRIPTION_RULE = (
    "must be 0 to 255 printable characters without space at either end, and not null"
)
TAG_RULE = (
    "must be 1 to 255 printable characters without space at either end, and not null"
)
MOST_TAGS = 50


def is_description(text: str) -> bool:
    """Tell whether a floating IP may have this description; `null` is none in XML."""
    is_bare = text == text.strip() and text != "null"
    return is_bare and text.isprintable() and len(text) <= 255


def is_tag(text: str) -> bool:
    """Tell whether a floating IP may have this tag."""
    return is_description(text) and text != ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is written on a floating IP; the tags in order."""

    description: str
    tags: Sequence[str]
    protected: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written; None leaves it as it is."""

    description: str | None = None
    tags: Sequence[str] | None = None
    protected: bool | None = None


SHOW = """
SELECT coalesce(description, '') AS description,
       ARRAY(SELECT t.tag
               FROM floating_ip_tags t
              WHERE t.floating_ip_id = a.floating_ip_id
              ORDER BY t.tag) AS tags,
       protected,
       revision
  FROM addresses a
 WHERE project_id = $1 AND floating_ip_id = $2
"""


async def show(
    connection: Connection, project_id: str, floating_ip_id: int
) -> Attributes:
    """Return what is written on a floating IP of the project.

    Raises FloatingIPNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, floating_ip_id)
    if row is None:
        raise FloatingIPNotFound(floating_ip_id)
    return Attributes(*row)


LOCK = """
SELECT revision
  FROM addresses
 WHERE project_id = $1 AND floating_ip_id = $2
   FOR UPDATE
"""

WRITE = """
UPDATE addresses
   SET description = nullif($3, ''),
       protected = $4,
       revision = revision + 1
 WHERE project_id = $1 AND floating_ip_id = $2
"""


async def update(
    tx: Tx,
    project_id: str,
    floating_ip_id: int,
    changes: Changes,
    *,
    if_match: IfMatch = None,
) -> Attributes:
    """Write on a floating IP of the project; its revision grows if that changes it.

    Locks the floating IP.
    Raises FloatingIPNotFound, PreconditionFailed.
    """
    revision = await tx.fetchval(LOCK, project_id, floating_ip_id)
    if revision is None:
        raise FloatingIPNotFound(floating_ip_id)
    revisions.check(if_match, revision)
    present = await show(tx, project_id, floating_ip_id)
    wanted = _applied(changes, present)
    if wanted == present:
        return present
    await tx.execute(
        WRITE, project_id, floating_ip_id, wanted.description, wanted.protected
    )
    if wanted.tags != present.tags:
        await tx.execute(UNTAG, floating_ip_id)
        await tag(tx, project_id, floating_ip_id, wanted.tags)
    return await show(tx, project_id, floating_ip_id)


def _applied(changes: Changes, present: Attributes) -> Attributes:
    given: dict[str, Any] = {
        "description": changes.description,
        "tags": None if changes.tags is None else sorted(set(changes.tags)),
        "protected": changes.protected,
    }
    known = {name: value for name, value in given.items() if value is not None}
    return replace(present, **known)


UNTAG = "DELETE FROM floating_ip_tags WHERE floating_ip_id = $1"

TAG = """
INSERT INTO floating_ip_tags (project_id, tag, floating_ip_id)
SELECT $1, tag, $3 FROM unnest($2::text[]) AS tag
"""


async def tag(
    tx: Tx, project_id: str, floating_ip_id: int, tags: Sequence[str]
) -> None:
    """Put tags on a floating IP that is locked and has none of them."""
    if tags:
        await tx.execute(TAG, project_id, sorted(set(tags)), floating_ip_id)


TAGS_OF = """
SELECT tag FROM floating_ip_tags WHERE floating_ip_id = $1 ORDER BY tag
"""


async def tags_of(connection: Connection, floating_ip_id: int) -> list[str]:
    """Return the tags of a floating IP, in order."""
    return [row["tag"] for row in await connection.fetch(TAGS_OF, floating_ip_id)]
