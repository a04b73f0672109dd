"""What schemathesis has to be told of this API: its XML, and what it may refuse.

Every exemption from a check stands here, with its reason.
"""

import re
from typing import Any, NamedTuple
from uuid import uuid4

import schemathesis  # type: ignore[import-not-found]  # It has a venv of its own.
from hypothesis import strategies as st
from jsonschema_rs import validator_for  # type: ignore[import-not-found]
from schemathesis.core.failures import Failure  # type: ignore[import-not-found]
from schemathesis.specs.openapi import (  # type: ignore[import-not-found]
    checks as builtin,
)
from schemathesis.transport.serialization import (  # type: ignore[import-not-found]
    serialize_xml_with_schema,
)

from tests.fuzz.xml_by_hints import JSON, NotAsDocumented, Schema, decode, present

XML = "application/xml"

KEY = "Idempotency-Key"
IS_KEY = re.compile(r"[!-~]{1,255}").fullmatch


class Explained(NamedTuple):
    """A refusal of what the schema allows, because it cannot say the rule."""

    sentence: re.Pattern[str]
    reason: str


REFUSED_BY_RULE = (
    Explained(
        re.compile(r"marker .*: must be the id of a member of this list"),
        "Which markers there are depends on the ledger; an unknown one is 400.",
    ),
    Explained(
        re.compile(r"ip_range .*: must be one address, or a network such as"),
        "No format of JSON Schema means an address or a network without host bits.",
    ),
    Explained(
        re.compile(r"ip_range .*: must not have more than 65536 addresses"),
        "A schema cannot count the hosts of a network.",
    ),
    Explained(
        re.compile(r"must be one IPv4 or IPv6 address|IPv4 mapping|scope"),
        "The format of addresses allows scopes and mapped forms; the ledger does not.",
    ),
    Explained(
        re.compile(r"fixed_ips.*: must name each address once"),
        "Two spellings of one IPv6 address are different strings to a schema.",
    ),
    Explained(
        re.compile(
            r"(name|reason|description|tags?[.0-9]*) .* 255 printable characters"
        ),
        "ECMA and Python write the class of printable characters differently.",
    ),
    Explained(
        re.compile(r"must be printable text|must not contain U\+0000"),
        "Likewise, of what the compute face keeps.",
    ),
    Explained(
        re.compile(r"'': string should have at least 1 character"),
        "schemathesis drops what XML cannot carry, and may so leave nothing.",
    ),
    Explained(
        re.compile(r"at: send it without|must be later than from|must come with ip"),
        "No schema says how parameters go together.",
    ),
    Explained(
        re.compile(r"send pool or allocate_address, not both"),
        "Generators of clients make nothing usable of a oneOf for it.",
    ),
    Explained(
        re.compile(r"'-?[0-9]+\.0': must be a whole number"),
        "To JSON Schema 1.0 is an integer; here it is a number with a fraction.",
    ),
    Explained(
        re.compile(r"should be less than or equal to 9223372036854775807"),
        "To a double, the highest id and its neighbours are one number.",
    ),
    Explained(
        re.compile(r"until .*: must be (in the future|a time as RFC 3339)"),
        "A schema knows no present, and formats of times allow a second of 60.",
    ),
    Explained(
        re.compile(r"must not be null|'null'"),
        "In XML the text null is no value, so nothing can be named like that.",
    ),
    Explained(
        re.compile(r"fixed_ip .*: must be an IPv[46] address, as the floating IP"),
        "Whether families differ depends on the floating IP.",
    ),
    Explained(
        re.compile(r"If-Match: the revision of the floating IP is"),
        "Which revision there is depends on the ledger; another one is 412.",
    ),
    Explained(
        re.compile(r"If-Match '0': must be \*"),
        "schemathesis takes 0 for a value of a header, whatever the header's pattern.",
    ),
)

ALLOCATE = "POST /os-floating-ips"
LIKE_AN_ID = {"/os-floating-ips/batch", "/v2.1/servers/detail"}
NO_SUCH_FIXED_IP = re.compile(r"fixed_ip .*: no server of yours has it")


def schema_valid_is_accepted(ctx: Any, response: Any, case: Any) -> Any:
    """positive_data_acceptance, but for what is explained above."""
    try:
        return builtin.positive_data_acceptance(ctx, response, case)
    except Failure:
        if response.status_code in (400, 412) and any(
            each.sentence.search(response.text) for each in REFUSED_BY_RULE
        ):
            return None
        raise


