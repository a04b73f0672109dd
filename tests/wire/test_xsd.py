import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from lxml import etree  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from app.faces import schemas
from app.main import ANSWERS, CODEC, REQUESTS
from app.wire import xsd
from app.wire.negotiation import ContentNegotiation
from app.wire.xml_codec import FAULTS as FAULT_NAMES
from app.wire.xml_reader import NAMESPACE
from app.wire.xml_shapes import NoShape
from tests.xml_schemas import (
    RESOURCES,
    TAKEN,
    TEXTS,
    check_answer,
    complaint_of_answer,
)

LIST = b"""<floating_ips>
    <floating_ip>
        <id>1</id>
        <ip>10.0.0.3</ip>
        <fixed_ip>11.0.0.1</fixed_ip>
        <instance_id>12</instance_id>
    </floating_ip>
</floating_ips>"""
DETAILS = b"""<floating_ip>
    <id>1</id>
    <ip>10.0.0.3</ip>
    <fixed_ip>null</fixed_ip>
    <instance_id>null</instance_id>
</floating_ip>"""
ASSOCIATE = b"""<?xml version="1.0" encoding="UTF-8"?>
<associate_address>
    <fixed_ip>10.0.0.3</fixed_ip>
</associate_address>"""
FAULT = (
    f'<itemNotFound xmlns="{NAMESPACE}" code="404"><message>No.</message>'
    "</itemNotFound>"
).encode()
SERVER = (
    b"<server><id>1</id><name>web</name><status>ACTIVE</status><addresses>"
    b"<private><address><version>4</version><addr>11.0.0.1</addr></address></private>"
    b"<public></public></addresses></server>"
)


@pytest.mark.parametrize("name", TEXTS)
def test_the_committed_schema_is_what_the_models_give(name: str) -> None:
    assert Path("openapi", name).read_bytes() == TEXTS[name], "run: make openapi"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_schema_needs_no_other_document(text: bytes) -> None:
    for word in (b"schemaLocation", b"xs:import", b"xs:include", b"DOCTYPE"):
        assert word not in text


def roots(text: bytes) -> set[str]:
    return {
        child.get("name")
        for child in etree.fromstring(text)
        if etree.QName(child).localname == "element"
    }


def test_the_roots_are_those_of_the_codec() -> None:
    assert roots(TEXTS["floating_ips.xsd"]) == CODEC.answers.keys() | CODEC.requests
    assert roots(TEXTS["requests.xsd"]) == set(CODEC.requests)
    assert roots(TEXTS["faults.xsd"]) == FAULT_NAMES


@pytest.mark.parametrize("sample", [LIST, DETAILS, ASSOCIATE])
def test_the_samples_of_the_draft_are_valid(sample: bytes) -> None:
    assert RESOURCES.complaint(sample) is None


def test_the_request_of_the_draft_is_a_request() -> None:
    assert TAKEN.complaint(ASSOCIATE) is None


VALID_ANSWERS = {
    "an empty list": b"<floating_ips></floating_ips>",
    "IPv6": DETAILS.replace(b"10.0.0.3", b"2001:db8::1"),
    "another order": DETAILS.replace(b"<id>1</id>", b"").replace(
        b"</floating_ip>", b"<id>1</id></floating_ip>"
    ),
    "a server": SERVER,
    "a quota without a limit": b"<quota_set><id>demo</id><floating_ips>-1"
    b"</floating_ips></quota_set>",
    "a fault": FAULT,
    "a fault of no name": FAULT.replace(b"itemNotFound", b"computeFault"),
    "a fault with a time": FAULT.replace(b'code="404"', b'code="404" retryAfter="1"'),
}


@pytest.mark.parametrize("answer", VALID_ANSWERS.values(), ids=VALID_ANSWERS)
def test_a_valid_answer(answer: bytes) -> None:
    assert complaint_of_answer(answer) is None


INVALID_ANSWERS = {
    "nova's attributes": b'<floating_ip instance_id="None" ip="10.10.10.1" '
    b'fixed_ip="None" id="1" pool="nova"/>',
    "None for a number": DETAILS.replace(b"<instance_id>null", b"<instance_id>None", 1),
    "None for an address": DETAILS.replace(b"<fixed_ip>null", b"<fixed_ip>None"),
    "no number": DETAILS.replace(b"<id>1<", b"<id><"),
    "no address": DETAILS.replace(b"<ip>10.0.0.3<", b"<ip><"),
    "no address, and no null": DETAILS.replace(b"<fixed_ip>null<", b"<fixed_ip><"),
    "null where nothing may be missing": DETAILS.replace(b"10.0.0.3", b"null"),
    "octets": DETAILS.replace(b"10.0.0.3", b"10.0.0.256"),
    "a member too few": DETAILS.replace(b"<id>1</id>", b""),
    "a member too many": DETAILS.replace(b"<id>1</id>", b"<id>1</id><pool>a</pool>"),
    "a member twice": DETAILS.replace(b"<id>1</id>", b"<id>1</id><id>1</id>"),
    "the name of the JSON model": LIST.replace(b"floating_ips>", b"ManyFloatingIPs>"),
    "a list that is not wrapped": DETAILS.replace(b"floating_ip>", b"floating_ips>"),
    "an unknown root": b"<floating_address/>",
    "a namespace of nova": LIST.replace(
        b"<floating_ips>", b'<floating_ips xmlns="http://docs.openstack.org/x">'
    ),
    "a request of the same root": b"<server><name>web</name></server>",
    "another status": SERVER.replace(b"ACTIVE", b"BUILD"),
    "a fault in no namespace": b'<itemNotFound code="404"><message/></itemNotFound>',
    "a fault whose code is an element": (
        f'<itemNotFound xmlns="{NAMESPACE}"><code>404</code><message>No.</message>'
        "</itemNotFound>"
    ).encode(),
    "a fault of another code": FAULT.replace(b"404", b"409"),
    "a fault without a sentence": f'<badRequest xmlns="{NAMESPACE}" code="400"/>'
    "".encode(),
}


