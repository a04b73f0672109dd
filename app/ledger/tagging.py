"""One tag put on a floating IP or taken off it, whatever else is on it."""

from collections.abc import Sequence

from app.database import Tx
from app.errors import BadRequest, FloatingIPNotFound, NotFound, quote
from app.ledger import attributes, revisions
from app.ledger.attributes import MOST_TAGS, Attributes, Changes
from app.ledger.revisions import IfMatch


class TagNotFound(NotFound):
    """The floating IP has no such tag."""

    def __init__(self, tag: object) -> None:
        super().__init__(f"Tag {quote(tag)} was not found.")


class TooManyTags(BadRequest):
    """The floating IP would have more tags than one may have."""

    def __init__(self) -> None:
        super().__init__(f"tags: a floating IP has {MOST_TAGS} at most.")


async def _lock(
    tx: Tx, project_id: str, floating_ip_id: int, if_match: IfMatch
) -> set[str]:
    """Lock a floating IP, and return its tags."""
    revision = await tx.fetchval(attributes.LOCK, project_id, floating_ip_id)
    if revision is None:
        raise FloatingIPNotFound(floating_ip_id)
    revisions.check(if_match, revision)
    return set(await attributes.tags_of(tx, floating_ip_id))


async def add(
    tx: Tx,
    project_id: str,
    floating_ip_id: int,
    tags: Sequence[str],
    *,
    if_match: IfMatch = None,
) -> Attributes:
    """Put tags on a floating IP of the project beside those it has.

    Locks the floating IP.
    Raises FloatingIPNotFound, PreconditionFailed, TooManyTags.
    """
    wanted = await _lock(tx, project_id, floating_ip_id, if_match) | set(tags)
    if len(wanted) > MOST_TAGS:
        raise TooManyTags
    return await _write(tx, project_id, floating_ip_id, wanted)


async def remove(
    tx: Tx,
    project_id: str,
    floating_ip_id: int,
    tag: str,
    *,
    if_match: IfMatch = None,
) -> Attributes:
    """Take a tag off a floating IP of the project.

    Locks the floating IP.
    Raises FloatingIPNotFound, PreconditionFailed, TagNotFound.
    """
    present = await _lock(tx, project_id, floating_ip_id, if_match)
    if tag not in present:
        raise TagNotFound(tag)
    return await _write(tx, project_id, floating_ip_id, present - {tag})


async def _write(
    tx: Tx, project_id: str, floating_ip_id: int, tags: set[str]
) -> Attributes:
    changes = Changes(tags=sorted(tags))
    return await attributes.update(tx, project_id, floating_ip_id, changes)
