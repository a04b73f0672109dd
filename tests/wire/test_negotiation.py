"""Negotiation around a small app with the store of NEGOTIATION 2.4."""

import json
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from ipaddress import IPv4Address
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from app.errors import ApiError, FloatingIPNotFound
from app.faults import fault_name
from app.wire.negotiation import ContentNegotiation
from app.wire.xml_codec import Codec
from app.wire.xml_reader import MAX_BODY
from tests.negotiation_vectors import (
    Reply,
    Vector,
    ask,
    ask_vector,
    check,
    check_json_fault,
    check_xml_fault,
    load,
)

JSON_TYPE = ("content-type", "application/json")
XML_TYPE = ("content-type", "application/xml")
WANT_JSON = ("accept", "application/json")
WANT_XML = ("accept", "application/xml")
ADD = "/os-floating-ips/2/addFloatingIp"
ASSOCIATE_JSON = b'{"associate_address": {"fixed_ip": "10.0.0.9"}}'
ASSOCIATE_XML = b"<associate_address><fixed_ip>10.0.0.9</fixed_ip></associate_address>"


class FloatingIP(BaseModel):
    model_config = ConfigDict(json_schema_extra={"xml": {"name": "floating_ip"}})

    id: int
    ip: str
    fixed_ip: str | None
    instance_id: int | None


class OneFloatingIP(BaseModel):
    floating_ip: FloatingIP


class ManyFloatingIPs(BaseModel):
    floating_ips: list[FloatingIP]


