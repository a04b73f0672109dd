"""Turns XML requests into JSON and JSON answers into XML.

The codec only *types*: what is right is for pydantic to say, so that a request gets
the same refusal in both media types. Requests and answers are two registries, because
a root like `server` has another shape in each direction.

Source: DRAFT; NEGOTIATION 4 and 5; OpenStack Compute API 2, faults.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import TypeAlias

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from app.errors import MalformedBody, quote
from app.faults import FAULT_NAMES, OTHER_FAULT
from app.wire.xml_reader import NAMESPACE, Element, read
from app.wire.xml_shapes import JSON, Array, Object, Scalar, Shape, roots

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
FAULTS = frozenset(FAULT_NAMES.values()) | {OTHER_FAULT}
"""The roots that say why something was refused."""

NULL = "null"

_is_integer = re.compile(r"-?[0-9]+", re.ASCII).fullmatch
_is_number = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_needs_escape = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}

Write: TypeAlias = Callable[[JSON], str]


class Unwritable(Exception):
    """An answer is not what its schema says; a mistake of ours."""


class Codec:
    """Knows every root that may come and every root that may go out.

    Each member of an envelope model is a root. Raises NoShape for models that XML
    cannot carry, and for a root that would have two shapes in one direction.
    """

    def __init__(
        self,
        requests: Iterable[type[BaseModel]],
        answers: Iterable[type[BaseModel]],
    ) -> None:
        self.requests: Mapping[str, Shape] = roots(requests, "validation")
        self.answers: Mapping[str, Shape] = roots(answers, "serialization")
        self._writers = {
            **{root: _element(root, shape) for root, shape in self.answers.items()},
            **{root: _fault_writer(root) for root in FAULTS},
        }
        self._request_writers = {
            root: _element(root, shape) for root, shape in self.requests.items()
        }

    def decode(self, body: bytes, charset: str | None = None) -> bytes:
        """Return the JSON of a request in XML.

        Raises MalformedBody, TooLarge or UnsupportedType.
        """
        root = read(body, charset)
        shape = self.requests.get(root.name)
        if shape is None:
            raise MalformedBody(f"The element {quote(root.name)} is not expected.")
        return to_json({root.name: _typed(root, shape)})

    def encode(self, document: bytes) -> bytes:
        """Return the XML of an answer in JSON; raises Unwritable."""
        try:
            value = from_json(document)
        except ValueError as error:
            raise Unwritable("the answer is not JSON") from error
        return self.write(value)

    def write(self, document: JSON) -> bytes:
        """Return an answer as XML; raises Unwritable."""
        return _written(document, self._writers)

    def write_request(self, document: JSON) -> bytes:
        """Return a request as XML, for examples; raises Unwritable."""
        return _written(document, self._request_writers)


def escape(text: str) -> str:
    """Return the text as the content of an element.

    What XML cannot say becomes U+FFFD. A bare CR would be read as LF.
    Source: XML 1.0 sections 2.2 and 2.11.
    """
    if _needs_escape.search(text) is None:
        return text
    return _needs_escape.sub(lambda match: _ESCAPES.get(match[0], "\ufffd"), text)


def _typed(element: Element, shape: Shape) -> JSON:
    if shape.nullable and element.text == NULL:
        return None
    match shape:
        case Scalar(types):
            return _scalar(element, types)
        case Array(item_name, item):
            return _items(element, item_name, item)
        case Object(members):
            return _members(element, members)


def _scalar(element: Element, types: frozenset[str]) -> JSON:
    """Return the value of the text; text of another type stays text."""
    if element.children:
        raise _unexpected(element.children[0], element)
    text = element.text
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    if "integer" in types and _is_integer(text):
        return int(text)
    if "number" in types and _is_number(text) and isfinite(float(text)):
        return float(text)
    return text


def _items(element: Element, item_name: str, item: Shape) -> list[JSON]:
    _refuse_text(element)
    for child in element.children:
        if child.name != item_name:
            raise _unexpected(child, element)
    return [_typed(child, item) for child in element.children]


def _members(element: Element, members: Mapping[str, Shape]) -> dict[str, JSON]:
    _refuse_text(element)
    values: dict[str, JSON] = {}
    for child in element.children:
        if child.name not in members:
            raise _unexpected(child, element)
        if child.name in values:
            raise MalformedBody(f"The element {quote(child.name)} comes twice.")
        values[child.name] = _typed(child, members[child.name])
    return values


def _refuse_text(element: Element) -> None:
    if element.text:
        raise MalformedBody(f"The element {quote(element.name)} has text in it.")


def _unexpected(child: Element, parent: Element) -> MalformedBody:
    return MalformedBody(
        f"The element {quote(child.name)} is not expected in {quote(parent.name)}."
    )


def _written(document: JSON, writers: Mapping[str, Write]) -> bytes:
    if not isinstance(document, dict) or len(document) != 1:
        raise Unwritable("the answer is not an object with one member")
    ((root, value),) = document.items()
    if root not in writers:
        raise Unwritable(f"the root {root!r} is not registered")
    return (DECLARATION + writers[root](value)).encode()


def _element(name: str, shape: Shape) -> Write:
    """Compile what writes one element of this name and shape."""
    write = _content(shape)
    start, end = f"<{name}>", f"</{name}>"

    def write_element(value: JSON) -> str:
        return start + write(value) + end

    return write_element


def _content(shape: Shape) -> Write:
    match shape:
        case Scalar():
            return _scalar_writer(shape)
        case Array(item_name, item, nullable):
            return _null_or(_array_writer(_element(item_name, item)), nullable=nullable)
        case Object(nullable=nullable):
            return _null_or(_object_writer(shape), nullable=nullable)


def _scalar_writer(shape: Scalar) -> Write:
    by_type: dict[type, Write] = {}
    if "string" in shape.types:
        by_type[str] = escape
    if "boolean" in shape.types:
        by_type[bool] = _truth
    if shape.types & {"integer", "number"}:
        by_type[int] = str
    if "number" in shape.types:
        by_type[float] = repr
    if shape.nullable:
        by_type[type(None)] = _null

    def write(value: JSON) -> str:
        as_text = by_type.get(type(value))
        if as_text is None:
            raise Unwritable(f"a {type(value).__name__} where {shape} was promised")
        return as_text(value)

    return write


def _array_writer(write_item: Write) -> Write:
    def write(value: JSON) -> str:
        if not isinstance(value, list):
            raise Unwritable(f"a {type(value).__name__} where a list was promised")
        return "".join([write_item(item) for item in value])

    return write


def _object_writer(shape: Object) -> Write:
    writers = {name: _element(name, member) for name, member in shape.members.items()}

    def write(value: JSON) -> str:
        if not isinstance(value, dict):
            raise Unwritable(f"a {type(value).__name__} where an object was promised")
        if not (shape.required <= value.keys() <= writers.keys()):
            raise Unwritable(f"other members than {list(writers)}: {list(value)}")
        return "".join([writers[name](member) for name, member in value.items()])

    return write


def _null_or(write: Write, *, nullable: bool) -> Write:
    if not nullable:
        return write
    return lambda value: NULL if value is None else write(value)


def _truth(value: JSON) -> str:
    return "true" if value else "false"


def _null(value: JSON) -> str:
    return NULL


def _fault_writer(name: str) -> Write:
    """Compile what writes a fault: numbers are attributes, texts are elements.

    Source: OpenStack Compute API 2, faults.xsd.
    """

    def write(value: JSON) -> str:
        if not isinstance(value, dict) or not _is_fault(value):
            raise Unwritable("the fault has other members than a fault has")
        attributes = f' xmlns="{NAMESPACE}" code="{value["code"]:d}"'
        if "retryAfter" in value:
            attributes += f' retryAfter="{value["retryAfter"]:d}"'
        texts = [
            f"<{member}>{escape(value[member])}</{member}>"
            for member in ("message", "details")
            if value.get(member) is not None
        ]
        return f"<{name}{attributes}>{''.join(texts)}</{name}>"

    return write


def _is_fault(value: dict[str, JSON]) -> bool:
    types = {"code": int, "message": str, "details": str | None, "retryAfter": int}
    return {"code", "message"} <= value.keys() <= types.keys() and all(
        isinstance(member, types[name]) for name, member in value.items()
    )
