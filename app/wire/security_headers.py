"""The headers that tell browsers to make nothing of an answer but what it is.

Nothing here is HTML but the page of `/docs`, which brings a policy of its own. Tokens
come in X-Auth-Token, and HTTP's rule that caches keep no answer to a request with
credentials knows Authorization alone: hence `no-store` (RFC 9111 section 3.5).
Strict-Transport-Security is left to whoever ends TLS in front of us.

Source: RFC 9110, RFC 9111; Fetch (nosniff, CORP); CSP level 3; the OWASP REST sheet.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""Sent wherever an answer does not say something else itself."""


class SecurityHeaders:
    """Adds the defaults to every answer of an application, its 500 included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_defaults(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                said = {name for name, _ in headers}
                missing = [pair for pair in DEFAULTS if pair[0] not in said]
                message["headers"] = [*headers, *missing]
            await send(message)

        await self.app(scope, receive, send_with_defaults)
