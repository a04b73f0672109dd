"""OpenAPI of every face, and Swagger UI from this machine alone."""

from collections.abc import Iterable
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.faces import swagger_ui
from app.faces.described import LICENSE, SERVERS, TAGS
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
    for item in document["paths"].values():
        for operation in item.values():
            operation["summary"] = _first_sentence(operation["description"])
    return document


def _first_sentence(description: str) -> str:
    """Return the first sentence of a docstring as a title, which knows no Markdown."""
    first = description.partition("\n\n")[0]
    return first.replace("\n", " ").replace("`", "").rstrip(".")


def examples_of(envelope: type[BaseModel]) -> list[dict[str, Any]]:
    """Build one document for each root of an envelope from its members' examples."""
    return [{root: _example(field)} for root, field in envelope.model_fields.items()]


def _example(field: FieldInfo) -> Any:
    """Return an example of a member: its own, or one made of its members'."""
    if field.examples:
        return field.examples[0]
    model, is_list = _model_of(field.annotation)
    inner = {name: _example(member) for name, member in model.model_fields.items()}
    return [inner] if is_list else inner


def _model_of(annotation: Any) -> tuple[type[BaseModel], bool]:
    """Find the model in `Model`, `Model | None` or `list[Model]`."""
    options = get_args(annotation) or (annotation,)
    model = next(each for each in options if _is_model(each))
    return model, not _is_model(annotation) and type(None) not in options


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
