"""What the routes of the network face share: ids, conditions, selected members."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Request, Response
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import to_json

from app.errors import FloatingIPNotFound, InvalidValue
from app.faces.compute.http import FLOATING_IP, UUID_SCHEMA, is_uuid, path_uuid
from app.faces.http import parse_id
from app.ledger.revisions import IfMatch

NETWORK = "0d7c4e43-93e2-4b4c-8f5a-6a8b8f1f7d21"
SUBNET = "5b6f1b7e-57b4-4a53-9a59-2f4e7f4d8c11"
PORT = "0b4a5b43-8f5c-4a6c-9d2f-6c1f7f1a2b3c"
"""The ids of examples."""

FloatingIPId = Annotated[
    UUID,
    Path(description="The id of a floating IP of the project."),
    path_uuid(FloatingIPNotFound),
    WithJsonSchema({**UUID_SCHEMA, "examples": [FLOATING_IP]}),
]


def _read_uuid(text: object) -> UUID:
    if not isinstance(text, str) or is_uuid(text) is None:
        raise ValueError("must be a UUID")
    return UUID(text)


UUIDMember = Annotated[UUID, BeforeValidator(_read_uuid), WithJsonSchema(UUID_SCHEMA)]
"""A UUID in the body of a request."""

TimeText = Annotated[
    str,
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T10:00:00Z"]),
]
Project = Annotated[
    str, Field(description="The project that has it.", examples=["demo"])
]
Members = Mapping[str, Any]


def members(model: BaseModel) -> dict[str, Any]:
    """Return the members of a resource as JSON has them."""
    return model.model_dump(mode="json", by_alias=True)


def selected(resource: Members, fields: Sequence[str]) -> Members:
    """Return the members that the request asks for; all if it asks for none."""
    if not fields:
        return resource
    return {name: value for name, value in resource.items() if name in fields}


def one(
    root: str, resource: Members, fields: Sequence[str] = (), status: int = 200
) -> Response:
    """Answer one resource, or the members of it that the request asks for."""
    content = to_json({root: selected(resource, fields)})
    return Response(content, status, media_type="application/json")


def gone() -> Response:
    """Say 204: done, and nothing to tell."""
    return Response(status_code=204)


REVISION_RULE = "must be revision_number=N"
_revision = re.compile(r"\s*revision_number\s*=\s*([0-9]+)\s*").fullmatch

MatchHeader = Annotated[
    str | None,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^revision_number=[0-9]+$",
            "examples": ["revision_number=3"],
        }
    ),
    Header(
        alias="If-Match",
        description="The floating IP is changed only if it has this revision.",
    ),
]


async def _if_match(request: Request, _documented: MatchHeader = None) -> IfMatch:
    """Read the revision that the present one has to be.

    Raises InvalidValue.
    Source: the extension `revision-if-match`.
    """
    lines = request.headers.getlist("If-Match")
    if not lines:
        return None
    text = ", ".join(lines)
    found = _revision(text)
    if found is None:
        raise InvalidValue("If-Match", REVISION_RULE, text)
    revision = parse_id(found[1])
    return frozenset([revision] if revision else ())


IfMatchDep = Annotated[IfMatch, Depends(_if_match)]
"""For changes of one floating IP; it stands behind the caller, who is refused first."""
