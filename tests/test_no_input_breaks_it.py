"""Whatever a request says: no 5xx, a fault in the type asked for, and no trace of it.

Framing is beyond what a client library sends: see test_hostile.py.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from app.database import LedgerDatabase, snapshot
from app.wire.accept import JSON, choose
from app.wire.negotiation import is_aside
from app.wire.xml_codec import FAULTS
from app.wire.xml_reader import NAMESPACE
from tests import make

often = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

LEDGER = """
SELECT (SELECT json_agg(h ORDER BY h) FROM history h)::text,
       (SELECT json_agg(a ORDER BY a) FROM addresses a)::text,
       (SELECT json_agg(s ORDER BY s) FROM servers s)::text,
       (SELECT json_agg(f ORDER BY f) FROM fixed_ips f)::text,
       (SELECT json_agg(q ORDER BY q) FROM quotas q)::text,
       (SELECT json_agg(r ORDER BY r) FROM quota_shares r)::text,
       (SELECT json_agg(t ORDER BY t) FROM floating_ip_tags t)::text,
       (SELECT json_agg(m ORDER BY m) FROM former_addresses m)::text,
       (SELECT json_agg(p ORDER BY p) FROM pools p)::text
"""

OPERATIONS = (
    ("POST", "/os-floating-ips"),
    ("GET", "/os-floating-ips"),
    ("GET", "/os-floating-ips/1"),
    ("DELETE", "/os-floating-ips/1"),
    ("POST", "/os-floating-ips/1/addFloatingIp"),
    ("POST", "/os-floating-ips/1/removeFloatingIp"),
    ("GET", "/os-floating-ips/1/attributes"),
    ("PUT", "/os-floating-ips/1/attributes"),
    ("POST", "/os-floating-ips/batch"),
    ("POST", "/os-floating-ips/batch/release"),
    ("GET", "/os-floating-ip-pools"),
    ("GET", "/os-floating-ip-pools/public"),
    ("PUT", "/os-floating-ip-pools/public"),
    ("GET", "/os-floating-ip-holds"),
    ("POST", "/os-floating-ip-holds"),
    ("DELETE", "/os-floating-ip-holds/203.0.113.9"),
    ("POST", "/servers"),
    ("GET", "/servers"),
    ("GET", "/servers/1"),
    ("DELETE", "/servers/1"),
    ("GET", "/os-quota-sets/demo"),
    ("PUT", "/os-quota-sets/demo"),
    ("GET", "/os-floating-ips-bulk"),
    ("POST", "/os-floating-ips-bulk"),
    ("PUT", "/os-floating-ips-bulk/delete"),
)
SOMEBODY = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"
COMPUTE = (
    ("GET", "/"),
    ("GET", "/v2.1"),
    ("POST", "/v2.1/os-floating-ips"),
    ("GET", "/v2.1/demo/os-floating-ips"),
    ("GET", f"/v2/demo/os-floating-ips/{SOMEBODY}"),
    ("DELETE", f"/v2.1/os-floating-ips/{SOMEBODY}"),
    ("POST", "/v2/demo/servers"),
    ("GET", "/v2.1/servers"),
    ("GET", "/v2.1/demo/servers/detail"),
    ("POST", f"/v2.1/servers/{SOMEBODY}/action"),
    ("DELETE", f"/v2.1/demo/servers/{SOMEBODY}"),
    ("GET", "/v2.1/limits"),
    ("GET", "/v2.1/os-quota-sets/demo"),
    ("PUT", "/v2/demo/os-quota-sets/demo"),
    ("POST", "/v2.1/os-floating-ips-bulk"),
    ("PUT", "/v2.1/os-floating-ips-bulk/delete"),
)
"""Operations that have JSON alone, whatever `Accept` says."""

EVERYWHERE = OPERATIONS + COMPUTE
READS = [path for method, path in EVERYWHERE if method == "GET"]

anything = st.text(max_size=80)
header_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
    max_size=80,
)
"""What a server hands on: no controls, Latin-1."""

sound_values = {
    "Accept": ["application/json", "application/xml", "text/xml;q=0.5", "*/*", "a/b"],
    "Content-Type": [
        *("application/json", "application/xml", "text/plain"),
        "application/x-www-form-urlencoded",
    ],
    "X-Auth-Token": ["joe:demo", "admin:demo", "reader:demo", "eve:other", "x"],
    "X-Project-Id": ["demo", "other"],
    "If-Match": ['"1"', '"1-xml"', "*", 'W/"1"', "1"],
    "If-None-Match": ['"1"', '"1-xml"', "*"],
    "Content-Encoding": ["gzip", "identity"],
    "Transfer-Encoding": ["chunked"],
    "Content-Length": ["0", "2", "99999999999999999999", "-1"],
    "Expect": ["100-continue"],
    "Range": ["bytes=0-1"],
    "X-HTTP-Method-Override": ["DELETE"],
    "X-Forwarded-For": ["203.0.113.7"],
    "Idempotency-Key": ["1", "two words"],
    "Cookie": ["a=b"],
    "OpenStack-API-Version": ["compute 2.1", "compute latest", "compute 9.9", "2.1"],
    "X-OpenStack-Nova-API-Version": ["2.35", "latest", "2.36", "two"],
    "Host": ["other", ""],
}
names = st.sampled_from(list(sound_values))
header_lists = st.lists(
    names.flatmap(
        lambda name: st.tuples(
            st.just(name), st.sampled_from(sound_values[name]) | header_values
        )
    ),
    max_size=6,
)
bodies = st.sampled_from(
    [b"", b"{}", b"null", b"<pool>public</pool>", b'{"pool": "public"}', b"\xff"]
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body: bytes = b"",
    *,
    query: bytes = b"",
    raw_path: bytes | None = None,
) -> Answer:
    """Send what httpx would refuse to: the scope as a server makes it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": raw_path or quote(path).encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    coming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[Message] = []

    async def receive() -> Message:
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    start = said[0]
    fields = {n.decode(): v.decode("latin-1") for n, v in start["headers"]}
    sent = b"".join(each.get("body", b"") for each in said[1:])
    return Answer(start["status"], fields, sent)