class AssociateAddress(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fixed_ip: IPv4Address


class AssociateBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    associate_address: AssociateAddress


class Allocation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pool: str | None = None
    tags: list[Annotated[str, Field(json_schema_extra={"xml": {"name": "tag"}})]] = []


class AllocateBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pool: str | None = None
    allocate_address: Allocation | None = None


CODEC = Codec(
    requests=[AssociateBody, AllocateBody], answers=[OneFloatingIP, ManyFloatingIPs]
)


FIRST = FloatingIP(id=1, ip="10.0.0.3", fixed_ip="11.0.0.1", instance_id=12)
odd = APIRouter()
"""Routes that no service has."""


@odd.get("/boom")
async def boom() -> None:
    raise RuntimeError("secret")


@odd.get("/gone", status_code=204)
async def gone() -> None:
    return None


@odd.get("/weird")
async def weird() -> dict[str, int]:
    return {"nobody": 1, "knows": 2}


@odd.get("/etag")
async def etag(request: Request) -> Response:
    if request.headers.get("if-none-match") in ('"abc"', "*"):
        return Response(status_code=304, headers={"etag": '"abc"'})
    document = OneFloatingIP(floating_ip=FIRST)
    headers = {"etag": '"abc"', "vary": "Origin"}
    return JSONResponse(document.model_dump(), headers=headers)


@odd.delete("/etag")
async def conditional(request: Request) -> Response:
    matches = request.headers.get("if-match") == '"abc"'
    return Response(status_code=202 if matches else 412)


@odd.get("/page")
async def page() -> HTMLResponse:
    return HTMLResponse("<p>hello</p>")


@odd.get("/pieces")
async def pieces() -> StreamingResponse:
    async def stream() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        yield b"data: 2\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@odd.get("/slow")
async def slow() -> StreamingResponse:
    async def stream() -> AsyncIterator[bytes]:
        yield b'{"floating_ips"'
        yield b": []}"

    return StreamingResponse(stream(), media_type="application/json")


@odd.get("/plain")
async def plain() -> PlainTextResponse:
    return PlainTextResponse("hello")


@odd.get("/teapot")
async def teapot() -> PlainTextResponse:
    headers = {"retry-after": "7"}
    return PlainTextResponse("secret", status_code=429, headers=headers)


for _path in ("/v2.1/thing", "/services/Cloud", "/metrics", "/docsx"):
    odd.get(_path)(weird)


class Service:
    """The app inside its negotiation, its store, and what the store was told."""

    def __init__(self) -> None:
        self.store = {
            1: FIRST.model_copy(),
            2: FloatingIP(id=2, ip="10.0.0.4", fixed_ip=None, instance_id=None),
        }
        self.bodies: list[Any] = []
        self.scopes: list[Scope] = []
        api = FastAPI(max_body_size=MAX_BODY)
        _install_errors(api)
        _install_routes(api, self)
        api.include_router(odd)
        self.app = ContentNegotiation(self._seen(api), CODEC)

    def _seen(self, api: FastAPI) -> Callable[..., Any]:
        async def seen(scope: Scope, receive: Receive, send: Send) -> None:
            self.scopes.append(scope)
            await api(scope, receive, send)

        return seen

    def find(self, floating_ip_id: str) -> FloatingIP:
        for key, floating_ip in self.store.items():
            if str(key) == floating_ip_id:
                return floating_ip
        raise FloatingIPNotFound(floating_ip_id)


def _install_errors(api: FastAPI) -> None:
    def fault(status: int, message: str, headers: Any = None) -> JSONResponse:
        document = {fault_name(status): {"code": status, "message": message}}
        return JSONResponse(document, status, headers)

    @api.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> Response:
        return fault(error.status, str(error), error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return fault(400, "The body is wrong.")

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        return fault(error.status_code, phrase, error.headers)

    @api.exception_handler(Exception)
    async def crashed(request: Request, error: Exception) -> Response:
        return fault(500, "It failed.")


def _install_routes(api: FastAPI, service: Service) -> None:
    @api.get("/os-floating-ips")
    async def index() -> ManyFloatingIPs:
        return ManyFloatingIPs(floating_ips=list(service.store.values()))

    @api.post("/os-floating-ips")
    async def allocate(body: AllocateBody | None = None) -> OneFloatingIP:
        service.bodies.append(body)
        service.store[3] = FloatingIP(
            id=3, ip="10.0.0.5", fixed_ip=None, instance_id=None
        )
        return OneFloatingIP(floating_ip=service.store[3])

    @api.get("/os-floating-ips/{key}")
    async def show(key: str) -> OneFloatingIP:
        return OneFloatingIP(floating_ip=service.find(key))

    @api.delete("/os-floating-ips/{key}")
    async def release(key: str) -> Response:
        del service.store[service.find(key).id]
        return Response(status_code=202)

    @api.post("/os-floating-ips/{key}/addFloatingIp")
    async def add(key: str, body: AssociateBody) -> Response:
        service.bodies.append(body)
        service.find(key).fixed_ip = str(body.associate_address.fixed_ip)
        return Response(status_code=202)

    @api.post("/os-floating-ips/{key}/removeFloatingIp")
    async def remove(key: str) -> Response:
        service.find(key).fixed_ip = None
        return Response(status_code=202)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.mark.parametrize("vector", load(), ids=lambda v: f"{v.n} {v.name}")
async def test_vector(vector: Vector, service: Service) -> None:
    reply = await ask_vector(service.app, vector)

    check(vector, reply)
    if vector.store is not None:
        assert sorted(service.store) == vector.store


async def _get(service: Service, path: str, *headers: tuple[str, str]) -> Reply:
    return await ask(service.app, "GET", path, headers)


async def test_several_accept_lines_are_one_list(service: Service) -> None:
    first, second = ("accept", "text/html"), ("accept", "application/xml")

    reply = await _get(service, "/os-floating-ips", first, second)

    assert reply.header("content-type") == "application/xml"


async def test_a_chunked_empty_body_is_none(service: Service) -> None:
    foreign = ("content-type", "image/png")

    reply = await ask(service.app, "POST", "/os-floating-ips", [foreign], [b"", b""])

    assert reply.status == 200
    assert service.bodies == [None]


async def test_a_chunked_body_of_a_foreign_type_is_refused(service: Service) -> None:
    foreign = ("content-type", "image/png")

    reply = await ask(service.app, "POST", ADD, [foreign], [b"", b"x", b""])

    assert reply.status == 415
    assert "application/json" in (reply.header("accept") or "")


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        (XML_TYPE, [b"", ASSOCIATE_XML[:9], b"", ASSOCIATE_XML[9:], b""]),
        (JSON_TYPE, [b"", ASSOCIATE_JSON[:9], b"", ASSOCIATE_JSON[9:], b""]),
        (("content-type", "text/xml; charset=us-ascii"), [ASSOCIATE_XML]),
        (
            ("content-type", "application/vnd.openstack.compute+json"),
            [ASSOCIATE_JSON],
        ),
        (("content-type", "application/vnd.openstack.compute+xml"), [ASSOCIATE_XML]),
    ],
)
async def test_a_body_may_come_in_pieces(
    kind: tuple[str, str], pieces: list[bytes], service: Service
) -> None:
    reply = await ask(service.app, "POST", ADD, [kind], pieces)

    assert reply.status == 202, reply.body
    assert service.store[2].fixed_ip == "10.0.0.9"