@pytest.mark.parametrize("answer", INVALID_ANSWERS.values(), ids=INVALID_ANSWERS)
def test_an_invalid_answer(answer: bytes) -> None:
    assert complaint_of_answer(answer) is not None


REGISTER = (
    b"<server><project_id>a</project_id><name>web</name><fixed_ips>%s</fixed_ips>"
)
VALID_REQUESTS = {
    "the name alone": b"<server><name>web</name></server>",
    "any order": (REGISTER % b"<fixed_ip>11.0.0.1</fixed_ip>") + b"</server>",
    "a pool": b"<pool>public</pool>",
    "the pool that is meant": b"<pool>null</pool>",
    "nothing asked": b"<allocate_address></allocate_address>",
    "indented text": b"<pool>\n  public\n</pool>",
}
INVALID_REQUESTS = {
    "an answer of the same root": SERVER,
    "no address at all": (REGISTER % b"") + b"</server>",
    "None for an address": ASSOCIATE.replace(b"10.0.0.3", b"None"),
    "null for an address": ASSOCIATE.replace(b"10.0.0.3", b"null"),
    "an unknown member": b"<allocate_address><ip>1.2.3.4</ip></allocate_address>",
    "a space in a pool": b"<pool>a b</pool>",
    "a quota below none": b"<quota_set><floating_ips>-2</floating_ips></quota_set>",
}


@pytest.mark.parametrize("request_", VALID_REQUESTS.values(), ids=VALID_REQUESTS)
def test_a_valid_request_is_one_to_the_codec_as_well(request_: bytes) -> None:
    assert TAKEN.complaint(request_) is None
    assert CODEC.decode(request_)


@pytest.mark.parametrize("request_", INVALID_REQUESTS.values(), ids=INVALID_REQUESTS)
def test_an_invalid_request(request_: bytes) -> None:
    assert TAKEN.complaint(request_) is not None


def examples(body: dict[str, Any]) -> Iterator[bytes]:
    form = body.get("content", {}).get("application/xml", {})
    shown = [form["example"]] if "example" in form else []
    named = [each["value"] for each in form.get("examples", {}).values()]
    yield from (text.encode() for text in (*shown, *named))


def test_every_example_of_the_openapi_document_is_valid() -> None:
    document = json.loads(Path("openapi/openapi.json").read_text())
    seen = 0
    for item in document["paths"].values():
        for operation in item.values():
            for text in examples(operation.get("requestBody", {})):
                assert TAKEN.complaint(text) is None, text
            for answer in operation["responses"].values():
                for text in examples(answer):
                    assert complaint_of_answer(text) is None, text
                    seen += 1
    assert seen > 100


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
@pytest.mark.parametrize("name", TEXTS)
async def test_a_schema_is_served_as_xml_whatever_is_accepted(
    name: str, accept: str
) -> None:
    api = FastAPI()
    schemas.install(api, REQUESTS, ANSWERS)
    transport = httpx.ASGITransport(ContentNegotiation(api, CODEC))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get(f"/schemas/{name}", headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/xml"
    assert answer.content == TEXTS[name]


@pytest.mark.parametrize("body", [LIST, FAULT, b""])
async def test_the_hook_lets_valid_answers_pass(body: bytes) -> None:
    await check_answer(answered(body))


async def test_the_hook_fails_for_an_answer_that_is_not_valid() -> None:
    with pytest.raises(AssertionError):
        await check_answer(answered(INVALID_ANSWERS["no number"]))


def answered(body: bytes) -> httpx.Response:
    request = httpx.Request("GET", "http://here/os-floating-ips")
    headers = {"content-type": "application/xml"}
    return httpx.Response(200, headers=headers, content=body, request=request)


class Numbers(BaseModel):
    ratio: float
    sure: bool = True


class OneNumbers(BaseModel):
    numbers: Numbers


class Odd(BaseModel):
    odd: Annotated[str, Field(pattern="^(?i:a)$")]


class Unanchored(BaseModel):
    odd: Annotated[str, Field(pattern="a")]


class Open(BaseModel):
    odd: Numbers | Odd


class Untyped(BaseModel):
    odd: Any


def test_numbers_and_truth_values_have_types_of_their_own() -> None:
    text = xsd.schemas([OneNumbers], [])["requests.xsd"]

    assert b'type="xs:double"' in text
    assert b'minOccurs="0" type="xs:boolean"' in text


@pytest.mark.parametrize("envelope", [Odd, Unanchored, Open, Untyped])
def test_what_no_schema_can_describe_is_found_at_the_start(
    envelope: type[BaseModel],
) -> None:
    with pytest.raises(NoShape):
        xsd.schemas([envelope], [])


def test_a_name_is_the_name_of_one_model() -> None:
    other = type("Numbers", (BaseModel,), {"__annotations__": {"ratio": int}})
    another = type("Other", (BaseModel,), {"__annotations__": {"others": other}})

    with pytest.raises(NoShape):
        xsd.schemas([OneNumbers, another], [])