def schema_invalid_is_refused(ctx: Any, response: Any, case: Any) -> Any:
    """negative_data_rejection, but for values that are valid as they were sent.

    In XML all is text, so that "null" or "1" in place of a string is a string. Whoever
    sends `null` for the body of an allocation sends none, which generators of clients
    would not grasp from a schema. In a query all is text as well: no tag is a number.
    """
    try:
        return builtin.negative_data_rejection(ctx, response, case)
    except Failure as failure:
        if "parameter `tag` in query" in str(failure):
            return None
        if case.media_type == XML and _is_valid_as_sent(response, case):
            return None
        if case.operation.label == ALLOCATE and response.request.body == b"null":
            return None
        raise


def what_was_made_is_there(ctx: Any, response: Any, case: Any) -> Any:
    """ensure_resource_availability, but for a 404 that is about something else.

    That is the fixed IP in the body, or a server registered for another project.
    """
    try:
        return builtin.ensure_resource_availability(ctx, response, case)
    except Failure:
        made_by = ctx.internals.find_parent(case_id=case.id)
        if NO_SUCH_FIXED_IP.search(response.text) or "project_id" in str(made_by.body):
            return None
        raise


def other_methods_are_refused(ctx: Any, response: Any, case: Any) -> Any:
    """unsupported_method, but for a path that has the form of another one as well.

    Its last segment is the id of nothing: 404, or 400 for a body that such a one has
    not.
    """
    try:
        return builtin.unsupported_method(ctx, response, case)
    except Failure:
        if response.status_code in (400, 404) and case.operation.path in LIKE_AN_ID:
            return None
        raise


def allow_tells_what_is_declared(ctx: Any, response: Any, case: Any) -> Any:
    """allow_header_conformance, but for the same paths, which allow what both do."""
    if case.operation.path in LIKE_AN_ID:
        return None
    return builtin.allow_header_conformance(ctx, response, case)


def _is_valid_as_sent(response: Any, case: Any) -> bool:
    document = case.operation.schema.raw_schema
    operation = document["paths"][case.operation.path][case.operation.method.lower()]
    schema = operation["requestBody"]["content"][XML]["schema"]
    try:
        value = decode(response.request.body, schema, document)
    except NotAsDocumented:
        return False
    return bool(_validator(schema, document).is_valid(value))


def _validator(schema: Schema, document: Schema) -> Any:
    return validator_for({**schema, "components": document.get("components", {})})


def read_xml(ctx: Any, response: Any) -> JSON:
    """Read an answer by the hints of the document, for its check against the schema."""
    document = ctx.operation.schema.raw_schema
    operation = document["paths"][ctx.operation.path][ctx.operation.method.lower()]
    answers = operation["responses"]
    answer = answers.get(str(response.status_code), answers.get("default"))
    if "$ref" in answer:
        answer = present(answer, document)[0]
    return decode(response.content, answer["content"][XML]["schema"], document)


def write_xml(ctx: Any, value: Any) -> bytes:
    """Write a body as schemathesis does, once it is clear which schema is meant.

    It looks for hints at the top alone, not below the anyOf of what may be null, nor
    below the oneOf of several roots. An example is XML already.
    """
    if isinstance(value, str) and value.startswith("<?xml"):
        return value.encode()
    body = ctx.case.operation.get_body_for_media_type(XML)
    schema = _chosen(_without_null(body.optimized_schema), value)
    written: bytes = serialize_xml_with_schema(value, schema, None)["data"]
    return written


def _without_null(schema: Any) -> Any:
    """Replace each choice between a value and null by the value."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _without_null(each) for name, each in schema.items()}
    options = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(options) != 1 or not isinstance(options[0], dict):
        return schema
    return {**{k: v for k, v in schema.items() if k != "anyOf"}, **options[0]}


def _chosen(schema: Schema, value: JSON) -> Schema:
    """Return the root that is meant: objects and texts have different ones here."""
    beside = {name: each for name, each in schema.items() if name != "oneOf"}
    options = schema.get("oneOf", ())
    for option in options:
        if (option.get("type") == "string") != isinstance(value, dict):
            return {**beside, **option}
    return schema


@schemathesis.hook  # type: ignore[untyped-decorator]  # It lives in another venv.
def before_call(_ctx: Any, case: Any, _kwargs: Any) -> None:
    """Make each key new: one that was sent before would tell of nothing but itself."""
    key = case.headers.get(KEY) if case.headers else None
    if key is not None and IS_KEY(key):
        case.headers[KEY] = f"{uuid4()}{key}"[:255]


schemathesis.openapi.format("ip", st.ip_addresses().map(str))
schemathesis.deserializer(XML)(read_xml)
schemathesis.serializer(XML)(write_xml)
for each in (
    schema_valid_is_accepted,
    schema_invalid_is_refused,
    what_was_made_is_there,
    other_methods_are_refused,
    allow_tells_what_is_declared,
):
    schemathesis.check(each)
