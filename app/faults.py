"""How a refusal looks on the wire: OpenStack's fault.

In JSON `{name: {"code": status, "message": sentence}}`, in XML
`<name code="status"><message>`.

Source: OpenStack Compute API 2, faults; CONTRACT 1.10.
"""

from collections.abc import Mapping

FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
OTHER_FAULT = "computeFault"
"""The fault of every status that has no name of its own: 406, 412, 422, 500."""


def fault_name(status: int) -> str:
    """Return the name of the fault element for an HTTP status."""
    return FAULT_NAMES.get(status, OTHER_FAULT)


def fault_body(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> dict[str, dict[str, object]]:
    """Return the body of any refusal, as JSON has it."""
    body: dict[str, object] = {"code": status, "message": message}
    if status in (413, 429) and headers and "Retry-After" in headers:
        body["retryAfter"] = int(headers["Retry-After"])
    return {fault_name(status): body}
