"""What a token proves, and who reads it out of a request."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

from starlette.datastructures import Headers

PROJECT_ID = re.compile(r"[!-.0-~]{1,255}", re.ASCII)
"""Visible ASCII without a slash: what a Keystone id or a noauth project can be."""

PROJECT_ID_SCHEMA = {"pattern": f"^{PROJECT_ID.pattern}$"}
"""The same for OpenAPI; refusals have a sentence of their own."""


class Role(IntEnum):
    """What a caller may do; each role may do what the lesser ones may."""

    READER = 1
    MEMBER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Identity:
    """What a token proves."""

    user_id: str
    project_id: str
    role: Role


Clock = Callable[[], float]
"""Seconds since some moment."""

Authenticator = Callable[[Headers], Awaitable[Identity]]
"""Reads the identity out of a request's headers.

Raises Unauthorized, Forbidden, Unavailable.
"""