@pytest.mark.parametrize("kind", [JSON_TYPE, XML_TYPE])
async def test_a_chunked_body_may_not_grow_over_the_limit(
    kind: tuple[str, str], service: Service
) -> None:
    pieces = [b" " * 1024] * 65

    reply = await ask(service.app, "POST", ADD, [kind, WANT_XML], pieces)

    assert reply.status == 413
    assert reply.header("connection") == "close"
    check_xml_fault(reply.body, "overLimit", 413)


async def test_the_limit_holds_before_the_body_is_read(service: Service) -> None:
    long = ("content-length", str(MAX_BODY + 1))

    reply = await ask(service.app, "POST", ADD, [JSON_TYPE, long])

    assert reply.status == 413
    assert service.scopes == []


async def test_a_body_as_long_as_the_limit_is_read(service: Service) -> None:
    body = ASSOCIATE_JSON.ljust(MAX_BODY)

    reply = await ask(service.app, "POST", ADD, [JSON_TYPE], body)

    assert reply.status == 202


async def test_the_limit_of_the_app_itself_is_a_fault(service: Service) -> None:
    # Quotation marks are escaped in JSON, so XML below the limit can end above it.
    tag = b"<tag>" + b'"' * 4000 + b"</tag>"
    body = b"<allocate_address><tags>%b</tags></allocate_address>" % (tag * 14)
    assert len(body) < MAX_BODY

    reply = await ask(service.app, "POST", "/os-floating-ips", [XML_TYPE], body)

    assert reply.status == 413
    check_json_fault(reply.body, "overLimit", 413)


async def test_two_content_types_are_refused(service: Service) -> None:
    headers = [JSON_TYPE, XML_TYPE]

    reply = await ask(service.app, "POST", ADD, headers, ASSOCIATE_JSON)

    assert reply.status == 415


async def test_the_identity_coding_is_none(service: Service) -> None:
    headers = [JSON_TYPE, ("content-encoding", "Identity")]

    reply = await ask(service.app, "POST", ADD, headers, ASSOCIATE_JSON)

    assert reply.status == 202


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"<pool>public</pool>", AllocateBody(pool="public")),
        (b"<pool>null</pool>", AllocateBody()),
        (
            b"<allocate_address/>",
            AllocateBody(allocate_address=Allocation()),
        ),
        (
            b"<allocate_address><tags><tag>a</tag><tag/></tags></allocate_address>",
            AllocateBody(allocate_address=Allocation(tags=["a", ""])),
        ),
    ],
)
async def test_one_body_may_have_several_roots(
    body: bytes, wanted: AllocateBody, service: Service
) -> None:
    reply = await ask(service.app, "POST", "/os-floating-ips", [XML_TYPE], body)

    assert reply.status == 200, reply.body
    assert service.bodies == [wanted]


async def test_a_known_root_in_the_wrong_place_is_the_apps_to_refuse(
    service: Service,
) -> None:
    reply = await ask(service.app, "POST", ADD, [XML_TYPE], b"<pool>public</pool>")

    check_json_fault(reply.body, "badRequest", 400)


