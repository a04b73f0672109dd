"""OpenAPI of every face, and Swagger UI from this machine alone."""

from collections.abc import Iterable
from typing import Any, get_args, get_origin

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.faces import swagger_ui
from app.faces.compute.described import add_microversions
from app.faces.described import LICENSE, SERVERS, TAGS
from app.wire.negotiation import is_aside
from app.wire.openapi import dual
from app.wire.openapi_components import share
from app.wire.xml_codec import Codec

DESCRIPTION = """\
Hands each public address to exactly one owner: projects allocate a floating IP from a
pool, associate it with the fixed IP of a server, move it, disassociate it and release
it.

**Try it here**, on a service that was started with `--demo`:

1. **Authorize** with the token `joe:demo` (a member) or `admin:demo` (an admin).
2. **Allocate** a floating IP and note its `id`. The example of the body will do.
3. **Associate** it with `10.0.0.3`, the fixed IP of the server `web`.
4. **Show** server 1: the address stands under `public`.
5. **Disassociate** it and **release** it.

**JSON and XML**, by `Accept` and `Content-Type`: choose them beside the body and beside
the answer. In XML a missing value is the text `null`. Refusals are OpenStack faults in
the same type. XML Schemas: [answers](/schemas/floating_ips.xsd),
[requests](/schemas/requests.xsd), [faults](/schemas/faults.xsd).
"""

TOKEN = {
    "type": "apiKey",
    "in": "header",
    "name": "X-Auth-Token",
    "description": "With Keystone, a token of it that is scoped to a project. Without "
    "it is `user:project`, and believed: `joe:demo` is a member of the project `demo`, "
    "`admin:demo` an admin, `reader:demo` may look.",
}


def install(api: FastAPI, codec: Codec, envelopes: Iterable[type[BaseModel]]) -> None:
    """Serve `/openapi.json` and `/docs`."""
    examples = {model.__name__: examples_of(model) for model in envelopes}

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            api.openapi_schema = share(dual(_described(api), codec, examples))
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
    swagger_ui.install(api)


def _described(api: FastAPI) -> dict[str, Any]:
    """Return FastAPI's document with what it cannot know."""
    document = get_openapi(
        title=api.title,
        version=api.version,
        description=DESCRIPTION,
        routes=api.routes,
        tags=TAGS,
        servers=SERVERS,
        license_info=LICENSE,
    )
    document["components"]["securitySchemes"] = {"token": TOKEN}
    document["security"] = [{"token": []}]
    add_microversions(document)
    # The draft first: readers begin with it.
    paths = document["paths"].items()
    document["paths"] = dict(sorted(paths, key=lambda item: is_aside(item[0])))
    for item in document["paths"].values():
        for operation in item.values():
            operation["summary"] = _first_sentence(operation["description"])
    return document


def _first_sentence(description: str) -> str:
    """Return the first sentence of a docstring as a title, which knows no Markdown."""
    first = description.partition("\n\n")[0]
    return first.replace("\n", " ").replace("`", "").rstrip(".")


def examples_of(envelope: type[BaseModel]) -> list[dict[str, Any]]:
    """Build documents of an envelope from its members' examples.

    That is one with the roots that it has to have, or else one for each root.
    """
    roots = {_name(*each): each[1] for each in envelope.model_fields.items()}
    needed = {root: field for root, field in roots.items() if field.is_required()}
    if needed:
        return [{root: _example(field) for root, field in needed.items()}]
    return [{root: _example(field)} for root, field in roots.items()]


def _name(name: str, field: FieldInfo) -> str:
    """Return the name that a member has in JSON."""
    return field.serialization_alias or field.alias or name


def _example(field: FieldInfo) -> Any:
    """Return an example of a member: its own, or one made of its members'."""
    if field.examples:
        return field.examples[0]
    model, is_list = _model_of(field.annotation)
    inner = {_name(*each): _example(each[1]) for each in model.model_fields.items()}
    return [inner] if is_list else inner


def _model_of(annotation: Any) -> tuple[type[BaseModel], bool]:
    """Find the model in `Model`, `Model | None`, `list[Model]` or their like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    first = get_args(annotation)[0]
    return _model_of(first)[0], get_origin(annotation) is list or _model_of(first)[1]
