"""What a project writes on its floating IPs, as it stands in requests."""

from typing import Annotated

from pydantic import AfterValidator, Field

from app.ledger import attributes


def _a_tag(text: str) -> str:
    if not attributes.is_tag(text):
        raise ValueError(attributes.TAG_RULE)
    return text


def _a_description(text: str) -> str:
    if not attributes.is_description(text):
        raise ValueError(attributes.DESCRIPTION_RULE)
    return text


Tag = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        # What patterns can say of the rule; the rest of it is `is_tag`'s.
        json_schema_extra={"pattern": r"^\S(.*\S)?$", "xml": {"name": "tag"}},
    ),
    AfterValidator(_a_tag),
]

Description = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"pattern": r"^(\S(.*\S)?)?$"}),
    AfterValidator(_a_description),
]
