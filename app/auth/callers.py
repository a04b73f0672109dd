"""The caller of a request; every route declares the least role that it asks for."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from app.auth.identity import PROJECT_ID, Authenticator, Identity, Role
from app.errors import BadRequest, InvalidValue, RoleMissing
from app.pacing import Turns

MOUNTED_PROJECT = "mounted_project_id"
"""The path parameter of faces that are mounted under a project."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, for which project, in which request."""

    user_id: str
    project_id: str
    role: Role
    request_id: str


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

    Raises Unauthorized, RoleMissing, BadRequest for a foreign project in the path, and
    ProjectIsBusy.
    """

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Caller:
        """Return the caller of the request."""
        authenticate: Authenticator = request.app.state.authenticate
        identity = await authenticate(request.headers)
        identity = _scoped(identity, request.path_params.get(MOUNTED_PROJECT))
        state = request.scope["state"]
        state["project_id"] = identity.project_id
        turns: Turns = request.app.state.turns
        turns.take(identity.project_id, state)
        if identity.role < self.role:
            raise RoleMissing(self.role.name.lower())
        return Caller(
            identity.user_id, identity.project_id, identity.role, state["request_id"]
        )


ReaderDep = Annotated[Caller, Depends(Requires(Role.READER))]
MemberDep = Annotated[Caller, Depends(Requires(Role.MEMBER))]
AdminDep = Annotated[Caller, Depends(Requires(Role.ADMIN))]
