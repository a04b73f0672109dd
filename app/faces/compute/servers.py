"""Servers of the compute face: registered, listed, shown, removed; none is booted.

Source: api-ref/source/servers.inc of Nova; CONTRACT 5 and 6.
"""

from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_urlsafe
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.auth import MemberDep, ReaderDep
from app.database import Connection, LedgerDatabase, Tx, connection
from app.faces import links, registering
from app.faces.compute import server_filters
from app.faces.compute.described import changes, refusals
from app.faces.compute.http import PAGE, SERVER, ServerId, whole_list
from app.faces.compute.server_filters import Wanted
from app.faces.compute.server_requests import CreateServerBody
from app.faces.compute.server_shapes import (
    ManyComputeServers,
    ManyServerNames,
    OneComputeServer,
    OneServerCreated,
    ServerCreated,
    details_of,
    name_of,
)
from app.faces.described import ONCE, success
from app.faces.http import MAX_ID, DatabaseDep, SettingsDep, answer
from app.faces.once import OnceDep
from app.ledger import by_uuid, instances, servers
from app.ledger.instances import Instance
from app.wire.compute import PREFIX

router = APIRouter(tags=["compute"])

Shape = Callable[[Instance], BaseModel]

LOCATION = {
    "Location": {
        "description": "Where the server is.",
        "schema": {"type": "string"},
        "example": f"http://127.0.0.1:8774/v2.1/servers/{SERVER}",
    }
}


@router.get(
    "/servers",
    response_model=ManyServerNames,
    responses=success("The servers.") | refusals(),
)
async def compute_list_servers(
    request: Request, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List the project's servers by name, the newest first.

    `name` is a part of the name, with `^` and `$` at its ends if wanted; no other
    regular expression. Without `limit` all are listed.
    """
    wanted = server_filters.read(request.query_params, caller.project_id)
    shape = partial(name_of, links.compute(request))
    return await _listed(request, database, caller.project_id, wanted, shape)


@router.get(
    "/servers/detail",
    response_model=ManyComputeServers,
    responses=success("The servers.") | refusals(),
)
async def compute_list_servers_detail(
    request: Request, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List the project's servers with all there is of them, the newest first.

    Filters are those of the short list.
    """
    wanted = server_filters.read(request.query_params, caller.project_id)
    shape = partial(details_of, links.compute(request), caller)
    return await _listed(request, database, caller.project_id, wanted, shape)


async def _listed(
    request: Request,
    database: LedgerDatabase,
    project_id: str,
    wanted: Wanted,
    shape: Shape,
) -> Response:
    """Answer the servers that are wanted: a page with a limit, else all of them."""

    async def page(
        lent: Connection, last: Instance | None, limit: int = PAGE
    ) -> Sequence[Instance]:
        if not wanted.active:
            return ()
        before = last.id if last else MAX_ID
        if last is None and wanted.marker is not None:
            before = await instances.marker_id(lent, project_id, wanted.marker)
        return await instances.page(lent, project_id, before, wanted.pattern, limit)

    if wanted.limit is None:
        return await whole_list(database, "servers", page, shape)
    async with connection(database) as lent:
        found = await page(lent, None, wanted.limit + 1)
    shown = found[: wanted.limit]
    document: dict[str, object] = {"servers": [shape(each) for each in shown]}
    if 0 < len(shown) < len(found):
        document["servers_links"] = [_next_page(request, shown[-1].uuid)]
    return Response(to_json(document), media_type="application/json")


def _next_page(request: Request, marker: str) -> links.Link:
    items = request.query_params.multi_items()
    query = [(name, value) for name, value in items if name != "marker"]
    path = request.scope["path"].removeprefix(PREFIX)
    here = f"{links.compute(request).own}{path}"
    href = f"{here}?{urlencode([*query, ('marker', marker)])}"
    return links.Link(rel="next", href=href)


@router.post(
    "/servers",
    status_code=202,
    response_model=OneServerCreated,
    responses=success(
        "The server, which has a fixed IP and is ACTIVE.",
        status=202,
        headers=LOCATION | ONCE,
    )
    | changes(403, 404, 413, 415),
)
async def compute_create_server(
    request: Request,
    body: CreateServerBody,
    caller: MemberDep,
    once: OnceDep,
    settings: SettingsDep,
) -> Response:
    """Register a server, which gets one address of the fixed range.

    Nothing is booted: image, flavor, networks and metadata are kept and shown, and not
    interpreted.
    """
    asked = body.server
    fixed_ips = asked.fixed_ips(caller)

    async def change(tx: Tx) -> Response:
        server = await registering.register(tx, caller, asked.name, fixed_ips, settings)
        uuid = await instances.describe(tx, caller, server.id, asked.asked())
        created = ServerCreated(
            id=uuid,
            links=links.compute(request).to("servers", uuid),
            adminPass=asked.password or token_urlsafe(9),
        )
        location = {"Location": created.links[0].href}
        return answer(OneServerCreated(server=created), 202, location)

    return await once(caller, change, allocates=int(settings.auto_associate))


@router.get(
    "/servers/{id}",
    response_model=OneComputeServer,
    responses=success("The server.") | refusals(404),
)
async def compute_show_server(
    request: Request, id: ServerId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show a server with its fixed IPs and the floating IPs that stand for them."""
    async with connection(database) as lent:
        instance = await instances.show(lent, caller.project_id, id)
    server = details_of(links.compute(request), caller, instance)
    content = to_json(OneComputeServer(server=server))
    return Response(content, media_type="application/json")


@router.delete(
    "/servers/{id}",
    status_code=204,
    response_class=Response,
    responses=success("Removed.", status=204, headers=ONCE) | changes(404),
)
async def compute_delete_server(
    id: ServerId, caller: MemberDep, once: OnceDep
) -> Response:
    """Remove a server; the project keeps its floating IPs, disassociated.

    One that the server got by itself, where the service gives them, is released.
    """

    async def change(tx: Tx) -> Response:
        server_id = await by_uuid.server_id(tx, caller.project_id, id)
        await servers.remove(tx, caller, server_id)
        return Response(status_code=204)

    return await once(caller, change)
