"""What OpenAPI says of the API and of its answers: headers, and the refusals."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, Field, create_model

from app.faces.next_steps import Links
from app.faults import FAULT_NAMES, OTHER_FAULT, fault_body, fault_name

Declared: TypeAlias = dict[int | str, dict[str, Any]]
"""Responses of an operation, as FastAPI's `responses` takes them."""

FOR_ANYBODY: dict[str, Any] = {"security": []}
"""Of operations that need no identity."""

LICENSE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
SERVERS = [{"url": "/", "description": "The service that sent this document."}]
TAGS = [
    {
        "name": "floating-ips",
        "description": "The public addresses that a project holds.",
    },
    {"name": "pools", "description": "Where public addresses come from."},
    {
        "name": "servers",
        "description": "The servers of a project: registered here, and run elsewhere.",
    },
    {"name": "history", "description": "Who held which address, and when."},
    {"name": "quotas", "description": "How many floating IPs a project may hold."},
    {
        "name": "compute",
        "description": "Floating IPs as OpenStack Compute has them, for its clients: "
        "JSON alone, ids that are UUIDs, microversions 2.1 to 2.35. The same is under "
        "`/v2.1/{project_id}`, and without microversions under `/v2/{project_id}`.",
    },
    {
        "name": "network",
        "description": "Floating IPs as OpenStack Networking has them, for its "
        "clients: JSON alone, ids that are UUIDs, pools as external networks. The same "
        "is under `/networking/v2.0`.",
    },
    {"name": "versions", "description": "Where the versions of the API are."},
    {"name": "health", "description": "For load balancers; nobody is asked who."},
]
"""As Swagger UI shows them; generated clients name their modules after them."""

ETAG = {
    "ETag": {
        "description": "The revision of the floating IP, its own for each media type.",
        "schema": {"type": "string"},
        "example": '"3"',
    }
}
ONCE = {
    "Idempotency-Replayed": {
        "description": "Where this is the answer to an earlier request with the same "
        "Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    }
}
"""A header of every success of a change."""

NEXT_PAGE = {
    "Link": {
        "description": 'The next page, `rel="next"`; not there on the last one.',
        "schema": {"type": "string"},
        "example": '</os-floating-ips?limit=100&marker=100>; rel="next"',
    }
}
RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds to wait before sending the same request again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    }
}
HEADERS: dict[int, dict[str, Any]] = {
    401: {
        "WWW-Authenticate": {
            "description": "Where tokens come from, if they come from Keystone.",
            "schema": {"type": "string"},
            "example": 'Keystone uri="https://keystone.example.net/v3"',
        }
    },
    409: {
        "Retry-After": {
            "description": "Seconds to wait, if the first request with the same "
            "Idempotency-Key is under way.",
            "schema": {"type": "integer", "minimum": 0},
            "example": 1,
        }
    },
    415: {
        "Accept": {
            "description": "The media types that a body may have, if its own was why.",
            "schema": {"type": "string"},
            "example": "application/json, application/xml",
        },
        "Accept-Encoding": {
            "description": "The codings that a body may have, if its own was why.",
            "schema": {"type": "string"},
            "example": "identity",
        },
    },
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}


def success(
    description: str,
    links: Links | None = None,
    *,
    status: int = 200,
    headers: dict[str, Any] | None = None,
) -> Declared:
    """Declare what an operation answers if all is well, and where that leads to."""
    more = {"headers": headers, "links": links}
    given = {name: value for name, value in more.items() if value}
    return {status: {"description": description, **given}}


class Fault(BaseModel):
    """Why the request was refused."""

    code: Annotated[
        int,
        Field(
            description="The HTTP status.",
            examples=[404],
            json_schema_extra={"xml": {"attribute": True}},
        ),
    ]
    message: Annotated[
        str,
        Field(
            description="A sentence with the value that was wrong and the rule.",
            examples=["Floating IP '99' was not found."],
        ),
    ]


def _fault_model(name: str) -> type[BaseModel]:
    member = Annotated[Fault, Field(description="The refusal.")]
    fields: dict[str, Any] = {name: (member, ...)}
    title = f"{name[0].upper()}{name[1:].removesuffix('Fault')}Fault"
    return create_model(title, __doc__=f"A fault of the kind {name}.", **fields)


FAULT_MODELS = {
    name: _fault_model(name)
    for name in (*dict.fromkeys(FAULT_NAMES.values()), OTHER_FAULT)
}

STATUS_TEXTS = {
    400: "The request says something no state of the service could make right.",
    401: "Nothing in the request proves who is asking.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    406: "No media type of the Accept header can be sent.",
    409: "The present state of the ledger stands in the way.",
    412: "The floating IP is no longer as If-Match says; nothing was changed.",
    413: "The body is longer than 64 KiB.",
    415: "The body's media type, charset or coding cannot be read.",
    422: "The Idempotency-Key stood on another request before.",
    429: "The project asks for more than its part of the service.",
    503: "Not now: the same request may be sent again, see Retry-After.",
}
SENTENCES = {
    400: "The element 'fixedip' is not expected in 'associate_address'.",
    401: "X-Auth-Token: send user:project, or X-Project-Id without a token.",
    403: "This operation requires the role 'member'.",
    404: "Floating IP '99' was not found.",
    406: "This service sends application/json, application/xml; "
    "the Accept header excludes them all.",
    409: "fixed_ip '10.0.0.3': has another floating IP.",
    412: "If-Match: the revision of the floating IP is 4.",
    413: "The body is longer than 65536 bytes.",
    415: "Content-Type 'text/csv' cannot be read; "
    "send application/json or application/xml.",
    422: "Idempotency-Key 'tuesday': another request was sent with it before.",
    429: "The project has 1024 requests under way already.",
    500: "The server failed; the failure is logged.",
    503: "Other requests hold what this one needs; try again.",
}
"""What a refusal of each status may say."""


def refusal(status: int) -> dict[str, Any]:
    """Declare one refusal, with its headers and an example."""
    example = fault_body(status, SENTENCES[status])
    description = STATUS_TEXTS.get(status, "Any other fault.")
    return success(description, status=status, headers=HEADERS.get(status))[status] | {
        "model": FAULT_MODELS[fault_name(status)],
        "content": {"application/json": {"example": example}},
    }


def refusals(*statuses: int) -> Declared:
    """Declare an operation's refusals, each as an OpenStack fault."""
    declared: Declared = {
        status: refusal(status) for status in sorted({*statuses, 401, 429, 503})
    }
    declared["default"] = refusal(500)
    return declared