@pytest.mark.parametrize("wanted", [WANT_JSON, WANT_XML])
@pytest.mark.parametrize("path", ["/os-floating-ips", "/nowhere", "/page", "/pieces"])
async def test_head_has_the_headers_of_get(
    path: str, wanted: tuple[str, str], service: Service
) -> None:
    got = await ask(service.app, "GET", path, [wanted])

    reply = await ask(service.app, "HEAD", path, [wanted])

    assert reply.body == b""
    assert (reply.status, reply.headers) == (got.status, got.headers)


async def test_plain_json_passes_without_being_gathered(service: Service) -> None:
    reply = await _get(service, "/slow", WANT_JSON)

    assert reply.pieces > 1
    assert json.loads(reply.body) == {"floating_ips": []}


async def test_json_in_pieces_becomes_one_xml(service: Service) -> None:
    reply = await _get(service, "/slow", WANT_XML)

    assert reply.pieces == 1
    assert reply.body.endswith(b"\n<floating_ips></floating_ips>")


async def test_the_vendors_json_is_only_renamed(service: Service) -> None:
    vendor = "application/vnd.openstack.compute+json"

    reply = await _get(service, "/slow", ("accept", vendor))

    assert reply.header("content-type") == vendor
    assert reply.pieces > 1


@pytest.mark.parametrize(
    ("path", "kind", "pieces"),
    [
        ("/page", "text/html; charset=utf-8", 1),
        ("/pieces", "text/event-stream; charset=utf-8", 3),
        ("/plain", "text/plain; charset=utf-8", 1),
    ],
)
async def test_other_types_pass_as_they_come(
    path: str, kind: str, pieces: int, service: Service
) -> None:
    reply = await _get(service, path, WANT_XML)

    assert (reply.status, reply.header("content-type")) == (200, kind)
    assert reply.header("vary") == "Accept"
    assert reply.pieces == pieces


async def test_a_refusal_in_plain_text_becomes_a_fault(service: Service) -> None:
    reply = await _get(service, "/teapot", WANT_XML)

    check_xml_fault(reply.body, "overLimit", 429)
    assert reply.header("retry-after") == "7"
    assert b"secret" not in reply.body


@pytest.mark.parametrize(
    "path", ["/docs", "/v2.1/thing", "/services/Cloud", "/metrics", "/v2/nowhere"]
)
async def test_some_paths_have_types_of_their_own(path: str, service: Service) -> None:
    reply = await _get(service, path, ("accept", "application/xml"))

    assert "xml" not in (reply.header("content-type") or "")
    assert reply.header("vary") is None


@pytest.mark.parametrize("path", ["/docsx", "/weird", "/v2x", "/services/Cloudy"])
async def test_paths_that_only_begin_alike_are_negotiated(
    path: str, service: Service
) -> None:
    reply = await _get(service, path, ("accept", "image/png"))

    assert reply.status == 406


async def test_the_root_path_does_not_count(service: Service) -> None:
    scopes: list[Scope] = []

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        scope["root_path"] = "/below"
        scopes.append(scope)
        await service.app(scope, receive, send)

    aside = await ask(mounted, "GET", "/below/docs", [WANT_XML])
    suffixed = await ask(mounted, "GET", "/below/os-floating-ips.xml")

    assert aside.header("vary") is None
    assert suffixed.header("content-type") == "application/xml"


async def test_vary_keeps_what_the_app_said(service: Service) -> None:
    reply = await _get(service, "/etag")

    assert reply.header("vary") == "Origin, Accept"
    assert reply.header("etag") == '"abc"'


@pytest.mark.parametrize(
    ("wanted", "tag", "status", "answered"),
    [
        (WANT_XML, '"abc-xml"', 304, '"abc-xml"'),
        (WANT_XML, 'W/"x", "abc-xml"', 304, '"abc-xml"'),
        (WANT_XML, "*", 304, '"abc-xml"'),
        (WANT_XML, '"abc"', 200, '"abc-xml"'),
        (WANT_JSON, '"abc-xml"', 200, '"abc"'),
        (WANT_JSON, '"abc"', 304, '"abc"'),
    ],
)
async def test_each_representation_has_its_own_tag(
    wanted: tuple[str, str], tag: str, status: int, answered: str, service: Service
) -> None:
    reply = await _get(service, "/etag", wanted, ("if-none-match", tag))

    assert (reply.status, reply.header("etag")) == (status, answered)


