import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx import AsyncClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from app.main import ANSWERS, CODEC, REQUESTS
from tests.test_auth import ROLES
from tests.xml_schemas import TEXTS

METHODS = {"get", "post", "put", "delete"}
OPEN = {"/livez", "/readyz", "/", "/v1.1", "/v2", "/v2.1", "/v2.0", "/networking"}
JSON, XML = "application/json", "application/xml"


def operations(api: FastAPI) -> list[dict[str, Any]]:
    return [
        operation
        for path, item in api.openapi()["paths"].items()
        for method, operation in item.items()
        if method in METHODS and path not in OPEN
    ]


def negotiated(api: FastAPI) -> list[dict[str, Any]]:
    """The operations that speak XML as well."""
    return [
        each
        for each in operations(api)
        if each["tags"] not in (["compute"], ["network"])
    ]


Body = tuple[dict[str, Any], Callable[[Any], bytes]]


def bodies(operation: dict[str, Any]) -> list[Body]:
    """Every body of an operation, with what writes its XML."""
    request = operation.get("requestBody", {}).get("content")
    answers = [answer.get("content") for answer in operation["responses"].values()]
    return [
        *([(request, CODEC.write_request)] if request else []),
        *((content, CODEC.write) for content in answers if content),
    ]


def test_the_committed_document_is_what_the_application_gives(api: FastAPI) -> None:
    committed = json.loads(Path("openapi/openapi.json").read_text())

    assert committed == json.loads(json.dumps(api.openapi())), "run: make openapi"


def test_the_document_is_valid_openapi_3_1(api: FastAPI) -> None:
    assert api.openapi()["openapi"].startswith("3.1")
    validate(api.openapi(), cls=OpenAPIV31SpecValidator)


def test_every_operation_is_there_once_under_its_stable_id(api: FastAPI) -> None:
    ids = [operation["operationId"] for operation in operations(api)]

    assert sorted(ids) == sorted(ROLES)


def test_every_body_has_both_types_and_json_first(api: FastAPI) -> None:
    for operation in negotiated(api):
        for content, _ in bodies(operation):
            assert list(content) == [JSON, XML], operation["operationId"]


def test_the_compute_face_has_json_alone(api: FastAPI) -> None:
    paths = api.openapi()["paths"]
    compute = [each for each in operations(api) if each["tags"] == ["compute"]]

    assert len(compute) == sum(len(paths[p]) for p in paths if p.startswith("/v2.1/"))
    for operation in compute:
        for content, _ in bodies(operation):
            assert list(content) == [JSON], operation["operationId"]


def test_the_network_face_has_json_alone(api: FastAPI) -> None:
    paths = api.openapi()["paths"]
    network = [each for each in operations(api) if each["tags"] == ["network"]]

    assert len(network) == sum(len(paths[p]) for p in paths if p.startswith("/v2.0/"))
    for operation in network:
        for content, _ in bodies(operation):
            assert list(content) == [JSON], operation["operationId"]


def test_every_operation_declares_a_default_fault_and_no_422_of_fastapis(
    api: FastAPI,
) -> None:
    for operation in operations(api):
        assert "default" in operation["responses"]
        assert "HTTPValidationError" not in json.dumps(operation)


def test_every_xml_example_is_what_the_codec_writes_of_the_json_one(
    api: FastAPI,
) -> None:
    for operation in negotiated(api):
        for content, write in bodies(operation):
            as_json, as_xml = examples(content[JSON]), examples(content[XML])
            assert as_json, operation["operationId"]
            assert as_xml == [write(document).decode() for document in as_json]


def examples(media: dict[str, Any]) -> list[Any]:
    if "example" in media:
        return [media["example"]]
    return [each["value"] for each in media["examples"].values()]


def test_the_roots_of_the_document_are_those_of_the_registry(api: FastAPI) -> None:
    assert {root for model in REQUESTS for root in model.model_fields} == set(
        CODEC.requests
    )
    assert {root for model in ANSWERS for root in model.model_fields} == set(
        CODEC.answers
    )


async def test_swagger_ui_and_all_it_loads_come_from_here(client: AsyncClient) -> None:
    page = await client.get("/docs")

    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert f"/docs/assets/{asset}" in page.text
        assert (await client.get(f"/docs/assets/{asset}")).status_code == 200
    assert (await client.get("/openapi.json")).json()["openapi"].startswith("3.1")


async def test_the_xml_schemas_are_served_beside_it(client: AsyncClient) -> None:
    for name, text in TEXTS.items():
        served = await client.get(f"/schemas/{name}", headers={"accept": JSON})

        assert served.headers["content-type"] == XML
        assert served.content == text
