"""XML Schemas of all that goes over the wire, made of the models the codec is made of.

floating_ips.xsd  every answer, and every request whose root no answer has
requests.xsd      every request
faults.xsd        every refusal, in the namespace of OpenStack's faults

A schema declares a root once and for one namespace. A root like `server` is another
document as a request than as an answer, so there are two schemas rather than one that
would accept a mixture of both; and faults have a namespace, so theirs is the third.
Each is complete in itself: no validator has to fetch another.

The order of members is never asked for. Where a request may have `null` in the place of
an object or a list, XSD 1.0 cannot say so, and the schemas ask to leave it out.

Source: XML Schema 1.0; NEGOTIATION 4; OpenStack Compute API 2, faults.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from app.faults import FAULT_NAMES, OTHER_FAULT
from app.wire.xml_codec import NULL
from app.wire.xml_reader import NAMESPACE
from app.wire.xml_shapes import NoShape, Schema

XS = "http://www.w3.org/2001/XMLSchema"

SimpleType: TypeAlias = str | Element
"""The name of a type, or one without a name."""

_BUILT_IN = {
    "string": "xs:string",
    "integer": "xs:integer",
    "number": "xs:double",
    "boolean": "xs:boolean",
}
_FACETS = {
    "minLength": "xs:minLength",
    "maxLength": "xs:maxLength",
    "minimum": "xs:minInclusive",
    "maximum": "xs:maxInclusive",
}
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_HEX = "[0-9A-Fa-f]"
_PATTERNS = {
    # Of IPv6 only the characters: what the groups may be is more than a pattern.
    "ip": rf"({_OCTET}\.){{3}}{_OCTET}|{_HEX}{{0,4}}:[0-9A-Fa-f:.]{{1,40}}",
    "uuid": f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "null": NULL,
}
"""The named simple types: formats of strings, and what stands for nothing."""


def schemas(
    requests: Iterable[type[BaseModel]], answers: Iterable[type[BaseModel]]
) -> dict[str, bytes]:
    """Return the text of each schema by the name of its file.

    Raises NoShape for a model that no schema can describe.
    """
    resources, taken = _Document(), _Document()
    resources.declare(answers, "serialization")
    for document in (resources, taken):
        document.declare(requests, "validation")
    return {
        "floating_ips.xsd": resources.text(),
        "requests.xsd": taken.text(),
        "faults.xsd": _faults(),
    }


def _faults() -> bytes:
    schema = _root(targetNamespace=NAMESPACE, elementFormDefault="qualified")
    for name in (*dict.fromkeys(FAULT_NAMES.values()), OTHER_FAULT):
        schema.append(_fault(name))
    return _text(schema)


def _fault(name: str) -> Element:
    """Declare a fault: numbers are attributes, texts are elements."""
    element = Element("xs:element", name=name)
    content = SubElement(element, "xs:complexType")
    texts = SubElement(content, "xs:sequence")
    SubElement(texts, "xs:element", name="message", type="xs:string")
    SubElement(texts, "xs:element", name="details", type="xs:string", minOccurs="0")
    code = SubElement(content, "xs:attribute", name="code", use="required")
    statuses = [status for status, fault in FAULT_NAMES.items() if fault == name]
    facets: Schema = {"enum": statuses} if statuses else {"minimum": 400}
    code.append(_restricted("xs:integer", facets))
    SubElement(content, "xs:attribute", name="retryAfter", type="xs:nonNegativeInteger")
    return element


@dataclass(slots=True)
class _Document:
    """A schema in no namespace that grows by roots and by the types they need."""

    roots: dict[str, Element] = field(default_factory=dict)
    types: dict[str, Element] = field(default_factory=dict)
    definitions: Schema = field(default_factory=dict)

    def declare(
        self, envelopes: Iterable[type[BaseModel]], mode: JsonSchemaMode
    ) -> None:
        """Declare the roots of the envelopes, but for those that are there already."""
        for envelope in envelopes:
            schema = envelope.model_json_schema(mode=mode)
            self.definitions = schema.get("$defs", {})
            for root, member in schema.get("properties", {}).items():
                if root not in self.roots:
                    self.roots[root] = self._element(root, member)

    def text(self) -> bytes:
        """Return the schema; its types by name, its roots as they came."""
        schema = _root()
        schema.extend(self.roots.values())
        schema.extend(self.types[name] for name in sorted(self.types))
        return _text(schema)

    def _element(self, name: str, schema: Schema, **occurs: str) -> Element:
        element = Element("xs:element", {"name": name, **occurs})
        _document(element, schema)
        options = list(self._options(schema))
        complex_types = [o for o in options if o.get("type") in ("array", "object")]
        if not complex_types:
            _set_type(element, self._simple(options))
        elif len(complex_types) == 1:
            self._set_complex_type(element, complex_types[0])
        else:
            raise NoShape(f"{name} is one of several objects")
        return element

    def _options(self, schema: Schema) -> Iterator[Schema]:
        """Yield the alternatives of a schema, with what references lead to."""
        reference = schema.get("$ref", "").rpartition("/")[2]
        if reference:
            yield from self._options(
                {"title": reference, **self.definitions[reference]}
            )
        elif alternatives := schema.get("anyOf", schema.get("oneOf")):
            for alternative in alternatives:
                yield from self._options(alternative)
        else:
            yield schema

    def _set_complex_type(self, element: Element, schema: Schema) -> None:
        if schema["type"] == "array":
            element.append(self._list(schema))
            return
        name = schema["title"]
        described = self._object(schema)
        if tostring(self.types.setdefault(name, described)) != tostring(described):
            raise NoShape(f"{name} is the name of two models")
        element.set("type", name)

    def _list(self, schema: Schema) -> Element:
        items = schema["items"]
        name = next(option["xml"]["name"] for option in self._options(items))
        content = Element("xs:complexType")
        sequence = SubElement(content, "xs:sequence")
        occurs = {
            "minOccurs": str(schema.get("minItems", 0)),
            "maxOccurs": str(schema.get("maxItems", "unbounded")),
        }
        sequence.append(self._element(name, items, **occurs))
        return content

    def _object(self, schema: Schema) -> Element:
        content = Element("xs:complexType", name=schema["title"])
        _document(content, schema)
        members = SubElement(content, "xs:all")
        required = schema.get("required", ())
        for name, member in schema.get("properties", {}).items():
            occurs = {} if name in required else {"minOccurs": "0"}
            members.append(self._element(name, member, **occurs))
        return content

    def _simple(self, options: list[Schema]) -> SimpleType:
        types = [self._scalar(option) for option in options]
        if len(types) == 1:
            return types[0]
        simple = Element("xs:simpleType")
        names = [each for each in types if isinstance(each, str)]
        union = SubElement(simple, "xs:union", memberTypes=" ".join(names))
        union.extend(each for each in types if isinstance(each, Element))
        return simple

    def _scalar(self, schema: Schema) -> SimpleType:
        """Return the type of a text; raises NoShape for what is none."""
        kind = schema.get("type")
        named = "null" if kind == "null" else schema.get("format")
        if named in _PATTERNS:
            self.types[named] = _restricted(
                "xs:token", {"pattern": f"^{_PATTERNS[named]}$"}, name=named
            )
            return str(named)
        base = _BUILT_IN.get(str(kind))
        if base is None:
            raise NoShape(f"{schema} has no simple type")
        facets = _FACETS.keys() | {"pattern", "enum", "const"}
        if facets.isdisjoint(schema):
            return base
        return _restricted("xs:token" if kind == "string" else base, schema)


def _restricted(base: str, schema: Schema, **name: str) -> Element:
    """Return the base type with the bounds of the schema.

    Texts are tokens: the white space around them does not count, as in the reader.
    """
    simple = Element("xs:simpleType", name)
    restriction = SubElement(simple, "xs:restriction", base=base)
    for value in schema.get("enum", [schema["const"]] if "const" in schema else ()):
        SubElement(restriction, "xs:enumeration", value=str(value))
    for keyword, facet in _FACETS.items():
        if keyword in schema:
            SubElement(restriction, facet, value=str(schema[keyword]))
    if "pattern" in schema:
        SubElement(restriction, "xs:pattern", value=_whole(schema["pattern"]))
    return simple


def _whole(pattern: str) -> str:
    """Return a pattern without its anchors, which XSD takes for granted."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or "(?" in pattern:
        raise NoShape(f"{pattern} cannot be a pattern of XML Schema")
    return pattern[1:-1]


def _set_type(element: Element, simple: SimpleType) -> None:
    if isinstance(simple, str):
        element.set("type", simple)
    else:
        element.append(simple)


def _document(element: Element, schema: Mapping[str, object]) -> None:
    if isinstance(description := schema.get("description"), str):
        annotation = SubElement(element, "xs:annotation")
        SubElement(annotation, "xs:documentation").text = description


def _root(**attributes: str) -> Element:
    return Element("xs:schema", {"xmlns:xs": XS, **attributes})


def _text(schema: Element) -> bytes:
    indent(schema)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(schema) + b"\n"
