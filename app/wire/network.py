"""What is special about requests to the network API, settled outside of its routes.

It stands at two places: `/v2.0`, and beneath `/networking`, a root of its own, where
clients that look for versions find no other API. The routes know the first alone. It
speaks JSON alone, whatever `Accept` says, and has a shape of its own for refusals.

Source: CONTRACT 3; api-ref/source/v2 of neutron-lib; neutron_lib/api/faults.py.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.wire.accept import JSON
from app.wire.answer import Answer
from app.wire.compute import as_json
from app.wire.compute_body import json_or
from app.wire.negotiation import report
from app.wire.request_body import header_fields, prepare
from app.wire.xml_codec import Codec

PREFIX = "/v2.0"
"""Where the routes are."""

ROOT = "/networking"
"""The root that is this API's alone."""

MOUNT = "network_mount"
"""In the state of a request: what stands in front of the prefix, as it came."""

TYPES = {
    400: "HTTPBadRequest",
    401: "HTTPUnauthorized",
    403: "HTTPForbidden",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "HTTPConflict",
    412: "HTTPPreconditionFailed",
    413: "HTTPRequestEntityTooLarge",
    415: "HTTPUnsupportedMediaType",
    422: "HTTPUnprocessableEntity",
    429: "HTTPTooManyRequests",
    503: "HTTPServiceUnavailable",
}
OTHER_TYPE = "HTTPInternalServerError"
"""The types of refusals that have no name of their own."""


def refusal_body(
    status: int, sentence: str, kind: str | None = None
) -> dict[str, dict[str, object]]:
    """Return the body of a refusal as Neutron has it."""
    type = kind or TYPES.get(status, OTHER_TYPE)
    return {"NeutronError": {"type": type, "message": sentence, "detail": ""}}


def is_here(path: str) -> bool:
    """Tell whether a path is one of the network API's."""
    return any(
        path == place or path.startswith(f"{place}/") for place in (PREFIX, ROOT)
    )


class NetworkRequests:
    """Brings the network API's requests to their routes, and leaves all others."""

    def __init__(self, app: ASGIApp, codec: Codec) -> None:
        self.app = app
        self._codec = codec

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        root: str = scope.get("root_path", "")
        if scope["type"] != "http" or not is_here(scope["path"].removeprefix(root)):
            await self.app(scope, receive, send)
            return
        fields = header_fields(scope)
        inner = _placed(scope, root)
        answer = Answer(scope, send, JSON, self._codec, refusal_body)
        try:
            async with answer:
                inner, receive = await prepare(
                    inner, receive, fields, json_or(form=False), answer.refuse_later
                )
                await self.app(inner, receive, answer)
        finally:
            report(inner, scope)


def _placed(scope: Scope, root: str) -> Scope:
    """Return the scope for the route that is meant, if there is one."""
    changes: dict[str, object] = {}
    if scope["method"] == "HEAD":
        changes["method"] = "GET"
    if scope["method"] in ("POST", "PUT"):
        changes["headers"] = as_json(scope["headers"])
    path = scope["path"].removeprefix(root)
    mount = ROOT if path.startswith(f"{ROOT}{PREFIX}") else ""
    scope["state"][MOUNT] = root + mount
    changes["path"] = root + path.removeprefix(mount)
    return {**scope, **changes}
