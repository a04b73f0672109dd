"""Asks Keystone who is behind a token, and believes nothing else in a request."""

import re
import time
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from starlette.datastructures import Headers

from app.auth.circuit import KeystoneUnavailable
from app.auth.flights import Flights
from app.auth.identity import Clock, Identity, Role
from app.auth.keystone_api import KeystoneAPI, Token
from app.auth.verdicts import Refusal, Verdict, Verdicts
from app.errors import Forbidden, Unauthorized
from app.settings import Settings

TOKEN = re.compile(r"[!-~]{1,8192}", re.ASCII)
"""Visible ASCII: a Fernet token has some 200 characters, a JWS some 1000."""

ROLES = {
    "reader": Role.READER,
    "member": Role.MEMBER,
    "manager": Role.MEMBER,
    "admin": Role.ADMIN,
}
"""By Keystone's names in small letters: to policies theirs are the same in capitals."""

ACCEPTED_KEPT = 10_000
REFUSED_KEPT = 2_000
"""Apart from each other, so that made-up tokens drive no real one out."""

REFUSED_SECONDS = 5
"""How long at most a refusal is kept: what is wrong may be set right."""

MOST_AT_ONCE = 2_000
"""Tokens that are waited for; further ones are refused at once."""


class TokenMissing(Unauthorized):
    """The request has no token, and Keystone says who is who."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("X-Auth-Token: send a token of Keystone, scoped to a project.")
        self.headers = headers


class TokenRefused(Unauthorized):
    """The token is unknown, revoked, expired, or not scoped to a project."""

    def __init__(self, refusal: Refusal, headers: dict[str, str]) -> None:
        super().__init__(refusal.value)
        self.headers = headers


class NoRole(Forbidden):
    """The token proves who is asking, with none of the roles that are known here."""

    def __init__(self) -> None:
        super().__init__(Refusal.NO_ROLE.value)


class KeystoneAuthenticator:
    """Reads the identity out of X-Auth-Token, as Keystone tells it."""

    def __init__(self, settings: Settings, clock: Clock = time.monotonic) -> None:
        self._keystone = KeystoneAPI(settings, clock)
        self._challenge = {
            "WWW-Authenticate": f'Keystone uri="{settings.keystone_url}"'
        }
        self._seconds = settings.keystone_cache_seconds
        self._clock = clock
        self._accepted = Verdicts(ACCEPTED_KEPT, clock)
        self._refused = Verdicts(REFUSED_KEPT, clock)
        self._flights: Flights[bytes, Verdict] = Flights()

    async def aclose(self) -> None:
        """End what is under way, and close the connections to Keystone."""
        await self._flights.aclose()
        await self._keystone.aclose()

    async def __call__(self, headers: Headers) -> Identity:
        """Return who is behind the one token of a request.

        Raises TokenMissing, TokenRefused, NoRole, KeystoneUnavailable.
        """
        tokens = headers.getlist("x-auth-token")
        if not any(tokens):
            raise TokenMissing(self._challenge)
        if len(tokens) > 1 or not TOKEN.fullmatch(tokens[0]):
            raise TokenRefused(Refusal.INVALID, self._challenge)
        match await self._verdict(tokens[0]):
            case Identity() as identity:
                return identity
            case Refusal.NO_ROLE:
                raise NoRole
            case refusal:
                raise TokenRefused(refusal, self._challenge)

    async def _verdict(self, token: str) -> Verdict:
        key = sha256(token.encode()).digest()
        known = self._accepted.find(key) or self._refused.find(key)
        if known is not None:
            return known
        if key not in self._flights and len(self._flights) >= MOST_AT_ONCE:
            raise KeystoneUnavailable
        return await self._flights.join(key, partial(self._ask, key, token))

    async def _ask(self, key: bytes, token: str) -> Verdict:
        """Ask Keystone; what it says holds from when it was asked."""
        since = self._clock()
        shown = await self._keystone.show(token)
        verdict = Refusal.INVALID if shown is None else _judge(shown)
        if shown is not None and isinstance(verdict, Identity):
            expires_at = shown.expires_at.timestamp()
            self._accepted.keep(key, verdict, since + self._seconds, expires_at)
        else:
            kept = min(self._seconds, REFUSED_SECONDS)
            self._refused.keep(key, verdict, since + kept)
        return verdict


def _judge(token: Token) -> Verdict:
    """Find project and role; implied roles are among those that Keystone names."""
    if token.expires_at <= datetime.now(UTC):
        return Refusal.INVALID
    if token.project is None:
        return Refusal.UNSCOPED
    names = {role.name.lower() for role in token.roles}
    role = max((ROLES[name] for name in names & ROLES.keys()), default=None)
    if role is None:
        return Refusal.NO_ROLE
    return Identity(token.user.id, token.project.id, role)
