"""Times as clients write and read them: RFC 3339, answered in UTC."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

TIME_RULE = "must be a time as RFC 3339 writes it, such as 2030-01-01T00:00:00Z"
TIME_SCHEMA = {"type": "string", "format": "date-time"}

# Python reads more forms than RFC 3339 has, and no lower-case ones.
_is_rfc_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
).fullmatch


def parse_time(text: object) -> datetime:
    """Read a time with its offset; what is finer than a microsecond is cut off.

    Raises ValueError, with the rule as its message.
    Source: RFC 3339 section 5.6.
    """
    if not isinstance(text, str) or not _is_rfc_3339(text.upper()):
        raise ValueError(TIME_RULE)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(TIME_RULE) from None


def time_text(time: datetime) -> str:
    """Write a time in UTC, to the microsecond where it has any."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


Time = Annotated[datetime, BeforeValidator(parse_time), WithJsonSchema(TIME_SCHEMA)]
"""A time in a request."""

TimeText = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time in an answer."""
