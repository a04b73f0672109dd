"""The bodies that clients of the compute API send: JSON, however they call it.

Source: CONTRACT 0.2 and 4.
"""

from urllib.parse import parse_qsl

from pydantic_core import to_json

from app.errors import MalformedBody, UnsupportedType, quote
from app.wire.accept import JSON, VENDOR_JSON, parse_content_type
from app.wire.request_body import Fields, Settle, ToJSON, refuse_codings

FORM = "application/x-www-form-urlencoded"
AS_JSON = frozenset({"text/plain", JSON.media_type, VENDOR_JSON.media_type})
"""What a body in JSON may be called; it may also have no Content-Type at all."""

MOST_FIELDS = 64
"""Fields of a form; there is one that means anything."""


def json_or(*, form: bool) -> Settle:
    """Return what settles that a body is JSON, or may be a form as well.

    A form is what python-openstackclient 7 to 9 send to allocate a floating IP.
    """

    def settle(fields: Fields) -> ToJSON | None:
        refuse_codings(fields)
        values = fields.get(b"content-type", [b""])
        text = values[0].decode("latin-1").strip()
        media_type = parse_content_type(text)
        name = media_type.name if media_type and len(values) == 1 else None
        if not text or name in AS_JSON:
            return None
        if form and name == FORM:
            return form_as_json
        raise UnsupportedType(
            f"Content-Type {quote(text)} cannot be read; send application/json.",
            {"Accept": JSON.media_type},
        )

    return settle


def form_as_json(body: bytes) -> bytes:
    """Make an object of the fields of a form; of a field sent twice, the last.

    Raises MalformedBody.
    """
    try:
        fields = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise MalformedBody("The body cannot be read as a form.") from None
    return to_json(dict(fields))
