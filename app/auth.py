"""Who is asking, and with which role.

Identity comes from the token alone; every route declares the least role it asks for by
one of `ReaderDep`, `MemberDep` and `AdminDep`.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers

from app.errors import BadRequest, InvalidValue, RoleMissing, Unauthorized

PROJECT_ID = re.compile(r"[!-.0-~]{1,255}", re.ASCII)
"""Visible ASCII without a slash: what a Keystone id or a noauth project can be."""

PROJECT_ID_SCHEMA = {"pattern": f"^{PROJECT_ID.pattern}$"}
"""The same for OpenAPI; refusals have a sentence of their own."""

MOUNTED_PROJECT = "mounted_project_id"
"""The path parameter of faces that are mounted under a project."""


class Role(IntEnum):
    """What a caller may do; each role may do what the lesser ones may."""

    READER = 1
    MEMBER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, for which project, in which request."""

    user_id: str
    project_id: str
    role: Role
    request_id: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a token proves."""

    user_id: str
    project_id: str
    role: Role


Authenticator = Callable[[Headers], Awaitable[Identity]]
"""Reads the identity out of a request's headers. Raises Unauthorized, Unavailable."""


class NotAuthenticated(Unauthorized):
    """The request carries no identity."""

    def __init__(self) -> None:
        super().__init__(
            "X-Auth-Token: send user:project, or X-Project-Id without a token."
        )


NOAUTH_ROLES = {"admin": Role.ADMIN, "reader": Role.READER}
NOAUTH_USER = "noauth"
"""The actor of requests that name a project and no user."""


async def noauth(headers: Headers) -> Identity:
    """Believe `X-Auth-Token: user:project`, or without a token X-Project-Id.

    The user `admin` is admin, `reader` is reader, anyone else is member.
    """
    token = headers.get("x-auth-token")
    if token is None:
        user_id, project_id = NOAUTH_USER, headers.get("x-project-id", "")
    else:
        user_id, _, project_id = token.partition(":")
    if not (PROJECT_ID.fullmatch(user_id) and PROJECT_ID.fullmatch(project_id)):
        raise NotAuthenticated
    role = Role.MEMBER if token is None else NOAUTH_ROLES.get(user_id, Role.MEMBER)
    return Identity(user_id, project_id, role)


def _scoped(identity: Identity, mounted: str | None) -> Identity:
    """Apply the project in the path: the token's own, or any for an admin."""
    if mounted is None or mounted == identity.project_id:
        return identity
    if identity.role < Role.ADMIN:
        raise BadRequest("The project in the path is not the project of the token.")
    if not PROJECT_ID.fullmatch(mounted):
        raise InvalidValue("project_id", "must be 1 to 255 visible characters", mounted)
    return replace(identity, project_id=mounted)


class Requires:
    """A dependency that finds the caller, and refuses one without the role.

    Raises Unauthorized, RoleMissing, BadRequest for a foreign project in the path.
    """

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Caller:
        """Return the caller of the request."""
        authenticate: Authenticator = request.app.state.authenticate
        identity = await authenticate(request.headers)
        identity = _scoped(identity, request.path_params.get(MOUNTED_PROJECT))
        if identity.role < self.role:
            raise RoleMissing(self.role.name.lower())
        return Caller(
            identity.user_id,
            identity.project_id,
            identity.role,
            request.scope["state"]["request_id"],
        )


ReaderDep = Annotated[Caller, Depends(Requires(Role.READER))]
MemberDep = Annotated[Caller, Depends(Requires(Role.MEMBER))]
AdminDep = Annotated[Caller, Depends(Requires(Role.ADMIN))]
