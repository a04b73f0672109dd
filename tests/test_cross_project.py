"""Every route of every face, with every id of another project in path, query and body:
the answer is that to an id that does not exist.

What to send is made of the application's own routes and of its OpenAPI document, so
that a new route is tried as soon as it is there.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter
from typing import Any, TypeAlias

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import AsyncClient, Response

from app.auth import MOUNTED_PROJECT, Role
from app.database import LedgerDatabase, connection
from tests import make
from tests.test_auth import OPEN, declared, routes

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a body."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that has an id: another project's, nobody's, and our own."""

    foreign: str
    unknown: str
    own: str


NO_SMALL_IDS = """
ALTER SEQUENCE floating_ip_ids RESTART WITH 4711;
ALTER TABLE servers ALTER COLUMN id RESTART WITH 5711
"""
"""An id of 1 could be taken for a count."""

IDS = """
SELECT f.project_id, s.id::text AS server, s.uuid::text AS server_uuid,
       f.uuid::text AS port, host(f.address) AS fixed_ip,
       a.floating_ip_id::text AS floating_ip,
       a.floating_ip_uuid::text AS floating_ip_uuid, host(a.address) AS address
  FROM servers s
  JOIN fixed_ips f ON f.server_id = s.id
  JOIN addresses a ON a.project_id = f.project_id AND a.fixed_ip = f.address
"""
NOBODYS = {
    "project_id": "nobody",
    "server": "987654321",
    "server_uuid": "6f9619ff-8b86-4011-b42d-00cf4fc964f0",
    "port": "6f9619ff-8b86-4011-b42d-00cf4fc964f1",
    "fixed_ip": "192.0.2.1",
    "floating_ip": "987654322",
    "floating_ip_uuid": "6f9619ff-8b86-4011-b42d-00cf4fc964f2",
    "address": "192.0.2.2",
}

BY_DESIGN = {
    # Whoever asks for one address is told that it is taken: it is of the pool.
    ("allocate_address", "address"),
    ("floatingip", "floating_ip_address"),
    # An admin registers servers for any project, known or not; a member is refused.
    ("server", "project_id"),
}

THEIRS = """
SELECT (SELECT json_agg(a ORDER BY a)::text FROM addresses a WHERE project_id = $1),
       (SELECT json_agg(s ORDER BY s.id)::text FROM servers s WHERE project_id = $1),
       (SELECT json_agg(f ORDER BY f)::text FROM fixed_ips f WHERE project_id = $1),
       (SELECT json_agg(h ORDER BY h)::text FROM history h WHERE project_id = $1)
"""


@pytest.fixture
async def kinds(
    client: AsyncClient, stranger: AsyncClient, database: LedgerDatabase
) -> dict[str, Kind]:
    """Two projects that each have a server with a floating IP; room for more."""
    await make.pool(database, "203.0.113.0/24")
    await make.pool(database, "198.18.0.0/20", name="more")
    await make.quota(database, -1)
    async with connection(database) as lent:
        await lent.execute(NO_SMALL_IDS)
    await make.server(database, "11.0.0.2", project_id="other", name="theirs")
    await make.server(database, "11.0.0.1", name="ours")
    await make.floating_ip(stranger, "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")
    async with connection(database) as lent:
        rows = {row["project_id"]: row for row in await lent.fetch(IDS)}
    return {
        name: Kind(rows["other"][name], unknown, rows["demo"][name])
        for name, unknown in NOBODYS.items()
    }


def mounted(path: str) -> Iterator[str]:
    """The places where a path stands; those of the compute face are no routes."""
    yield path
    if path.startswith("/v2.1/"):
        below = path.removeprefix("/v2.1")
        yield f"/v2.1/{{{MOUNTED_PROJECT}}}{below}"
        yield f"/v2/{{{MOUNTED_PROJECT}}}{below}"


@dataclass(frozen=True, slots=True)
class Operation:
    """A route at one of its places, and the bodies that it may be sent."""

    method: str
    path: str
    route: APIRoute
    bodies: list[Any]
    queries: list[str]

    def parameters(self) -> list[str]:
        return [name for _, name, _, _ in Formatter().parse(self.path) if name]

    def filled(self, kinds: dict[str, Kind], **other: str) -> str:
        """The path with ids of our own, but for those that are given."""
        resource = "server" if "/servers" in self.path else "floating_ip"
        id = kinds[f"{resource}_uuid" if "/v2" in self.path else resource].own
        known = {
            "id": kinds["port"].own if "/ports" in self.path else id,
            "tag": "web",
            MOUNTED_PROJECT: "demo",
            "project_id": "demo",
            "label": "private",
            "alias": "os-floating-ips",
            "name": "public",
            "address": "203.0.113.9",
        }
        return self.path.format(**known | other)


def operations(api: FastAPI) -> list[Operation]:
    documents = api.openapi()["paths"]
    found = []
    for path, method, route in routes(api):
        if path in OPEN:
            continue
        plain = path.removeprefix(f"/v1.1/{{{MOUNTED_PROJECT}}}")
        document = documents[plain][method.lower()]
        body = document.get("requestBody", {"content": {}})
        queries = [
            each["name"]
            for each in document.get("parameters", ())
            if each["in"] == "query"
        ]
        media = body["content"].get("application/json", {})
        examples = [each["value"] for each in media.get("examples", {}).values()]
        bodies = examples or [media.get("example")]
        found += [
            Operation(method, each, route, bodies, queries) for each in mounted(path)
        ]
    return found


def leaves(body: Any, place: Place = ()) -> Iterator[Place]:
    """Where the scalars of a body stand."""
    match body:
        case dict():
            for key, value in body.items():
                yield from leaves(value, (*place, key))
        case list():
            for index, value in enumerate(body):
                yield from leaves(value, (*place, index))
        case None:
            return
        case _:
            yield place


def ours(body: Any, kinds: dict[str, Kind]) -> Any:
    """The body with ids of our own wherever it names something."""
    names = {
        "fixed_address": "fixed_ip",
        "fixed_ip": "fixed_ip",
        "address": "address",
        "port_id": "port",
        "fixed_ip_address": "fixed_ip",
    }
    others = {
        "floating_network_id": "public",
        "floating_ip_address": None,
        "subnet_id": None,
    }
    for place in list(leaves(body)):
        if place[-1] in names:
            body = replaced(body, place, kinds[names[str(place[-1])]].own)
        elif place[-1] in others:
            body = replaced(body, place, others[str(place[-1])])
    return body


def replaced(body: Any, place: Place, value: object) -> Any:
    changed = copy.deepcopy(body)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that names something, twice: another project's, and nobody's."""

    what: str
    kind: Kind
    requests: tuple[dict[str, Any], dict[str, Any]]


def attempts(operation: Operation, kinds: dict[str, Kind]) -> Iterator[Attempt]:
    for body in operation.bodies:
        sound = {"url": operation.filled(kinds), "json": ours(body, kinds)}
        for name, kind in kinds.items():
            for place, change in changes(operation, kinds, sound):
                foreign, unknown = change(kind.foreign), change(kind.unknown)
                yield Attempt(f"{name} as {place}", kind, (foreign, unknown))


def changes(
    operation: Operation, kinds: dict[str, Kind], sound: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Where an id can be put in, and how."""
    for name in operation.parameters():
        yield (
            f"{name} in the path",
            lambda id, name=name: (
                sound | {"url": operation.filled(kinds, **{name: id})}
            ),
        )
    if MOUNTED_PROJECT in operation.parameters():
        # The same route has been tried without, with all that can stand elsewhere.
        return
    for name in operation.queries:
        yield (
            f"{name} in the query",
            lambda id, name=name: sound | {"params": {name: id}},
        )
    for place in leaves(sound["json"]):
        if place in BY_DESIGN:
            continue
        yield (
            f"{place} in the body",
            lambda id, place=place: (
                sound | {"json": replaced(sound["json"], place, id)}
            ),
        )


def said(response: Response, id: str) -> tuple[int, str, str]:
    """What an answer says, whichever id it was about."""
    if response.is_success:
        # It was no id there: a name, or the place of a thing of our own.
        return response.status_code, "", ""
    headers = ("content-type", "allow", "retry-after")
    kept = [f"{name}: {response.headers.get(name)}" for name in headers]
    return response.status_code, "\n".join(kept), response.text.replace(f"'{id}'", "ID")


@pytest.mark.parametrize("role", ["member", "admin"])
async def test_another_projects_id_is_answered_as_nobodys(
    api: FastAPI,
    client: AsyncClient,
    admin: AsyncClient,
    database: LedgerDatabase,
    kinds: dict[str, Kind],
    role: str,
) -> None:
    """An admin may act for another project by naming it, and not by its ids alone.

    What is the admin's alone, the pools and the quotas, is of no project.
    """
    caller, but = (admin, "project_id") if role == "admin" else (client, "")
    async with connection(database) as lent:
        before = await lent.fetchrow(THEIRS, "other")
    count = 0

    for operation in operations(api):
        if role == "admin" and Role.ADMIN in declared(operation.route):
            continue
        for attempt in attempts(operation, kinds):
            if attempt.kind is not kinds.get(but):
                await try_both(caller, operation, attempt)
                count += 1

    async with connection(database) as lent:
        assert await lent.fetchrow(THEIRS, "other") == before
    assert await make.breaches(database) == []
    assert count > 500


async def try_both(caller: AsyncClient, operation: Operation, attempt: Attempt) -> None:
    foreign, unknown = [
        await caller.request(operation.method, **request)
        for request in attempt.requests
    ]
    assert said(foreign, attempt.kind.foreign) == said(unknown, attempt.kind.unknown), (
        operation.method,
        operation.path,
        attempt.what,
        foreign.text,
    )


async def test_every_route_with_an_id_in_its_path_is_tried(
    api: FastAPI, kinds: dict[str, Kind]
) -> None:
    with_ids = {each.path for each in operations(api) if each.parameters()}

    assert {
        "/os-floating-ips/{id}/addFloatingIp",
        "/v1.1/{mounted_project_id}/servers/{id}",
        "/v2.1/servers/{id}/action",
        "/v2.1/{mounted_project_id}/os-floating-ips/{id}",
        "/v2/{mounted_project_id}/servers/{id}/os-interface",
        "/v2.1/os-quota-sets/{project_id}/detail",
        "/v2.0/floatingips/{id}/tags/{tag}",
        "/v2.0/ports/{id}",
        "/v2.0/quotas/{project_id}/details",
    } <= with_ids
    for operation in operations(api):
        wheres = {attempt.what for attempt in attempts(operation, kinds)}
        for name in operation.parameters():
            assert f"server_uuid as {name} in the path" in wheres
