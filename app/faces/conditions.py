"""If-Match: a change only to the revision that the client has seen.

Source: RFC 9110 sections 8.8.3, 13.1.1 and 13.2.2.
"""

import re
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema

from app.errors import InvalidValue
from app.faces.http import parse_id
from app.ledger.revisions import IfMatch

HEADER = "If-Match"
RULE = 'must be * or a list of entity tags, such as "3"'

TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
MATCH_ANY = "*"

_find_tags = re.compile(TAG).findall
_is_list = re.compile(rf"[ \t,]*{TAG}(?:[ \t]*,[ \t,]*{TAG})*[ \t,]*").fullmatch

MatchHeader = Annotated[
    str | None,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$',
            "examples": ['"3"'],
        }
    ),
    Header(
        alias=HEADER,
        description="Entity tags of the floating IP: it is changed only if its own is "
        "among them, in its form of either media type; `*` is any.",
    ),
]
"""The header as OpenAPI shows it; it may come in several lines, which are one list."""


async def _if_match(request: Request, _documented: MatchHeader = None) -> IfMatch:
    """Read the revisions of which the present one has to be one.

    Raises InvalidValue.
    """
    lines = request.headers.getlist(HEADER)
    text = ", ".join(lines)
    if not lines or text.strip() == MATCH_ANY:
        # That there is a floating IP at all, its 404 says already.
        return None
    if not _is_list(text):
        raise InvalidValue(HEADER, RULE, text)
    revisions = map(_revision, _find_tags(text))
    return frozenset(revision for revision in revisions if revision)


def _revision(tag: str) -> int | None:
    """Return the revision of a tag of ours; a weak one never matches."""
    return parse_id(tag[1:-1]) if tag.startswith('"') else None


IfMatchDep = Annotated[IfMatch, Depends(_if_match)]
"""For changes of one floating IP; it stands behind the caller, who is refused first."""
