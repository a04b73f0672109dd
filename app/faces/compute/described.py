"""What OpenAPI says of the compute face alone: its refusals, and its microversions."""

from typing import Any

from app.faces import described
from app.faces.compute.http import FLOATING_IP, SERVER
from app.faces.described import Declared
from app.faults import fault_body
from app.wire.compute import PREFIX
from app.wire.microversions import HEADER, LEGACY_HEADER

SENTENCES = {
    400: "address '': must be one IPv4 or IPv6 address, "
    "without prefix, scope or IPv4 mapping.",
    404: f"Floating IP '{FLOATING_IP}' was not found.",
    406: "Version 2.36 is not supported by the API. "
    "Minimum is 2.1 and maximum is 2.35.",
    409: f"Floating IP '203.0.113.7' is not associated with server '{SERVER}'.",
    415: "Content-Type 'text/csv' cannot be read; send application/json.",
}
"""What a refusal says here and not elsewhere."""

OUT_OF_RANGE = "The microversion is none that this service has."

EVERYWHERE = (400, 406)
"""A microversion can be malformed, and out of range."""


def refusals(*statuses: int) -> Declared:
    """Declare an operation's refusals, those of its microversion among them."""
    declared = described.refusals(*statuses, *EVERYWHERE)
    declared[406]["description"] = OUT_OF_RANGE
    for status, sentence in SENTENCES.items():
        if status in declared:
            example = fault_body(status, sentence)
            declared[status]["content"] = {"application/json": {"example": example}}
    return declared


def changes(*statuses: int) -> Declared:
    """Declare the refusals of a change, those of its Idempotency-Key among them."""
    return refusals(*statuses, 409, 422)


PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The microversion, 2.1 to 2.35 or `latest`; 2.1 if there is none. "
    f"The older header `{LEGACY_HEADER}: 2.1` will do as well.",
    "schema": {"type": "string", "examples": ["compute 2.1"]},
}
ANSWERED = {
    "description": "The microversion of the answer.",
    "schema": {"type": "string"},
}
HEADERS = {
    HEADER: ANSWERED | {"example": "compute 2.1"},
    LEGACY_HEADER: ANSWERED | {"example": "2.1"},
}


def add_microversions(document: dict[str, Any]) -> None:
    """Tell the headers of microversions of each operation that has them.

    Refusals have them as well; the document would be half as long again.
    """
    for path, item in document["paths"].items():
        if path.startswith(f"{PREFIX}/"):
            for operation in item.values():
                operation.setdefault("parameters", []).append(PARAMETER)
                for status, response in operation["responses"].items():
                    if status < "300":
                        own = response.get("headers", {})
                        response["headers"] = {**own, **HEADERS}
