"""Whatever is sent, the answer is a 4xx that says why, and nothing has changed."""

import json
from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import errors, faults
from app.database import LedgerDatabase
from tests import make

ADD = "/os-floating-ips/1/addFloatingIp"


@pytest.mark.parametrize(
    "floating_ip_id",
    [
        "0",
        "01",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        "%201",
        "1%20",
        "x",
        "null",
        "9223372036854775808",
        "99999999999999999999",
        "%D9%A1",
        "%00",
        "1%00",
        "%FF",
        "9" * 4000,
        "3a6e2f0e-9a3f-4a55-8f0e-0d6c7a8b9c0d",
    ],
)
@pytest.mark.parametrize("collection", ["os-floating-ips", "servers"])
async def test_an_id_that_can_be_none_is_404(
    client: AsyncClient, database: LedgerDatabase, collection: str, floating_ip_id: str
) -> None:
    path = f"/{collection}/{floating_ip_id}"

    for method in ("GET", "DELETE"):
        response = await client.request(method, path)
        assert response.status_code == 404
        assert "itemNotFound" in response.json()
        assert len(response.content) < 300


async def test_the_highest_id_is_404_and_no_error(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    response = await client.get("/os-floating-ips/9223372036854775807")

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The body"),
        (b"{", "not valid JSON"),
        (b"\xff", "JSON"),
        (b"[" * 60_000, "JSON"),
        (b"[]", "must be an object"),
        (b"null", "The body"),
        (b"{}", "associate_address: is required"),
        (b'{"associate_address": null}', "associate_address: must be an object"),
        (b'{"associate_address": {}}', "associate_address.fixed_ip: is required"),
        (b'{"associate_address": {"fixed_ip": null}}', "must be one IPv4 or IPv6"),
        (b'{"associate_address": {"fixed_ip": 1}}', "associate_address.fixed_ip '1':"),
        (b'{"associate_address": {"fixed_ip": NaN}}', "associate_address.fixed_ip"),
        (b'{"associate_address": {"fixed_ip": "a"}}', "fixed_ip 'a': must be one IPv4"),
        (b'{"associate_address": {"fixed_ip": "1.2.3.4/32"}}', "without prefix"),
        (b'{"associate_address": {"fixed_ip": "01.2.3.4"}}', "'01.2.3.4'"),
        (b'{"associate_address": {"fixed_ip": "::ffff:1.2.3.4"}}', "IPv4 mapping"),
        (b'{"associate_address": {"fixed_ip": "fe80::1%1"}}', "scope"),
        (b'{"associate_address": {"fixed_ip": "\\u0000"}}', "'\ufffd'"),
        (b'{"associate_address": {"fixed_ip": "1.2.3.4", "x": 1}}', "x '1': is no"),
        (b'{"associate_address": {"fixed_ip": "1.2.3.4"}, "y": {}}', "y: is no member"),
        (b'{"floating_ip": {}}', "is"),
        (b'{"associate_address": {"fixed_ip": "' + b"9" * 9999 + b'"}}', "9…'"),
    ],
)
async def test_a_body_out_of_rule_is_400_and_names_member_and_rule(
    client: AsyncClient, database: LedgerDatabase, body: bytes, told: str
) -> None:
    await make.pool(database)
    await make.floating_ip(client)

    response = await client.post(
        ADD, content=body, headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 400
    message = response.json()["badRequest"]["message"]
    assert told in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/os-floating-ips/1"),
        ("POST", "/os-floating-ips/1/removeFloatingIp"),
        ("DELETE", "/servers/1"),
    ],
)
async def test_body_less_operations_take_nothing_but_nothing(
    client: AsyncClient, database: LedgerDatabase, method: str, path: str
) -> None:
    as_json = {"Content-Type": "application/json"}

    for body in (b'{"a": 1}', b"[]", b"0", b'""', b"{"):
        response = await client.request(method, path, content=body, headers=as_json)
        assert response.status_code == 400
    for body in (b"", b"{}", b"null", b" {} "):
        response = await client.request(method, path, content=body, headers=as_json)
        assert response.status_code == 404
    response = await client.request(
        method, path, content=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert response.status_code == 415


@pytest.mark.parametrize("mount", ["", "/v1.1/demo"])
async def test_405_names_every_method_of_the_path(
    client: AsyncClient, mount: str
) -> None:
    response = await client.patch(f"{mount}/os-floating-ips/1")

    assert response.status_code == 405
    assert response.headers["Allow"] == "DELETE, GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/any", "/os-floating-ips/", "/os-floating-ips//", "/v1.1/os-floating-ips"]
)
async def test_an_unknown_path_is_a_fault_and_no_redirect(
    client: AsyncClient, path: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert "itemNotFound" in response.json()


async def test_a_body_over_the_limit_is_413(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    body = b" " * 65_537

    async def piecemeal() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 8192

    for content in (body, piecemeal()):
        response = await client.post(
            "/os-floating-ips",
            content=content,
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code == 413
        assert response.json()["overLimit"]["code"] == 413


def tree(error: type[errors.ApiError]) -> list[type[errors.ApiError]]:
    return [error, *(each for sub in error.__subclasses__() for each in tree(sub))]


def test_every_refusal_has_a_status_a_fault_and_a_docstring() -> None:
    for error in tree(errors.ApiError)[1:]:
        assert 400 <= error.status < 600
        assert faults.fault_name(error.status)
        assert error.__doc__
        if error.__module__ == "app.errors":
            assert error.__name__ in (errors.__doc__ or ""), error


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["pool", "allocate_address", "associate_address", "fixed_ip", "x"]),
    JSON_VALUES | st.dictionaries(st.sampled_from(["pool", "fixed_ip"]), JSON_VALUES),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(document=JSON_VALUES | MEMBERS)
async def test_no_json_document_is_an_error_of_ours(
    client: AsyncClient, document: object
) -> None:
    body = json.dumps(document).encode()
    as_json = {"Content-Type": "application/json"}
    for method, path in (
        ("POST", "/os-floating-ips"),
        ("POST", ADD),
        ("POST", "/servers"),
        ("DELETE", "/os-floating-ips/1"),
        ("PUT", "/os-quota-sets/demo"),
    ):
        response = await client.request(method, path, content=body, headers=as_json)
        assert response.status_code < 500, (method, path, body, response.text)
        assert response.status_code in (200, 400, 403, 404), response.text


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.binary(max_size=200), kind=st.sampled_from(["json", "xml"]))
async def test_no_bytes_are_an_error_of_ours(
    client: AsyncClient, body: bytes, kind: str
) -> None:
    response = await client.post(
        ADD, content=body, headers={"Content-Type": f"application/{kind}"}
    )

    assert response.status_code in (400, 404, 415), response.text
