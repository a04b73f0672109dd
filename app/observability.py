"""The request id and the one log line of every request."""

import logging
import sys
import time
import uuid

import structlog
from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics

REQUEST_ID_HEADERS = (b"x-openstack-request-id", b"x-compute-request-id")

HEALTH = ("/livez", "/readyz", "/metrics")
"""What is asked several times a second, and at any load."""

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

NO_ROUTE = "none"
"""Where a path or its method led nowhere."""

Event = dict[str, object]


QUIET = ("alembic", "databases", "httpcore", "httpx")
"""Libraries that tell what nobody asked; httpcore tells tokens."""


def configure_logging(level: str) -> None:
    """Write one JSON object a line to standard error, from this level up.

    What libraries log through the standard library comes in the same form.
    """
    said_of_all: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer(serializer=_serialize)
    structlog.configure(
        processors=[*said_of_all, as_json],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=said_of_all,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                as_json,
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _serialize(event: Event, **_: object) -> str:
    return to_json(event, fallback=str).decode()


log = structlog.get_logger()


class RequestLog:
    """Gives every request an id, and writes one line when it has been answered.

    Stands outermost, so that the id is on every answer and the line tells what was
    really sent. The id comes from here: a caller's own would let it forge history.
    Counts and times the request as well. Project, face and route are those that were
    found inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._requests = metrics.Requests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"req-{uuid.uuid4()}"
        scope.setdefault("state", {})["request_id"] = request_id
        id_headers = [(name, request_id.encode()) for name in REQUEST_ID_HEADERS]
        status = 0
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *id_headers]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - began
            method, route = scope["method"], scope.get("template", NO_ROUTE)
            face = scope.get("face", NO_ROUTE)
            if route is NO_ROUTE and method not in METHODS:
                method = NO_ROUTE
            self._requests.note(face, method, route, status, seconds)
            is_health = scope["path"] in HEALTH and status < 400
            say = log.debug if is_health else log.info
            say(
                "request",
                request_id=request_id,
                project_id=scope["state"].get("project_id"),
                method=scope["method"],
                path=scope["path"][:256],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )
