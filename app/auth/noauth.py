"""Believes whatever callers say of themselves: for loopback, demos and tests."""

from starlette.datastructures import Headers

from app.auth.identity import PROJECT_ID, Identity, Role
from app.errors import Unauthorized

ROLES = {"admin": Role.ADMIN, "reader": Role.READER}
NOBODY = "noauth"
"""The actor of requests that name a project and no user."""


class NotAuthenticated(Unauthorized):
    """The request carries no identity."""

    def __init__(self) -> None:
        super().__init__(
            "X-Auth-Token: send user:project, or X-Project-Id without a token."
        )


async def noauth(headers: Headers) -> Identity:
    """Believe `X-Auth-Token: user:project`, or without a token X-Project-Id.

    The user `admin` is admin, `reader` is reader, anyone else is member.
    """
    token = headers.get("x-auth-token")
    if token is None:
        user_id, project_id = NOBODY, headers.get("x-project-id", "")
    else:
        user_id, _, project_id = token.partition(":")
    if not (PROJECT_ID.fullmatch(user_id) and PROJECT_ID.fullmatch(project_id)):
        raise NotAuthenticated
    role = Role.MEMBER if token is None else ROLES.get(user_id, Role.MEMBER)
    return Identity(user_id, project_id, role)
