"""OpenAPI for both media types from one source: each body in JSON gets its XML form.

The XML examples are written by the codec, so they are what really goes over the wire.
JSON stands first in every `content`: generators of clients take the first.

Source: OpenAPI 3.1, media type object and XML object; NEGOTIATION 3.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TypeAlias

from app.wire.accept import JSON as JSON_OFFER
from app.wire.accept import XML as XML_OFFER
from app.wire.negotiation import is_aside
from app.wire.xml_codec import FAULTS, Codec
from app.wire.xml_reader import NAMESPACE
from app.wire.xml_shapes import JSON, Schema

Examples: TypeAlias = Mapping[str, Sequence[JSON]]
"""JSON documents by the name of the envelope model; one a root, if it has several."""

ATTRIBUTES_OF_FAULT = ("code", "retryAfter")


@dataclass(frozen=True, slots=True)
class _Direction:
    """Requests or answers."""

    roots: Container[str]
    write: Callable[[JSON], bytes]


def dual(document: Schema, codec: Codec, examples: Examples | None = None) -> Schema:
    """Add the XML form to every body that the codec knows; changes the document.

    An example comes from the operation, from `examples` or from the model, in this
    order. One with null in it must come from `examples`: FastAPI drops nulls wherever
    else they stand. Paths that are not negotiated get their examples in JSON alone.

    Raises Unwritable if an example is not what its schema says.
    """
    components = document.get("components", {}).get("schemas", {})
    forms = _Forms(components, examples or {})
    requests = _Direction(codec.requests, codec.write_request)
    answers = _Direction({*codec.answers, *FAULTS}, codec.write)
    for path, operation in _operations(document):
        bodies = {"": operation.get("requestBody", {}), **operation["responses"]}
        for status, body in bodies.items():
            if is_aside(path):
                forms.exemplify(body)
            else:
                forms.add(body, answers if status else requests, status)
    return document


def _operations(document: Schema) -> Iterator[tuple[str, Schema]]:
    for path, item in document.get("paths", {}).items():
        yield from ((path, each) for each in item.values() if isinstance(each, dict))


@dataclass(slots=True)
class _Forms:
    """Adds XML forms to the bodies of one document."""

    components: Schema
    examples: Examples
    wrapped: set[str] = field(default_factory=set)
    """The components whose lists have their hint."""

    def exemplify(self, body: Schema) -> None:
        """Add its examples to a body in JSON."""
        json_form = body.get("content", {}).get(JSON_OFFER.media_type)
        if json_form is not None:
            _forget_null(json_form)
            examples = self._examples_of(json_form)
            _add_examples(json_form, {_root(each): each for each in examples})

    def add(self, body: Schema, direction: _Direction, status: str = "") -> None:
        """Add the XML form to a body in JSON, if all its roots are known."""
        content = body.get("content", {})
        json_form = content.get(JSON_OFFER.media_type)
        if json_form is None or XML_OFFER.media_type in content:
            return
        _forget_null(json_form)
        inner = self._inner_schemas(json_form["schema"])
        if not inner or any(root not in direction.roots for root in inner):
            return
        examples = self._examples_of(json_form) or _fault_examples(inner, status)
        _add_examples(json_form, {_root(each): each for each in examples})
        xml_form = {"schema": self._xml_schema(inner)}
        written = {_root(each): direction.write(each).decode() for each in examples}
        _add_examples(xml_form, written)
        content[XML_OFFER.media_type] = xml_form

    def _inner_schemas(self, schema: Schema) -> dict[str, Schema]:
        """Return the schema of each root of the envelopes."""
        return {
            root: inner
            for _, envelope in self._envelopes(schema)
            for root, inner in envelope.get("properties", {}).items()
        }

    def _envelopes(self, schema: Schema) -> Iterator[tuple[str, Schema]]:
        """Yield the models of a body with their names; there may be a choice."""
        for option in schema.get("anyOf") or [schema]:
            name = option.get("$ref", "").rpartition("/")[2]
            yield name, self.components[name] if name else option

    def _examples_of(self, json_form: Schema) -> list[JSON]:
        if "example" in json_form:
            return [json_form["example"]]
        if "examples" in json_form:
            return [each["value"] for each in json_form["examples"].values()]
        schema = json_form["schema"]
        return list(schema.get("examples", ())) or [
            example
            for name, envelope in self._envelopes(schema)
            for example in self._examples_of_model(name, envelope)
        ]

    def _examples_of_model(self, component: str, envelope: Schema) -> Sequence[JSON]:
        # FastAPI tells the two directions of a model apart by a suffix.
        name = component.removesuffix("-Input").removesuffix("-Output")
        return self.examples.get(name) or list(envelope.get("examples", ()))

    def _xml_schema(self, inner: dict[str, Schema]) -> Schema:
        schemas = [self._rooted(root, schema) for root, schema in inner.items()]
        return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}

    def _rooted(self, root: str, schema: Schema) -> Schema:
        """Return the schema with the hint that makes it the document's root."""
        schema = _without_null(schema)
        self._wrap_lists(schema)
        target = self._resolved(schema)
        if target is not schema and target.get("xml", {}).get("name") == root:
            return schema
        unneeded = ("title", "description", "default")
        rooted = {
            name: deepcopy(value)
            for name, value in target.items()
            if name not in unneeded
        }
        rooted["xml"] = {**target.get("xml", {}), "name": root}
        return _as_fault(rooted) if root in FAULTS else rooted

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self.components[schema["$ref"].rpartition("/")[2]]
        return schema

    def _wrap_lists(self, schema: Schema) -> None:
        """Say of each list, here and below, that it is an element of its own."""
        if schema.get("type") == "array":
            schema["xml"] = {**schema.get("xml", {}), "wrapped": True}
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in self.wrapped:
            self.wrapped.add(name)
            self._wrap_lists(self.components[name])
        for below in _below(schema):
            self._wrap_lists(below)


def _forget_null(form: Schema) -> None:
    """Say nothing of `null` for no body: generators of clients stumble over it."""
    form["schema"] = _without_null(form.get("schema", {}))


def _below(schema: Schema) -> Iterator[Schema]:
    yield from schema.get("properties", {}).values()
    yield from schema.get("anyOf", ())
    if "items" in schema:
        yield schema["items"]


def _without_null(schema: Schema) -> Schema:
    """Return the schema of the value where there is one: a root is there or not."""
    options = [o for o in schema.get("anyOf", ()) if o.get("type") != "null"]
    return options[0] if len(options) == 1 else schema


def _as_fault(schema: Schema) -> Schema:
    schema["xml"]["namespace"] = NAMESPACE
    for name in ATTRIBUTES_OF_FAULT:
        if name in schema.get("properties", {}):
            schema["properties"][name]["xml"] = {"attribute": True}
    return schema


def _fault_examples(inner: Mapping[str, Schema], status: str) -> list[JSON]:
    code = int(status) if status.isdigit() else 500
    sentence = "A sentence that says what was wrong."
    return [
        {root: {"code": code, "message": sentence}} for root in inner if root in FAULTS
    ]


def _root(document: Mapping[str, JSON]) -> str:
    return next(iter(document))


def _add_examples(form: Schema, examples: Mapping[str, JSON]) -> None:
    """Add one example as such, several by the name of their roots."""
    if "example" in form or "examples" in form or not examples:
        return
    values = list(examples.values())
    if len(values) == 1:
        form["example"] = values[0]
    else:
        form["examples"] = {root: {"value": value} for root, value in examples.items()}
