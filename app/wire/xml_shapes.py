"""The shape of a document, compiled from the JSON Schema of pydantic's models.

The JSON envelope `{"root": value}` *is* the document `<root>value</root>`. A shape
says of the value what XML leaves open: whether "12" is a number, whether "null" is
null, and what the items of a list are called.

Source: NEGOTIATION 4; OpenAPI 3.1, XML object.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

JSON: TypeAlias = Any
"""What `json.loads` returns."""

Schema: TypeAlias = dict[str, JSON]

_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_TYPES_OF_VALUES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_is_name = re.compile(r"(?!xml)[A-Za-z_][A-Za-z0-9_.-]*", re.IGNORECASE).fullmatch


class NoShape(TypeError):
    """A model cannot be written as XML; a mistake of ours, found at the start."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text that is a string, a number or a truth value."""

    types: frozenset[str]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Array:
    """Elements that all have one name."""

    item_name: str
    item: "Shape"
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Object:
    """Elements that each have a name of their own."""

    members: Mapping[str, "Shape"]
    required: frozenset[str] = field(compare=False)
    nullable: bool = False


Shape: TypeAlias = Scalar | Array | Object


def roots(
    envelopes: Iterable[type[BaseModel]], mode: JsonSchemaMode
) -> dict[str, Shape]:
    """Return the shape of each member of the envelopes, which are the roots.

    Raises NoShape if a root would have two shapes.
    """
    shapes: dict[str, Shape] = {}
    for envelope in envelopes:
        for root, shape in envelope_shapes(envelope.model_json_schema(mode=mode)):
            if shapes.setdefault(root, shape) != shape:
                raise NoShape(f"{envelope.__name__}: {root} has another shape already")
    return shapes


def envelope_shapes(schema: Schema) -> Iterator[tuple[str, Shape]]:
    """Yield each root of an envelope's schema with its shape."""
    envelope = _Compiler(schema.get("$defs", {})).shape(schema)
    if not isinstance(envelope, Object):
        raise NoShape("an envelope is an object")
    yield from envelope.members.items()


@dataclass(slots=True)
class _Compiler:
    definitions: Schema
    path: list[str] = field(default_factory=list)
    """The references that are being followed, to find those that go in circles."""

    def shape(self, schema: Schema) -> Shape:
        """Return the shape of the values that the schema allows."""
        if "$ref" in schema:
            return self._referred(schema["$ref"])
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                return self._union(schema[union])
        types = _types(schema)
        if types == {"array"}:
            return self._array(schema)
        if types == {"object"}:
            return self._object(schema)
        if not types or types - _SCALARS:
            raise NoShape(f"{schema} has no shape")
        return Scalar(types)

    def _referred(self, reference: str) -> Shape:
        if reference in self.path:
            raise NoShape(f"{reference} contains itself")
        self.path.append(reference)
        shape = self.shape(self.definitions[reference.rpartition("/")[2]])
        self.path.pop()
        return shape

    def _union(self, options: list[Schema]) -> Shape:
        """Return the one shape of all options; scalars may differ in type."""
        present = [o for o in options if o.get("type") != "null"]
        nullable = len(present) < len(options)
        first, *others = [self.shape(option) for option in present]
        for other in others:
            first = _merged(first, other)
        return _nullable(first) if nullable else first

    def _array(self, schema: Schema) -> Array:
        items = schema.get("items", {})
        return Array(_checked(self._item_name(items)), self.shape(items))

    def _item_name(self, items: Schema) -> str:
        """Return the hint of the items, or of the model they refer to."""
        while "xml" not in items and "$ref" in items:
            items = self.definitions[items["$ref"].rpartition("/")[2]]
        name: str = items.get("xml", {}).get("name", "")
        if not name:
            raise NoShape(f"the items {items} have no xml.name")
        return name

    def _object(self, schema: Schema) -> Object:
        members = schema.get("properties", {})
        if not members and schema.get("additionalProperties", False):
            raise NoShape(f"the object {schema} is an open map")
        return Object(
            {_checked(name): self.shape(member) for name, member in members.items()},
            frozenset(schema.get("required", ())),
        )


def _types(schema: Schema) -> frozenset[str]:
    """Return the JSON types that the schema names, itself or by example."""
    if "type" in schema:
        named = schema["type"]
        return frozenset([named] if isinstance(named, str) else named)
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return frozenset(_TYPES_OF_VALUES.get(type(value), "") for value in values)


def _merged(one: Shape, other: Shape) -> Shape:
    if one == other:
        return one
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return Scalar(one.types | other.types, one.nullable or other.nullable)
    raise NoShape(f"{one} and {other} cannot be told apart in XML")


def _nullable(shape: Shape) -> Shape:
    match shape:
        case Scalar(types):
            return Scalar(types, nullable=True)
        case Array(item_name, item):
            return Array(item_name, item, nullable=True)
        case Object(members, required):
            return Object(members, required, nullable=True)


def _checked(name: str) -> str:
    if not _is_name(name):
        raise NoShape(f"{name!r} is not the name of an XML element")
    return name