@pytest.mark.parametrize(
    ("tag", "status"), [('"abc"', 202), ('"abc-xml"', 202), ('"x-xml"', 412)]
)
async def test_a_write_may_name_either_tag(
    tag: str, status: int, service: Service
) -> None:
    reply = await ask(service.app, "DELETE", "/etag", [("if-match", tag)])

    assert reply.status == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/os-floating-ips/1.xml", 200),
        ("/os-floating-ips/1.json", 200),
        ("/os-floating-ips/1.XML", 404),
        ("/os-floating-ips/1.html", 404),
        ("/os-floating-ips.xml/1", 404),
        ("/os-floating-ips/.xml", 404),
        ("/openapi.json.xml", 404),
        ("/docs.xml", 404),
    ],
)
async def test_only_a_known_suffix_at_the_end_counts(
    path: str, status: int, service: Service
) -> None:
    reply = await _get(service, path, WANT_JSON)

    assert reply.status == status


async def test_a_suffix_makes_accept_meaningless(service: Service) -> None:
    reply = await _get(service, "/os-floating-ips/1.xml", ("accept", "image/png"))

    assert reply.status == 200


async def test_a_suffix_leaves_the_raw_path_alone(service: Service) -> None:
    await _get(service, "/os-floating-ips.xml")

    (scope,) = service.scopes
    assert scope["path"] == "/os-floating-ips"
    assert scope["raw_path"] == b"/os-floating-ips.xml"


async def test_the_route_is_seen_outside_although_the_scope_is_a_copy(
    service: Service,
) -> None:
    scopes: list[Scope] = []

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await service.app(scope, receive, send)

    await ask(logged, "HEAD", "/os-floating-ips/1.xml")

    assert scopes[0]["route"].path == "/os-floating-ips/{key}"
    assert scopes[0]["method"] == "HEAD"


@pytest.mark.parametrize("wanted", [WANT_JSON, WANT_XML])
async def test_a_crash_is_raised_for_the_log(
    wanted: tuple[str, str], service: Service
) -> None:
    reply = await _get(service, "/boom", wanted)

    assert reply.status == 500
    assert isinstance(reply.raised, RuntimeError)


@pytest.mark.parametrize("wanted", [WANT_JSON, WANT_XML])
async def test_a_crash_outside_of_all_handlers_is_a_fault(
    wanted: tuple[str, str],
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("secret")

    reply = await ask(ContentNegotiation(app, CODEC), "GET", "/any", [wanted])

    checked = check_xml_fault if wanted == WANT_XML else check_json_fault
    checked(reply.body, "computeFault", 500)
    assert b"secret" not in reply.body
    assert isinstance(reply.raised, RuntimeError)


async def test_a_crash_in_the_midst_of_an_answer_is_not_mended() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await ask(ContentNegotiation(app, CODEC), "GET", "/")


async def test_a_crash_behind_a_held_answer_is_a_fault() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise RuntimeError

    reply = await ask(ContentNegotiation(app, CODEC), "GET", "/any", [WANT_XML])

    check_xml_fault(reply.body, "computeFault", 500)


async def test_an_answer_without_a_schema_is_our_fault(service: Service) -> None:
    reply = await _get(service, "/weird", WANT_XML)

    check_xml_fault(reply.body, "computeFault", 500)
    assert reply.raised is not None


async def test_the_client_may_leave_in_the_midst_of_its_body(service: Service) -> None:
    length = ("content-length", "200")

    reply = await ask(service.app, "POST", ADD, [XML_TYPE, length])

    assert reply.status == 400


async def test_what_is_not_http_passes(service: Service) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def nothing(*message: Message) -> Message:
        return {}

    async def ignore(message: Message) -> None:
        return None

    scope = {"type": "lifespan"}
    await ContentNegotiation(app, CODEC)(scope, nothing, ignore)

    assert seen == [scope]
