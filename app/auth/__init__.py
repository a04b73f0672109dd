"""Who is asking, and with which role.

Identity comes from the token alone; every route declares the least role it asks for by
one of `ReaderDep`, `MemberDep` and `AdminDep`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.auth.callers import (
    MOUNTED_PROJECT,
    AdminDep,
    Caller,
    MemberDep,
    ReaderDep,
    Requires,
)
from app.auth.identity import (
    PROJECT_ID,
    PROJECT_ID_SCHEMA,
    Authenticator,
    Identity,
    Role,
)
from app.auth.keystone import KeystoneAuthenticator
from app.auth.noauth import NotAuthenticated, noauth
from app.settings import Settings

__all__ = [
    "MOUNTED_PROJECT",
    "PROJECT_ID",
    "PROJECT_ID_SCHEMA",
    "AdminDep",
    "Authenticator",
    "Caller",
    "Identity",
    "MemberDep",
    "NotAuthenticated",
    "ReaderDep",
    "Requires",
    "Role",
    "authenticator",
    "closing",
    "noauth",
]


def authenticator(settings: Settings) -> Authenticator:
    """Return what reads identities, as the settings choose."""
    return KeystoneAuthenticator(settings) if settings.auth == "keystone" else noauth


@asynccontextmanager
async def closing(authenticate: Authenticator) -> AsyncIterator[None]:
    """Close what the authenticator holds open once the block ends."""
    try:
        yield
    finally:
        if isinstance(authenticate, KeystoneAuthenticator):
            await authenticate.aclose()
