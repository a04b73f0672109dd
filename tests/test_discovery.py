"""Version documents, as keystoneauth and its like read them."""

import httpx
import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from starlette.types import ASGIApp

from app.database import LedgerDatabase
from app.main import wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client

SLASHES = ["/", "/v1.1", "/v1.1/", "/v2", "/v2/", "/v2.1", "/v2.1/"]
HOST = {"Host": "cloud.example.net:8774"}


def hrefs(document: object) -> list[str]:
    """Every link in a document."""
    match document:
        case {"href": str(href)}:
            return [href]
        case dict():
            return [href for value in document.values() for href in hrefs(value)]
        case list():
            return [href for value in document for href in hrefs(value)]
    return []


async def test_the_root_lists_the_versions(client: AsyncClient) -> None:
    response = await client.get("/")

    assert response.json() == {
        "versions": [
            {
                "id": "v1.1",
                "status": "SUPPORTED",
                "version": "",
                "min_version": "",
                "updated": "2011-06-16T00:00:00Z",
                "links": [{"rel": "self", "href": "http://floating-ips/v1.1/"}],
            },
            {
                "id": "v2.0",
                "status": "SUPPORTED",
                "version": "",
                "min_version": "",
                "updated": "2011-01-21T11:33:21Z",
                "links": [{"rel": "self", "href": "http://floating-ips/v2/"}],
            },
            {
                "id": "v2.1",
                "status": "CURRENT",
                "version": "2.35",
                "min_version": "2.1",
                "updated": "2013-07-23T11:33:21Z",
                "links": [{"rel": "self", "href": "http://floating-ips/v2.1/"}],
            },
        ]
    }


@pytest.mark.parametrize(
    ("path", "id"), [("/v1.1", "v1.1"), ("/v2", "v2.0"), ("/v2.1", "v2.1")]
)
async def test_a_version_says_the_same_with_and_without_its_slash(
    client: AsyncClient, path: str, id: str
) -> None:
    plain, slashed = await client.get(path), await client.get(f"{path}/")

    assert plain.content == slashed.content
    version = plain.json()["version"]
    assert version["id"] == id
    assert version["links"] == [
        {"rel": "self", "href": f"http://floating-ips{path}/"},
        {
            "rel": "describedby",
            "href": "http://floating-ips/docs",
            "type": "text/html",
        },
    ]
    kind = f"application/vnd.openstack.compute+json;version={id[1:]}"
    assert version["media-types"] == [{"base": "application/json", "type": kind}]
    listed = (await client.get("/")).json()["versions"]
    shown = {key: value for key, value in version.items() if key != "media-types"}
    assert shown | {"links": version["links"][:1]} in listed


@pytest.mark.parametrize("path", SLASHES)
@pytest.mark.parametrize("token", [None, "joe:demo", "nonsense", ""])
async def test_nobody_is_asked_who_and_nothing_is_redirected(
    client: AsyncClient, path: str, token: str | None
) -> None:
    del client.headers["X-Auth-Token"]
    headers = {} if token is None else {"X-Auth-Token": token}

    response = await client.get(path, headers=headers)

    assert response.status_code == 200


@pytest.mark.parametrize("path", SLASHES)
async def test_nothing_but_looking_is_allowed(client: AsyncClient, path: str) -> None:
    response = await client.post(path)

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", SLASHES)
async def test_links_are_of_the_requests_own_scheme_and_host(
    app: ASGIApp, path: str
) -> None:
    async with make_client(app, "joe:demo") as client:
        client.base_url = httpx.URL("https://floating-ips")
        response = await client.get(path, headers=HOST)

    found = hrefs(response.json())
    assert found
    assert all(href.startswith("https://cloud.example.net:8774/") for href in found)


@pytest.mark.parametrize(
    "host", ["", "a b", 'x"y', "a/b", "a\\b", "x" * 256, "<script>", "a@b"]
)
async def test_a_host_that_is_none_comes_into_no_link(
    client: AsyncClient, host: str
) -> None:
    response = await client.get("/", headers={"Host": host})

    assert hrefs(response.json()) == [
        f"http://floating-ips/{path}/" for path in ("v1.1", "v2", "v2.1")
    ]


FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.net",
    "X-Forwarded-Prefix": "/compute",
}


async def test_forwarded_headers_mean_nothing_unless_a_setting_says_so(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.server(database, "11.0.0.1")

    for path in ("/", "/v2.1", "/v2.1/servers"):
        response = await client.get(path, headers=FORWARDED)

        found = hrefs(response.json())
        assert all(href.startswith("http://floating-ips/") for href in found)


@pytest.mark.parametrize(
    ("headers", "root"),
    [
        ({}, "http://floating-ips"),
        (FORWARDED, "https://api.example.net/compute"),
        ({"X-Forwarded-Proto": "https"}, "https://floating-ips"),
        ({"X-Forwarded-Proto": "http, https"}, "https://floating-ips"),
        ({"X-Forwarded-Proto": "javascript"}, "http://floating-ips"),
        ({"X-Forwarded-Host": "evil, b.example:8443"}, "http://b.example:8443"),
        ({"X-Forwarded-Host": "a/b"}, "http://floating-ips"),
        ({"X-Forwarded-Prefix": "/a/b"}, "http://floating-ips/a/b"),
        ({"X-Forwarded-Prefix": "//evil"}, "http://floating-ips"),
        ({"X-Forwarded-Prefix": "/a/"}, "http://floating-ips"),
    ],
)
async def test_forwarded_headers_of_a_trusted_proxy_are_heeded(
    api: FastAPI,
    settings: Settings,
    database: LedgerDatabase,
    headers: dict[str, str],
    root: str,
) -> None:
    await make.server(database, "11.0.0.1")
    api.state.settings = settings.model_copy(update={"trust_proxy": True})

    async with make_client(wrap(api), "joe:demo") as client:
        version = await client.get("/v2.1", headers=headers)
        servers = await client.get("/v2.1/demo/servers", headers=headers)

    assert hrefs(version.json())[0] == f"{root}/v2.1/"
    own, bookmark = hrefs(servers.json())
    assert own.startswith(f"{root}/v2.1/demo/servers/")
    assert bookmark.startswith(f"{root}/demo/servers/")
