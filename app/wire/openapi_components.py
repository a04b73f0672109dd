"""Keeps the components of an OpenAPI document few: nothing twice, nothing unused.

Generators of clients make a class of every model that they meet, so one that stands
inline in fifty answers would become fifty classes.
"""

import re
from collections.abc import Iterator

from app.wire.accept import XML as XML_OFFER
from app.wire.xml_shapes import JSON, Schema

_schema_name = re.compile("#/components/schemas/(.+)").fullmatch


def share(document: Schema) -> Schema:
    """Make components of the inline objects in XML, and drop what nobody refers to.

    Changes the document.
    """
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for form in list(_xml_forms(document["paths"])):
        schema = form["schema"]
        if "properties" not in schema:
            continue
        name = _name(schema["xml"]["name"])
        if schemas.setdefault(name, schema) == schema:
            form["schema"] = {"$ref": f"#/components/schemas/{name}"}
    used = _used(document["paths"], schemas)
    document["components"]["schemas"] = {
        name: schemas[name] for name in sorted(schemas) if name in used
    }
    return document


def _name(root: str) -> str:
    """Return the name of a root's component: `itemNotFound` is `ItemNotFoundXml`."""
    return "".join(f"{part[:1].upper()}{part[1:]}" for part in root.split("_")) + "Xml"


def _xml_forms(node: JSON) -> Iterator[Schema]:
    for mapping in _mappings(node):
        form = mapping.get(XML_OFFER.media_type)
        if isinstance(form, dict) and "schema" in form:
            yield form


def _used(paths: JSON, schemas: Schema) -> set[str]:
    """Return the names of the schemas that the paths need, directly or through others.

    Links refer to operations by id, so every reference is one to a component.
    """
    used: set[str] = set()
    waiting = [paths]
    while waiting:
        new = {
            match[1]
            for mapping in _mappings(waiting.pop())
            if (match := _schema_name(str(mapping.get("$ref", ""))))
        } - used
        used |= new
        waiting += [schemas[name] for name in sorted(new)]
    return used


def _mappings(node: JSON) -> Iterator[Schema]:
    """Yield every object of the document, from the outside in."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _mappings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _mappings(value)