async def ledger(database: LedgerDatabase) -> object:
    async with snapshot(database) as tx:
        return tuple(await tx.fetchrow(LEDGER) or ())


async def something_to_lose(client: httpx.AsyncClient, base: LedgerDatabase) -> object:
    """Fill an empty ledger once; what the examples make is left to stand."""
    before = await ledger(base)
    if before == (None,) * 9:
        await make.pool(base, "203.0.113.0/24")
        await make.quota(base, -1)
        await make.server(base, "10.0.0.3")
        await make.floating_ip(client, "10.0.0.3")
        before = await ledger(base)
    return before


async def check(
    answer: Answer, accept: str, before: object, database: LedgerDatabase, path: str
) -> None:
    assert answer.status < 500, answer
    if answer.status < 400:
        return
    assert await ledger(database) == before, answer
    offer = JSON if is_aside(path) else choose(accept) or JSON
    if path.endswith((".json", ".xml")):
        return
    assert answer.headers["content-type"] == offer.content_type.decode()
    name, code, message = fault_of(answer, is_xml=offer.is_xml)
    assert name in FAULTS
    assert code == answer.status
    assert 0 < len(message) < 400


def fault_of(answer: Answer, *, is_xml: bool) -> tuple[str, int, str]:
    if not is_xml:
        ((name, fault),) = json.loads(answer.body).items()
        return name, fault["code"], fault["message"]
    root = ElementTree.fromstring(answer.body)  # noqa: S314  # our own
    message = root.findtext(f"{{{NAMESPACE}}}message") or ""
    return root.tag.partition("}")[2], int(root.attrib["code"]), message


def accepted(headers: Sequence[tuple[str, str]]) -> str:
    return ",".join(value for name, value in headers if name.lower() == "accept")


