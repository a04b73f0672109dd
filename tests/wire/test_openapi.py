import json
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI
from openapi_spec_validator import validate
from pydantic import BaseModel, ConfigDict

from app.wire.openapi import dual
from app.wire.xml_codec import Codec
from app.wire.xml_reader import NAMESPACE


class Address(BaseModel):
    model_config = ConfigDict(json_schema_extra={"xml": {"name": "address"}})

    addr: str


class FloatingIP(BaseModel):
    model_config = ConfigDict(json_schema_extra={"xml": {"name": "floating_ip"}})

    id: int
    fixed_ip: str | None
    addresses: list[Address]


EXAMPLE: dict[str, Any] = {
    "id": 1,
    "fixed_ip": None,
    "addresses": [{"addr": "11.0.0.1"}],
}


class OneFloatingIP(BaseModel):
    floating_ip: FloatingIP


class ManyFloatingIPs(BaseModel):
    floating_ips: list[FloatingIP]


class Allocation(BaseModel):
    pool: str


class Released(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"released": 7}]})

    released: int


class AllocateBody(BaseModel):
    pool: str | None = None
    allocate_address: Allocation | None = None


class Unknown(BaseModel):
    nobody: int


class FaultBody(BaseModel):
    code: int
    message: str


class NotFoundFault(BaseModel):
    itemNotFound: FaultBody  # noqa: N815  # OpenStack's name


CODEC = Codec([AllocateBody], [OneFloatingIP, ManyFloatingIPs, Released])
EXAMPLES: dict[str, list[Any]] = {
    "AllocateBody": [{"pool": "public"}, {"allocate_address": {"pool": "public"}}],
    "OneFloatingIP": [{"floating_ip": EXAMPLE}],
    "ManyFloatingIPs": [{"floating_ips": [EXAMPLE]}],
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    api = FastAPI()
    faults: dict[int | str, dict[str, Any]] = {404: {"model": NotFoundFault}}

    @api.post("/floating_ips", responses=faults)
    async def allocate(body: AllocateBody | None = None) -> OneFloatingIP:
        raise NotImplementedError

    @api.put("/floating_ips")
    async def again(
        body: Annotated[AllocateBody, Body(examples=[{"pool": "its own"}])],
    ) -> ManyFloatingIPs:
        raise NotImplementedError

    @api.delete("/floating_ips")
    async def release() -> Released:
        raise NotImplementedError

    @api.get("/unknown")
    async def unknown() -> Unknown:
        raise NotImplementedError

    @api.get("/v2.1/floating_ips")
    async def compute() -> ManyFloatingIPs:
        raise NotImplementedError

    return dual(api.openapi(), CODEC, EXAMPLES)


def _content(
    document: dict[str, Any], path: str, method: str, status: str | None
) -> Any:
    operation = document["paths"][path][method]
    body = operation["responses"][status] if status else operation["requestBody"]
    return body["content"]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


@pytest.mark.parametrize("status", [None, "200", "404"])
def test_json_stands_before_xml(document: dict[str, Any], status: str | None) -> None:
    content = _content(document, "/floating_ips", "post", status)

    assert list(content) == ["application/json", "application/xml"]


@pytest.mark.parametrize(
    ("path", "status"), [("/unknown", "200"), ("/v2.1/floating_ips", "200")]
)
def test_what_is_not_sent_as_xml_is_not_promised(
    document: dict[str, Any], path: str, status: str
) -> None:
    assert list(_content(document, path, "get", status)) == ["application/json"]


def test_the_schema_of_the_xml_is_the_inner_one(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "post", "200")

    inner = content["application/xml"]["schema"]

    assert inner == {"$ref": "#/components/schemas/FloatingIP"}


def test_lists_are_wrapped_at_every_depth(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "put", "200")
    components = document["components"]["schemas"]

    root = content["application/xml"]["schema"]["xml"]
    below = components["FloatingIP"]["properties"]["addresses"]["xml"]

    assert root == {"name": "floating_ips", "wrapped": True}
    assert below == {"wrapped": True}


def test_a_body_of_several_roots_is_a_choice(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "post", None)

    pool, allocation = content["application/xml"]["schema"]["oneOf"]
    examples = content["application/xml"]["examples"]

    assert pool == {"type": "string", "xml": {"name": "pool"}}
    assert allocation["xml"] == {"name": "allocate_address"}
    assert list(examples) == ["pool", "allocate_address"]
    assert examples["pool"]["value"].endswith("\n<pool>public</pool>")
    assert list(content["application/json"]["examples"]) == list(examples)


def test_examples_are_what_the_codec_writes(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "post", "200")

    example = content["application/json"]["example"]
    written = CODEC.encode(json.dumps(example).encode()).decode()

    assert example == {"floating_ip": EXAMPLE}
    assert content["application/xml"]["example"] == written


def test_a_fault_has_its_namespace_and_its_attribute(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "post", "404")["application/xml"]

    properties = content["schema"]["properties"]

    assert content["schema"]["xml"] == {"name": "itemNotFound", "namespace": NAMESPACE}
    assert properties["code"]["xml"] == {"attribute": True}
    assert 'code="404"' in content["example"]
    assert (
        "xml"
        not in document["components"]["schemas"]["FaultBody"]["properties"]["code"]
    )


def test_an_example_of_the_operation_goes_first(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "put", None)

    assert "its own" in json.dumps(content["application/xml"])


def test_an_example_of_the_model_goes_last(document: dict[str, Any]) -> None:
    content = _content(document, "/floating_ips", "delete", "200")

    example = content["application/xml"]["example"]

    assert example.endswith("\n<released>7</released>")


def test_doing_it_twice_changes_nothing(document: dict[str, Any]) -> None:
    before = json.dumps(document)

    dual(document, CODEC, EXAMPLES)

    assert json.dumps(document) == before
