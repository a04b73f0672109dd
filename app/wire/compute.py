"""What is special about requests to the compute API, settled outside of its routes.

Nova's API stands at three places; the routes know the first alone, and their list stays
short. What is the same for each of them stands here: the project in the path, the
microversion on every answer, and JSON alone, whatever `Accept` says.

Source: CONTRACT 1.2 and 4.
"""

from collections.abc import Collection
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth import MOUNTED_PROJECT
from app.wire import microversions
from app.wire.accept import JSON
from app.wire.answer import Answer, Headers
from app.wire.compute_body import json_or
from app.wire.negotiation import report
from app.wire.request_body import Fields, header_fields, prepare
from app.wire.xml_codec import Codec

PREFIX = "/v2.1"
"""Where the routes are."""

LEGACY_PREFIX = "/v2"
"""The same without microversions."""

DISCOVERY = frozenset({"/", "/v1.1", "/v1.1/"})
"""Version documents that stand elsewhere, for the same clients."""

MOUNT = "compute_mount"
"""In the state of a request: the path above its resource, as the client wrote it."""

FORMS = frozenset({("POST", f"{PREFIX}/os-floating-ips")})
"""The operations that take a form as well."""


class Place(NamedTuple):
    """Where a resource stands: at `/v2.1/demo`, of the project `demo`, `/servers/1`."""

    mount: str
    project_id: str | None
    resource: str


class ComputeRequests:
    """Brings requests of the compute API to their routes, and all others as they are.

    `resources` are the first segments of the routes, behind the prefix. A segment in
    front of one of them is a project; so no project here is called like one of them.
    """

    def __init__(self, app: ASGIApp, codec: Codec, resources: Collection[str]) -> None:
        self.app = app
        self._codec = codec
        self._resources = frozenset(resources)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        prefix = _prefix(scope) if scope["type"] == "http" else None
        if prefix is None:
            await self.app(scope, receive, send)
            return
        fields = header_fields(scope)
        inner = self._placed(scope, prefix)
        versioned = _Versioned(send) if prefix == PREFIX else None
        answer = Answer(scope, versioned or send, JSON, self._codec)
        try:
            async with answer:
                if versioned:
                    versioned.settle(fields)
                settle_body = json_or(form=(inner["method"], inner["path"]) in FORMS)
                inner, receive = await prepare(
                    inner, receive, fields, settle_body, answer.refuse_later
                )
                await self.app(inner, receive, answer)
        finally:
            report(inner, scope)

    def _placed(self, scope: Scope, prefix: str) -> Scope:
        """Return the scope for the route that is meant, if there is one."""
        changes: dict[str, object] = {}
        if scope["method"] == "HEAD":
            changes["method"] = "GET"
        if scope["method"] in ("POST", "PUT"):
            changes["headers"] = as_json(scope["headers"])
        root: str = scope.get("root_path", "")
        place = self._find(prefix, scope["path"].removeprefix(root))
        if place is not None:
            scope["state"][MOUNT] = root + place.mount
            changes["path"] = f"{root}{PREFIX}{place.resource}"
            if place.project_id is not None:
                changes["path_params"] = {MOUNTED_PROJECT: place.project_id}
        return {**scope, **changes}

    def _find(self, prefix: str, path: str) -> Place | None:
        below = path.removeprefix(prefix)
        first, _, rest = below[1:].partition("/")
        if first in self._resources:
            return Place(prefix, None, below)
        if rest.partition("/")[0] in self._resources:
            return Place(f"{prefix}/{first}", first, f"/{rest}")
        return None


def as_json(headers: Headers) -> Headers:
    """Return the headers of a body in JSON, whatever its client calls it."""
    kept = [pair for pair in headers if pair[0] != b"content-type"]
    return [*kept, (b"content-type", JSON.content_type)]


class _Versioned:
    """A `send` that tells the microversion on every answer, a refusal included."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._headers = microversions.echo(microversions.OLDEST)

    def settle(self, fields: Fields) -> None:
        """Take the version that the request asks for.

        Raises InvalidValue, NotAcceptable; the refusal then has the oldest version.
        """
        self._headers = microversions.echo(microversions.choose(fields))

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            # `Accept` decides nothing here.
            kept = [pair for pair in message["headers"] if pair[0] != b"vary"]
            message["headers"] = [*kept, *self._headers]
        await self._send(message)


def _prefix(scope: Scope) -> str | None:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    for prefix in (PREFIX, LEGACY_PREFIX):
        if path == prefix or path.startswith(f"{prefix}/"):
            return prefix
    return "" if path in DISCOVERY else None