@often
@given(
    operation=st.sampled_from(EVERYWHERE),
    token=st.sampled_from(["admin:demo", "joe:demo", ""]),
    headers=header_lists,
    body=bodies,
)
async def test_no_header_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    operation: tuple[str, str],
    token: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    before = await something_to_lose(client, database)
    method, path = operation
    if token:
        headers = [("X-Auth-Token", token), *headers]

    answer = await ask(app, method, path, headers, body)

    await check(answer, accepted(headers), before, database, path)


@often
@given(
    path=st.sampled_from(READS),
    query=st.binary(max_size=60)
    | st.lists(
        st.tuples(
            st.sampled_from(["limit", "marker", "name", "status", "x", ""]), anything
        ),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{n}={quote(v)}" for n, v in pairs).encode()),
    xml=st.booleans(),
)
async def test_no_query_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    path: str,
    query: bytes,
    xml: bool,  # an example, not an option
) -> None:
    before = await something_to_lose(client, database)
    accept = "application/xml" if xml else "application/json"
    headers = [("X-Auth-Token", "admin:demo"), ("Accept", accept)]

    answer = await ask(app, "GET", path, headers, query=query)

    await check(answer, accept, before, database, path)


segments = st.sampled_from(
    [
        *("attributes", "batch", "release"),
        *("os-floating-ip-pools", "os-floating-ip-holds", "public", "203.0.113.9"),
        "os-floating-ips",
        "servers",
        "os-quota-sets",
        "os-floating-ips-bulk",
        "delete",
        "addFloatingIp",
        "removeFloatingIp",
        *("v1.1", "v2", "v2.1"),
        *("detail", "action", "os-interface", "limits", SOMEBODY),
        "demo",
        "other",
        "1",
        "..",
        ".",
        "",
        "1.xml",
        "1.json",
    ]
)


@often
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    | st.from_regex(r"[A-Z]{1,10}", fullmatch=True),
    parts=st.lists(segments | anything, max_size=4),
    headers=header_lists,
    body=bodies,
)
async def test_no_path_and_no_method_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    method: str,
    parts: list[str],
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    """The path is what uvicorn makes of percent-encoding: any text at all."""
    before = await something_to_lose(client, database)
    path = "/" + "/".join(parts)
    raw_path = quote(path).encode()
    headers = [*headers, ("X-Auth-Token", "admin:demo")]

    answer = await ask(app, method, path, headers, body, raw_path=raw_path)

    if method == "HEAD":
        assert (answer.status < 500, answer.body) == (True, b"")
    else:
        await check(answer, accepted(headers), before, database, path)


