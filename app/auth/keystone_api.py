"""The two requests of the Identity API v3 that are sent: what is this token; log in.

Source: OpenStack Identity API v3, "Validate and show information for token" and
"Password authentication with scoped authorization".
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import structlog
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from app import metrics
from app.auth.circuit import Circuit, KeystoneUnavailable
from app.auth.flights import Flights
from app.auth.identity import PROJECT_ID_SCHEMA, Clock
from app.settings import Settings

CONNECTIONS = 16
"""To ask about tokens, of each worker; whoever finds none free waits, within bounds."""

RENEWED_AT = 0.8
"""The share of its lifetime after which the service's own token is renewed."""

RENEWED_APART = 1.0
"""Seconds between two renewals: callers must not make us log in all the time."""

CONNECTION_WAS_CLOSED = (
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
)
"""What a connection looks like that Keystone closed just as it was used again."""

PATH = "/auth/tokens"
WITHOUT_CATALOG = {"nocatalog": ""}

log = structlog.get_logger()


class Reference(BaseModel):
    """A user or a project."""

    id: Annotated[str, Field(pattern=PROJECT_ID_SCHEMA["pattern"], max_length=255)]


class RoleName(BaseModel):
    """A role; its name is what policies know."""

    name: str


class Token(BaseModel):
    """What Keystone says of a token; those scoped elsewhere have no project."""

    user: Reference
    project: Reference | None = None
    roles: list[RoleName] = []
    issued_at: AwareDatetime
    expires_at: AwareDatetime


class _Envelope(BaseModel):
    token: Token


@dataclass(frozen=True, slots=True)
class _Own:
    """The service's own token."""

    value: str
    since: float
    renewed_at: float


class KeystoneAPI:
    """One Keystone, asked by a service user; every wait is bounded.

    Can be made before there is an event loop. Names no token in what it logs.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._timeout = settings.keystone_timeout / 1000
        self._http = httpx.AsyncClient(
            base_url=settings.keystone_url or "",
            params=WITHOUT_CATALOG,
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=CONNECTIONS + 1),  # To log in.
            # The certificates that the system trusts, or SSL_CERT_FILE; no proxy.
            verify=ssl.create_default_context(),
            trust_env=False,
        )
        self._credentials = _credentials(settings)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._circuit = Circuit(clock)
        self._own: _Own | None = None
        self._logins: Flights[None, _Own] = Flights()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._logins.aclose()
        await self._http.aclose()

    async def show(self, token: str) -> Token | None:
        """Return what a token is; None if it is not valid, or no longer.

        Raises KeystoneUnavailable.
        """
        async with self._slot():
            own = await self._own_token()
            answer = await self._show(token, own)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                # Keystone says so of our own token, and of some it is asked about.
                answer = await self._show(token, await self._own_token(own))
        return _token(answer) if answer.status_code == httpx.codes.OK else None

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise KeystoneUnavailable from None
        try:
            yield
        finally:
            self._slots.release()

    async def _show(self, token: str, own: _Own) -> httpx.Response:
        headers = {"X-Auth-Token": own.value, "X-Subject-Token": token}
        request = self._http.build_request("GET", PATH, headers=headers)
        return await self._send(request, expected=(200, 401, 404))

    async def _own_token(self, refused: _Own | None = None) -> _Own:
        """Return the service's token: a new one if it was refused, or will expire."""
        own, now = self._own, self._clock()
        if own is not None and own is refused and now < own.since + RENEWED_APART:
            raise KeystoneUnavailable
        if own is not None and own is not refused and now < own.renewed_at:
            return own
        return await self._logins.join(None, self._log_in)

    async def _log_in(self) -> _Own:
        since = self._clock()
        request = self._http.build_request("POST", PATH, json=self._credentials)
        answer = await self._send(request, expected=(201,))
        token = _token(answer)
        lifetime = (token.expires_at - token.issued_at).total_seconds()
        value = answer.headers.get("X-Subject-Token", "")
        self._own = _Own(value, since, since + RENEWED_AT * lifetime)
        return self._own

    async def _send(
        self, request: httpx.Request, expected: tuple[int, ...]
    ) -> httpx.Response:
        self._circuit.enter()
        try:
            with metrics.keystone_timed():
                async with asyncio.timeout(self._timeout):
                    answer = await self._sent(request)
        except (httpx.HTTPError, TimeoutError) as error:
            self._circuit.failed(type(error).__name__)
            raise KeystoneUnavailable from error
        if answer.status_code not in expected:
            self._circuit.failed(f"{request.method} was answered {answer.status_code}")
            raise KeystoneUnavailable
        self._circuit.succeeded()
        return answer

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request)
        except CONNECTION_WAS_CLOSED:
            return await self._http.send(request)


def _credentials(settings: Settings) -> dict[str, Any]:
    """Return the body of a log-in."""
    password = settings.keystone_password
    user = {
        "name": settings.keystone_username,
        "domain": {"name": settings.keystone_user_domain_name},
        "password": password.get_secret_value() if password else "",
    }
    project = {
        "name": settings.keystone_project_name,
        "domain": {"name": settings.keystone_project_domain_name},
    }
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": project}}}


def _token(answer: httpx.Response) -> Token:
    """Read an answer of whatever calls itself Keystone.

    Raises KeystoneUnavailable.
    """
    try:
        return _Envelope.model_validate_json(answer.content).token
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        log.warning("keystone is not understood", problem=problems[0]["msg"])
        raise KeystoneUnavailable from None
