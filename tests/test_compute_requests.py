"""What is the same for every request to the compute face: place, version, bytes."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI, Request
from httpx import AsyncClient
from starlette.responses import Response
from starlette.types import ASGIApp

from app.database import LedgerDatabase
from app.main import wrap
from tests import make
from tests.conftest import make_client

PATH = "/v2.1/os-floating-ips"
NEW, OLD = "OpenStack-API-Version", "X-OpenStack-Nova-API-Version"


@pytest.mark.parametrize("mount", ["/v2.1", "/v2.1/demo", "/v2/demo", "/v2"])
async def test_the_face_stands_at_each_of_its_places(
    client: AsyncClient, database: LedgerDatabase, mount: str
) -> None:
    await make.pool(database)

    allocated = await client.post(f"{mount}/os-floating-ips")
    listed = await client.get(f"{mount}/os-floating-ips")

    floating_ip = allocated.json()["floating_ip"]
    assert listed.json() == {"floating_ips": [floating_ip]}
    shown = await client.get(f"{PATH}/{floating_ip['id']}")
    assert shown.json() == {"floating_ip": floating_ip}


@pytest.mark.parametrize("mount", ["/v2.1/other", "/v2/other", "/v2.1/", "/v2/"])
async def test_another_project_in_the_path_is_400(
    client: AsyncClient, database: LedgerDatabase, mount: str
) -> None:
    for path in ("os-floating-ips", "servers/detail", "limits", "extensions"):
        response = await client.get(f"{mount}/{path}")

        assert response.status_code == 400, path


async def test_an_admin_acts_as_the_project_in_the_path(
    admin: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    await admin.post("/v2.1/other/os-floating-ips")
    await admin.post("/v2/other/os-floating-ips")

    assert len((await stranger.get(PATH)).json()["floating_ips"]) == 2
    assert (await admin.get(PATH)).json() == {"floating_ips": []}


@pytest.mark.parametrize("project_id", ["%00", "a%20b", "x" * 256, "%C3%A9"])
async def test_an_admin_cannot_act_as_what_is_no_project(
    admin: AsyncClient, project_id: str
) -> None:
    response = await admin.get(f"/v2.1/{project_id}/os-floating-ips")

    assert response.status_code == 400


async def test_a_project_may_be_called_like_anything_but_a_resource(
    app: ASGIApp, database: LedgerDatabase
) -> None:
    for project_id in ("v2.1", "detail", "action", "ips", "1", "delete"):
        async with make_client(app, f"joe:{project_id}") as client:
            response = await client.get(f"/v2.1/{project_id}/servers")
        assert response.json() == {"servers": []}


@pytest.mark.parametrize(
    "path",
    [
        "/v2.1/demo",
        "/v2.1/demo/",
        "/v2/demo",
        "/v2.1/nobody",
        "/v2.1/demo/nobody",
        "/v2.1/demo/demo/servers",
        "/v2.1/servers/",
        "/v2.1//",
        "/v2.1/os-floating-ips-bulk/host1",
        "/v2.1/flavors",
        "/v2.1/images/detail",
        "/v2.1/os-floating-ip-dns",
        "/v2.1/extensions/nobody",
    ],
)
async def test_a_path_that_is_none_is_404(client: AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert response.json()["itemNotFound"]["code"] == 404


@pytest.mark.parametrize("path", ["/v2.2/servers", "/v2.10", "/v2.1x/servers", "/v20"])
async def test_a_version_that_is_none_is_404(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, "2.1"),
        ({NEW: "compute 2.1"}, "2.1"),
        ({NEW: "compute 2.35"}, "2.35"),
        ({NEW: "compute latest"}, "2.35"),
        ({NEW: "Compute  Latest"}, "2.35"),
        ({NEW: "volume 3.50, compute 2.10"}, "2.10"),
        ({NEW: "compute 2.3, compute 2.4"}, "2.4"),
        ({NEW: "volume 3.50"}, "2.1"),
        ({NEW: ""}, "2.1"),
        ({OLD: "2.35"}, "2.35"),
        ({OLD: "latest"}, "2.35"),
        ({OLD: ""}, "2.1"),
        ({NEW: "compute 2.5", OLD: "2.6"}, "2.5"),
        ({NEW: "volume 3.50", OLD: "2.6"}, "2.6"),
        ({NEW: "compute 2.5", OLD: "nonsense"}, "2.5"),
    ],
)
async def test_the_microversion_asked_for_is_echoed_in_both_headers(
    client: AsyncClient,
    database: LedgerDatabase,
    headers: dict[str, str],
    version: str,
) -> None:
    for path in (PATH, f"{PATH}/nobody", "/v2.1/nobody", "/v2.1"):
        response = await client.get(path, headers=headers)

        assert response.headers[NEW] == f"compute {version}"
        assert response.headers[OLD] == version
        assert response.headers["Vary"] == f"{NEW}, {OLD}"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({NEW: "compute 2.36"}, 406),
        ({NEW: "compute 2.100"}, 406),
        ({NEW: "compute 2.0"}, 406),
        ({NEW: "compute 1.1"}, 406),
        ({NEW: "compute 3.1"}, 406),
        ({OLD: "2.36"}, 406),
        ({NEW: "compute"}, 400),
        ({NEW: "compute 2"}, 400),
        ({NEW: "compute 2.01"}, 400),
        ({NEW: "compute 2.1.1"}, 400),
        ({NEW: "compute two"}, 400),
        ({NEW: "compute 2.-1"}, 400),
        ({NEW: "compute 2.9999999999"}, 400),
        ({OLD: "compute 2.1"}, 400),
        ({OLD: "2.x"}, 400),
        ({NEW: "compute \xb2.1"}, 400),
    ],
)
async def test_a_microversion_that_is_none_of_ours_is_refused_before_any_effect(
    client: AsyncClient,
    database: LedgerDatabase,
    headers: dict[str, str],
    status: int,
) -> None:
    await make.pool(database)
    encoded = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]

    response = await client.post(PATH, headers=encoded)

    assert response.status_code == status
    fault = "computeFault" if status == 406 else "badRequest"
    assert response.json()[fault]["code"] == status
    assert response.headers[NEW] == "compute 2.1"
    assert (await client.get(PATH)).json() == {"floating_ips": []}


async def test_without_microversions_the_header_means_nothing(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    for value in ("compute 2.36", "nonsense"):
        response = await client.get("/v2/demo/servers", headers={NEW: value})

        assert response.status_code == 200
        assert NEW not in response.headers


@pytest.mark.parametrize("accept", ["", "application/xml", "text/html;q=0.1", "a/b"])
async def test_accept_means_nothing(
    client: AsyncClient, database: LedgerDatabase, accept: str
) -> None:
    for path in (PATH, f"{PATH}/nobody", "/", "/v1.1", "/v2.1/nobody"):
        response = await client.get(path, headers={"Accept": accept})

        assert response.status_code in (200, 404)
        assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [PATH, "/v2.1", "/", "/v2.1/servers/detail"])
async def test_head_is_get_without_a_body(
    client: AsyncClient, database: LedgerDatabase, path: str
) -> None:
    head, get = await client.head(path), await client.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/plain; charset=utf-8",
        "application/json",
        "application/json; charset=UTF-8",
        "APPLICATION/JSON",
        "application/vnd.openstack.compute+json",
    ],
)
async def test_a_body_is_json_however_it_is_called(
    client: AsyncClient, database: LedgerDatabase, kind: str | None
) -> None:
    await make.pool(database)
    await make.pool(database, "198.51.100.7", name="other")
    headers = {} if kind is None else {"Content-Type": kind}

    response = await client.post(PATH, content=b'{"pool": "other"}', headers=headers)

    assert response.json()["floating_ip"]["pool"] == "other"


@pytest.mark.parametrize(
    "kind",
    [
        "application/xml",
        "text/html",
        "text/csv",
        "json",
        "application/json, text/plain",
        "multipart/form-data; boundary=x",
    ],
)
async def test_a_body_of_another_type_is_415(
    client: AsyncClient, database: LedgerDatabase, kind: str
) -> None:
    for method, path in (
        ("POST", PATH),
        ("PUT", "/v2.1/os-quota-sets/demo"),
        ("POST", "/v2/demo/servers"),
        ("DELETE", f"{PATH}/nobody"),
    ):
        response = await client.request(
            method, path, content=b"{}", headers={"Content-Type": kind}
        )

        assert response.status_code == 415, path
        assert response.headers["Accept"] == "application/json"


async def test_a_type_without_a_body_means_nothing(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)

    response = await client.post(PATH, headers={"Content-Type": "text/csv"})

    assert response.status_code == 200


async def test_a_compressed_body_is_415(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    response = await client.post(
        PATH, content=b"{}", headers={"Content-Encoding": "gzip"}
    )

    assert response.status_code == 415
    assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("body", "pool"),
    [
        (b"pool=other", "other"),
        (b"pool=public&pool=other", "other"),
        (b"x=1&pool=oth%65r", "other"),
        (b"pool=", "public"),
        (b"x", "public"),
        (b"&&", "public"),
    ],
)
@pytest.mark.parametrize("mount", ["/v2.1", "/v2.1/demo", "/v2/demo"])
async def test_a_form_allocates_too(
    client: AsyncClient, database: LedgerDatabase, mount: str, body: bytes, pool: str
) -> None:
    """As python-openstackclient 7 to 9 send it."""
    await make.pool(database)
    await make.pool(database, "198.51.100.7", name="other")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    response = await client.post(f"{mount}/os-floating-ips", content=body, headers=form)

    assert response.json()["floating_ip"]["pool"] == pool


@pytest.mark.parametrize("body", [b"\xff=1", b"&".join([b"a=1"] * 65)])
async def test_a_form_that_cannot_be_read_is_400(
    client: AsyncClient, database: LedgerDatabase, body: bytes
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    response = await client.post(PATH, content=body, headers=form)

    assert response.status_code == 400


async def test_a_form_is_taken_nowhere_else(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    for path in ("/v2.1/servers", "/v2.1/servers/x/action", "/os-floating-ips"):
        response = await client.post(path, data={"pool": "public"})

        assert response.status_code == 415, path


@pytest.mark.parametrize(
    "body", [b"{", b"[1", b"pool", b"\xff", b'{"pool": }', b"[" * 9000]
)
async def test_malformed_json_is_400(
    client: AsyncClient, database: LedgerDatabase, body: bytes
) -> None:
    for path in (PATH, "/v2.1/servers", "/v2/demo/servers/x/action"):
        response = await client.post(path, content=body)

        assert response.status_code == 400


async def test_a_body_that_is_too_long_is_413(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    whole = await client.post(PATH, content=b" " * 70_000)
    chunked = await client.post(PATH, content=pieces())

    assert (whole.status_code, chunked.status_code) == (413, 413)
    assert (
        whole.json()["overLimit"]["message"] == chunked.json()["overLimit"]["message"]
    )


async def test_a_crash_is_a_fault_with_its_version(api: FastAPI) -> None:
    async def crash(_: Request) -> Response:
        raise RuntimeError("secret")

    api.add_route("/v2.1/servers/crash/now", crash)
    async with make_client(wrap(api), "joe:demo") as client:
        response = await client.get(
            "/v2.1/demo/servers/crash/now", headers={OLD: "2.7"}
        )

    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers[OLD] == "2.7"


async def test_the_identity_is_asked_for_at_every_place(client: AsyncClient) -> None:
    del client.headers["X-Auth-Token"]

    for path in (PATH, "/v2.1/demo/servers", "/v2/demo/limits"):
        response = await client.get(path)

        assert response.status_code == 401
        assert response.json()["unauthorized"]["code"] == 401


async def test_the_face_stands_below_a_root_path_too(
    api: FastAPI, database: LedgerDatabase
) -> None:
    await make.server(database, "11.0.0.1")
    async with make_client(wrap(api), "joe:demo") as client:
        client._transport.root_path = "/compute"  # type: ignore[attr-defined]
        response = await client.get("/compute/v2.1/demo/servers")

    (server,) = response.json()["servers"]
    own = f"http://floating-ips/compute/v2.1/demo/servers/{server['id']}"
    assert server["links"][0]["href"] == own