elements = st.sampled_from(
    [
        "pool",
        "allocate_address",
        "associate_address",
        "fixed_ip",
        "fixed_ips",
        "server",
        "name",
        "project_id",
        "quota_set",
        "floating_ips",
        "floating_ips_bulk_create",
        "ip_range",
        "interface",
        *("address", "reuse_unassociated", "tags", "tag"),
        *("floating_ip_attributes", "description", "protected"),
        *("allocate_addresses", "count", "release_addresses", "ids", "id"),
        *("floating_ip_pool", "quarantine_seconds"),
        *("floating_ip_hold", "reason", "until"),
        "x",
    ]
)
texts = st.sampled_from(
    ["", "null", "public", "10.0.0.3", "203.0.113.9", "1", "-1", "true", " ", "::1"]
) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    max_size=20,
)
trees = st.recursive(
    st.tuples(elements, texts).map(lambda e: f"<{e[0]}>{escape(e[1])}</{e[0]}>"),
    lambda inner: st.tuples(elements, st.lists(inner, max_size=3)).map(
        lambda e: f"<{e[0]}>{''.join(e[1])}</{e[0]}>"
    ),
    max_leaves=6,
)
SOUND = (
    "<allocate_address><pool>public</pool></allocate_address>",
    "<associate_address><fixed_ip>10.0.0.3</fixed_ip></associate_address>",
    "<server><name>web</name><fixed_ips><fixed_ip>10.9.9.9</fixed_ip></fixed_ips></server>",
    "<quota_set><floating_ips>-1</floating_ips></quota_set>",
    "<ip_range>198.51.100.7</ip_range>",
    "<allocate_address><reuse_unassociated>true</reuse_unassociated>"
    "<tags><tag>web</tag></tags></allocate_address>",
    "<floating_ip_attributes><description>x</description><tags><tag>web</tag></tags>"
    "<protected>false</protected></floating_ip_attributes>",
    "<allocate_addresses><count>2</count><pool>public</pool></allocate_addresses>",
    "<release_addresses><ids><id>1</id><id>2</id></ids></release_addresses>",
    "<floating_ip_pool><quarantine_seconds>60</quarantine_seconds></floating_ip_pool>",
    "<floating_ip_hold><address>203.0.113.9</address><reason>why</reason>"
    "<until>2999-01-01T00:00:00Z</until></floating_ip_hold>",
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sound document with a few bytes changed, cut out or put in."""
    document = bytearray(draw(st.sampled_from(SOUND)).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(document)))
        document[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(document)


@often
@given(
    operation=st.sampled_from([o for o in OPERATIONS if o[0] != "GET"]),
    document=trees.map(str.encode) | mutated(),
    xml=st.booleans(),
)
async def test_no_xml_document_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    operation: tuple[str, str],
    document: bytes,
    xml: bool,
) -> None:
    before = await something_to_lose(client, database)
    accept = "application/xml" if xml else "application/json"
    headers = [
        ("X-Auth-Token", "admin:demo"),
        ("Accept", accept),
        ("Content-Type", "application/xml"),
        ("Content-Length", str(len(document))),
    ]
    method, path = operation

    answer = await ask(app, method, path, headers, document)

    await check(answer, accept, before, database, path)
    assert not await make.breaches(database)


members = st.sampled_from(
    [
        *("pool", "server", "name", "imageRef", "flavorRef", "networks", "metadata"),
        *("uuid", "fixed_ip", "port", "adminPass", "max_count", "quota_set"),
        *("floating_ips", "addFloatingIp", "removeFloatingIp", "address"),
        *("fixed_address", "floating_ips_bulk_create", "ip_range", "interface", "x"),
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "public", "web", "10.0.0.3", "203.0.113.9", "-1", "\x00"])
    | anything
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(members | anything, inner, max_size=4)
    ),
    max_leaves=8,
)


@often
@given(
    operation=st.sampled_from([o for o in COMPUTE if o[0] in ("POST", "PUT")]),
    document=documents | st.dictionaries(members, documents, min_size=1, max_size=1),
)
async def test_no_json_document_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    operation: tuple[str, str],
    document: object,
) -> None:
    before = await something_to_lose(client, database)
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    headers = [("X-Auth-Token", "admin:demo"), ("Content-Length", str(len(body)))]
    method, path = operation

    answer = await ask(app, method, path, headers, body)

    await check(answer, "", before, database, path)
    assert not await make.breaches(database)


addresses = st.ip_addresses().map(str) | st.ip_addresses().map(
    lambda ip: getattr(ip, "exploded", "")
)
odd_addresses = (
    addresses
    | addresses.map(lambda text: f"{text}/{len(text)}")
    | addresses.map(lambda text: f"{text}%1")
    | addresses.map(lambda text: f" {text}")
    | st.integers(-1, 2**129).map(str)
    | anything
)


@often
@given(address=odd_addresses, again=odd_addresses)
async def test_no_address_breaks_it(
    admin: httpx.AsyncClient, database: LedgerDatabase, address: str, again: str
) -> None:
    """A range that is right may be millions of addresses: those are refused."""
    await something_to_lose(admin, database)
    requests = (
        ("POST", "/servers", {"server": {"name": "w", "fixed_ips": [address, again]}}),
        (
            "POST",
            "/os-floating-ips/1/addFloatingIp",
            {"associate_address": {"fixed_ip": address}},
        ),
        ("POST", "/os-floating-ips", {"allocate_address": {"fixed_ip": address}}),
        ("POST", "/os-floating-ips", {"allocate_address": {"address": address}}),
        (
            "POST",
            "/os-floating-ip-holds",
            {"floating_ip_hold": {"address": address, "reason": "why"}},
        ),
        ("PUT", "/os-floating-ips-bulk/delete", {"ip_range": address}),
        ("POST", "/os-floating-ips-bulk", bulk(address)),
    )
    for method, path, body in requests:
        before = await ledger(database)

        response = await admin.request(method, path, json=body)

        assert response.status_code in (200, 202, 400, 404, 409), response.text
        if response.status_code >= 400:
            assert await ledger(database) == before
    assert not await make.breaches(database)


@often
@given(
    tags=st.lists(anything, max_size=3),
    associated=st.sampled_from(["true", "false", "TRUE", "", "1"]) | anything,
    xml=st.booleans(),
)
async def test_no_filter_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    tags: list[str],
    associated: str,
    xml: bool,
) -> None:
    before = await something_to_lose(client, database)
    accept = "application/xml" if xml else "application/json"
    headers = [("X-Auth-Token", "joe:demo"), ("Accept", accept)]
    asked = [*(f"tag={quote(tag)}" for tag in tags), f"associated={quote(associated)}"]
    path, query = "/os-floating-ips", "&".join(asked).encode()

    answer = await ask(app, "GET", path, headers, query=query)

    await check(answer, accept, before, database, path)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["web", "203.0.113.9", "2999-01-01T00:00:00Z", "\x00", "null"])
    | anything,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(elements | anything, inner, max_size=4)
    ),
    max_leaves=8,
)


@often
@given(
    operation=st.sampled_from([o for o in OPERATIONS if o[0] in ("POST", "PUT")]),
    body=st.dictionaries(
        elements, st.dictionaries(elements, values, max_size=3) | values, max_size=1
    ),
)
async def test_no_json_body_breaks_it(
    app: ASGIApp,
    client: httpx.AsyncClient,
    database: LedgerDatabase,
    operation: tuple[str, str],
    body: object,
) -> None:
    before = await something_to_lose(client, database)
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    headers = [
        ("X-Auth-Token", "admin:demo"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
    ]
    method, path = operation

    answer = await ask(app, method, path, headers, content)

    await check(answer, "", before, database, path)
    assert not await make.breaches(database)


def bulk(ip_range: str) -> dict[str, object]:
    return {"floating_ips_bulk_create": {"ip_range": ip_range, "pool": "more"}}


async def test_a_client_that_leaves_in_its_body_is_no_crash(
    app: ASGIApp, client: httpx.AsyncClient, database: LedgerDatabase
) -> None:
    before = await something_to_lose(client, database)
    token = ("X-Auth-Token", "admin:demo")
    for method, path in OPERATIONS:
        for kind in ("json", "xml"):
            for framing in (("Content-Length", "9"), ("Transfer-Encoding", "chunked")):
                headers = [token, ("Content-Type", f"application/{kind}"), framing]

                answer = await leave_early(app, method, path, headers)

                if method != "GET":
                    assert answer == 400, (method, path, kind, framing)
    for method, path in COMPUTE:
        if method in ("POST", "PUT"):
            headers = [token, ("Content-Length", "9")]
            assert await leave_early(app, method, path, headers) == 400, path
    assert await ledger(database) == before


async def leave_early(
    app: ASGIApp, method: str, path: str, headers: Sequence[tuple[str, str]]
) -> int:
    """Begin a body and go; return the status that nobody is there to hear."""
    statuses = []
    coming: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b"{", "more_body": True},
    ]
    if method == "DELETE":
        coming.pop()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(n.lower().encode(), v.encode()) for n, v in headers],
        "state": {},
    }

    async def receive() -> Message:
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    await app(scope, receive, send)
    return int(statuses[0])
