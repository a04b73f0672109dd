"""Reads XML as a client would that knows nothing but the OpenAPI document.

What comes out is held against the JSON schema, so a wrong `xml` hint, a member of
another name or a number that is none is found.

Source: OpenAPI 3.1, XML object.
"""

from typing import Any, TypeAlias
from xml.etree import ElementTree

JSON: TypeAlias = Any
Schema: TypeAlias = dict[str, Any]

NULL = "null"


class NotAsDocumented(ValueError):
    """The XML is not what the hints say."""


def decode(document: bytes, schema: Schema, root: Schema) -> JSON:
    """Return the value of a document; `root` is what references refer to.

    Raises NotAsDocumented.
    """
    try:
        # Nothing here comes from strangers: the service wrote it, or this suite.
        element = ElementTree.fromstring(document)  # noqa: S314
    except ElementTree.ParseError as error:
        raise NotAsDocumented(f"not well-formed: {error}") from None
    options = [resolved(option, root) for option in schema.get("oneOf", [schema])]
    for option in options:
        if element.tag == _tag(option.get("xml", {})):
            return _Reader(root, option["xml"].get("namespace")).value(element, option)
    raise NotAsDocumented(f"the root <{element.tag}> is none of the documented")


def resolved(schema: Schema, root: Schema) -> Schema:
    """Follow references; what stands beside one is kept."""
    while "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def present(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    """Return the schema of the value where there is one, and if null may stand."""
    schema = resolved(schema, root)
    options = [resolved(each, root) for each in schema.get("anyOf", ())]
    values = [each for each in options if each.get("type") != NULL]
    if not options or len(values) != 1:
        return schema, False
    beside = {k: v for k, v in schema.items() if k != "anyOf"}
    return {**beside, **values[0]}, len(values) < len(options)


def _tag(hint: Schema) -> str:
    name: str = hint.get("name", "")
    return f"{{{hint['namespace']}}}{name}" if "namespace" in hint else name


class _Reader:
    def __init__(self, root: Schema, namespace: str | None) -> None:
        self._root = root
        self._namespace = namespace

    def value(self, element: ElementTree.Element, schema: Schema) -> JSON:
        schema, nullable = present(schema, self._root)
        text = (element.text or "").strip()
        if nullable and text == NULL and not len(element):
            return None
        match schema.get("type"):
            case "object":
                return self._object(element, schema)
            case "array":
                return self._array(element, schema)
            case kind:
                if len(element):
                    raise NotAsDocumented(f"<{element.tag}> has elements in it")
                return _scalar(text, kind)

    def _object(self, element: ElementTree.Element, schema: Schema) -> JSON:
        if (element.text or "").strip():
            raise NotAsDocumented(f"<{element.tag}> has text in it")
        elements, attributes = self._members(schema)
        value: dict[str, JSON] = {}
        for name, text in element.attrib.items():
            member, inner = _known(attributes, name)
            value[member] = _scalar(text, inner.get("type"))
        for child in element:
            member, inner = _known(elements, child.tag)
            if member in value:
                raise NotAsDocumented(f"<{child.tag}> comes twice")
            value[member] = self.value(child, inner)
        return value

    def _members(
        self, schema: Schema
    ) -> tuple[dict[str, tuple[str, Schema]], dict[str, tuple[str, Schema]]]:
        """Return the members that are elements and those that are attributes."""
        elements, attributes = {}, {}
        for member, inner in schema.get("properties", {}).items():
            found, _ = present(inner, self._root)
            hint = inner.get("xml", found.get("xml", {}))
            if hint.get("attribute"):
                attributes[hint.get("name", member)] = member, found
            else:
                # A member's own name counts; that of a model is its name as a root.
                tag = {"name": inner.get("xml", {}).get("name", member)}
                if self._namespace:
                    tag["namespace"] = self._namespace
                elements[_tag(tag)] = member, inner
        return elements, attributes

    def _array(self, element: ElementTree.Element, schema: Schema) -> JSON:
        if not schema.get("xml", {}).get("wrapped"):
            raise NotAsDocumented(f"<{element.tag}> is a list without a wrapper")
        items = resolved(schema["items"], self._root)
        name = items.get("xml", {}).get("name")
        for child in element:
            if child.tag != name:
                raise NotAsDocumented(f"<{child.tag}> stands in <{element.tag}>")
        return [self.value(child, items) for child in element]


def _known(members: dict[str, tuple[str, Schema]], name: str) -> tuple[str, Schema]:
    if name not in members:
        raise NotAsDocumented(f"{name} is not documented here")
    return members[name]


def _scalar(text: str, kind: object) -> JSON:
    kinds = kind if isinstance(kind, list) else [kind]
    if "integer" in kinds and text.lstrip("-").isdecimal():
        return int(text)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    return text
