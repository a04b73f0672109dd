"""The application, put together once; outermost last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from app import auth, observability, pacing, sweeper
from app.database import LedgerDatabase
from app.faces import (
    compute,
    discovery,
    docs,
    draft,
    health,
    metrics,
    network,
    operator,
    refusals,
    schemas,
)
from app.faces.admission import Admission
from app.faces.directory import Directory
from app.faces.together import Together
from app.settings import Settings
from app.wire.compute import ComputeRequests
from app.wire.negotiation import ContentNegotiation
from app.wire.network import NetworkRequests
from app.wire.security_headers import SecurityHeaders
from app.wire.xml_codec import Codec

BODY_LIMIT = 65_536
"""Bytes; the longest body that any operation takes."""

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own, which looks at the environment at every request."""

REQUESTS = draft.REQUESTS + operator.REQUESTS
ANSWERS = draft.ANSWERS + operator.ANSWERS
CODEC = Codec(REQUESTS, ANSWERS)
"""Every root element that may come in and go out."""

MOUNT = f"/v1.1/{{{auth.MOUNTED_PROJECT}}}"


def create_api(settings: Settings, database: LedgerDatabase) -> FastAPI:
    """Put the routes together, without what stands around them."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            database,
            sweeper.sweeping_beside(database, settings),
            auth.closing(api.state.authenticate),
        ):
            yield

    api = FastAPI(
        title="Floating IPs",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=BODY_LIMIT,
        telemetry=NO_TELEMETRY,
        generate_unique_id_function=lambda route: route.name,
    )
    api.state.database = database
    api.state.settings = settings
    api.state.authenticate = auth.authenticator(settings)
    api.state.turns = pacing.Turns(settings.project_concurrency)
    api.state.pace = pacing.Pace(settings.allocation_rate)
    api.state.watch = metrics.Watch(database, api.version)
    api.state.together = Together(database, settings.default_quota)
    refusals.install(api)
    # In front of the draft's, whose routes they then need not pass.
    api.include_router(compute.router)
    api.include_router(network.router)
    for face in (draft.router, operator.router):
        api.include_router(face)
        api.include_router(face, prefix=MOUNT, include_in_schema=False)
    api.include_router(discovery.router)
    api.include_router(health.router)
    api.include_router(metrics.router)
    docs.install(
        api,
        CODEC,
        REQUESTS
        + ANSWERS
        + compute.ENVELOPES
        + network.ENVELOPES
        + discovery.ENVELOPES,
    )
    schemas.install(api, REQUESTS, ANSWERS)
    api.router.routes.insert(0, Directory(api.routes))
    return api


def wrap(api: FastAPI) -> ASGIApp:
    """Put around the routes what settles bytes, headers, the log and who is let in."""
    negotiated = ContentNegotiation(api, CODEC)
    settled = ComputeRequests(negotiated, CODEC, compute.RESOURCES)
    settled_too = NetworkRequests(settled, CODEC)
    logged = observability.RequestLog(SecurityHeaders(settled_too))
    settings: Settings = api.state.settings
    return Admission(logged, CODEC, api.state.turns, settings.concurrency)


def create_app(
    settings: Settings | None = None, database: LedgerDatabase | None = None
) -> ASGIApp:
    """Build the application: `uvicorn --factory app.main:create_app`.

    Raises ValueError if nobody has said how callers are known.
    """
    settings = settings or Settings()
    if settings.auth is None:
        raise ValueError("FLOATING_IPS_AUTH is not set: nothing is open by accident")
    database = database or LedgerDatabase(settings)
    observability.configure_logging(settings.log_level)
    return wrap(create_api(settings, database))
