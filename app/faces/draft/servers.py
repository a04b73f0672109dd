"""Servers of the draft face: registered, listed, shown, removed; none is booted."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from app.auth import PROJECT_ID, PROJECT_ID_SCHEMA, Caller, MemberDep, ReaderDep, Role
from app.database import Tx, connection
from app.errors import MemberForbidden, ServerNotFound
from app.faces import next_steps, registering
from app.faces.described import NEXT_PAGE, ONCE, refusals, success
from app.faces.http import (
    IP_SCHEMA,
    PAGE_LIMIT,
    DatabaseDep,
    Envelopes,
    IPAddress,
    IPText,
    Limit,
    Marker,
    NoBodyDep,
    SettingsDep,
    Text,
    accepted,
    answer,
    next_page,
    path_id,
)
from app.faces.once import OnceDep
from app.ledger import registration, servers

router = APIRouter(tags=["servers"])


class Address(BaseModel):
    """One address of a server."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "address"}})

    version: Annotated[Literal[4, 6], Field(description="4 or 6.", examples=[4])]
    addr: Annotated[IPText, Field(description="The address.", examples=["11.0.0.1"])]


def _addresses(description: str, name: str) -> object:
    return Field(
        description=description,
        json_schema_extra={"xml": {"name": name, "wrapped": True}},
    )


class Addresses(BaseModel):
    """The addresses of a server, by kind."""

    private: Annotated[list[Address], _addresses("Its fixed IPs.", "private")]
    public: Annotated[
        list[Address], _addresses("The floating IPs that stand for them.", "public")
    ]


class Server(BaseModel):
    """A registered server."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "server"}})

    id: Annotated[int, Field(description="Never used again.", examples=[12])]
    name: Annotated[Text, Field(description="Its name.", examples=["web"])]
    status: Annotated[
        Literal["ACTIVE"], Field(description="Always ACTIVE.", examples=["ACTIVE"])
    ]
    addresses: Annotated[Addresses, Field(description="Fixed and floating IPs.")]


class OneServer(BaseModel):
    """One server."""

    server: Annotated[Server, Field(description="The server.")]


class ManyServers(BaseModel):
    """A page of the project's servers, by id."""

    servers: Annotated[
        list[Server],
        Field(
            description="The servers of the page.",
            json_schema_extra={"xml": {"name": "servers", "wrapped": True}},
        ),
    ]


def _printable(name: str) -> str:
    if not registration.is_name(name):
        raise ValueError(registration.NAME_RULE)
    return name


def _all_different(fixed_ips: list[IPAddress] | None) -> list[IPAddress] | None:
    if fixed_ips is not None and len(set(fixed_ips)) < len(fixed_ips):
        raise ValueError("must name each address once")
    return fixed_ips


def _is_project_id(project_id: str | None) -> str | None:
    if project_id is not None and not PROJECT_ID.fullmatch(project_id):
        raise ValueError("must be 1 to 255 visible ASCII characters without a slash")
    return project_id


FixedIP = Annotated[
    IPAddress, WithJsonSchema(IP_SCHEMA | {"xml": {"name": "fixed_ip"}})
]


ServerName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="Any printable text without space at either end.",
        examples=["web"],
        # What patterns can say of the rule; the rest of it is `is_name`'s.
        json_schema_extra={"pattern": r"^\S(.*\S)?$"},
    ),
    AfterValidator(_printable),
]


class RegisterServer(BaseModel):
    """The server to register."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "server"}}
    )

    name: ServerName
    fixed_ips: Annotated[
        Annotated[list[FixedIP], Field(json_schema_extra={"uniqueItems": True})] | None,
        Field(
            min_length=1,
            max_length=64,
            description="Its fixed IPs; only an admin may choose them.",
            examples=[["11.0.0.1"]],
        ),
        AfterValidator(_all_different),
    ] = None
    project_id: Annotated[
        Annotated[str, Field(json_schema_extra=PROJECT_ID_SCHEMA)] | None,
        Field(
            description="Whose server it is; only an admin may choose it.",
            examples=["demo"],
        ),
        AfterValidator(_is_project_id),
    ] = None


class RegisterBody(BaseModel):
    """The server to register."""

    model_config = ConfigDict(extra="forbid")

    server: Annotated[RegisterServer, Field(description="What to register.")]


REQUESTS: Envelopes = (RegisterBody,)
ANSWERS: Envelopes = (
    OneServer,
    ManyServers,
)

ServerId = Annotated[
    int,
    Path(description="The id of a server of the project.", examples=[12]),
    path_id(ServerNotFound),
]


def _shape(server: servers.Server) -> Server:
    return Server(
        id=server.id,
        name=server.name,
        status="ACTIVE",
        addresses=Addresses(
            private=[_address(addr) for addr in server.private],
            public=[_address(addr) for addr in server.public],
        ),
    )


def _address(addr: str) -> Address:
    return Address(version=ip_address(addr).version, addr=addr)


def _refuse_what_is_the_admins(caller: Caller, server: RegisterServer) -> None:
    if caller.role >= Role.ADMIN:
        return
    for member in ("fixed_ips", "project_id"):
        if getattr(server, member) is not None:
            raise MemberForbidden(f"server.{member}")


@router.post(
    "/servers",
    response_model=OneServer,
    responses=success(
        "The server, with its fixed IPs.", next_steps.SERVER_REGISTERED, headers=ONCE
    )
    | refusals(400, 403, 404, 409, 413, 415, 422),
)
async def register_server(
    body: RegisterBody,
    caller: MemberDep,
    once: OnceDep,
    settings: SettingsDep,
) -> Response:
    """Register a server, so that floating IPs can be associated with its fixed IPs.

    A member's server gets one address of the fixed range; an admin may choose
    `fixed_ips` and `project_id`. Nothing is booted.
    """
    asked = body.server
    _refuse_what_is_the_admins(caller, asked)
    owner = replace(caller, project_id=asked.project_id or caller.project_id)

    async def change(tx: Tx) -> Response:
        server = await registering.register(
            tx, owner, asked.name, asked.fixed_ips or (), settings
        )
        return answer(OneServer(server=_shape(server)))

    return await once(caller, change, allocates=int(settings.auto_associate))


@router.get(
    "/servers",
    response_model=ManyServers,
    responses=success(
        "A page of servers; the links are those of its first.",
        next_steps.SERVERS_LISTED,
        headers=NEXT_PAGE,
    )
    | refusals(400, 406),
)
async def list_servers(
    request: Request,
    caller: ReaderDep,
    database: DatabaseDep,
    limit: Limit = PAGE_LIMIT,
    marker: Marker = None,
) -> Response:
    """List the project's servers by id.

    While more follow, a `Link` header with `rel="next"` names the next page.
    """
    async with connection(database) as lent:
        found = await servers.page(lent, caller.project_id, marker, limit + 1)
    page = found[:limit]
    links = next_page(request, found, limit, page[-1].id if page else None)
    return answer(ManyServers(servers=[_shape(s) for s in page]), headers=links)


@router.get(
    "/servers/{id}",
    response_model=OneServer,
    responses=success("The server.", next_steps.SERVER_SHOWN) | refusals(404, 406),
)
async def show_server(
    id: ServerId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show a server: `private` are its fixed IPs, `public` its floating IPs."""
    async with connection(database) as lent:
        server = await servers.show(lent, caller.project_id, id)
    return answer(OneServer(server=_shape(server)))


@router.delete(
    "/servers/{id}",
    status_code=202,
    response_class=Response,
    responses=success("Removed.", next_steps.SERVER_REMOVED, status=202, headers=ONCE)
    | refusals(400, 404, 409, 413, 415, 422),
)
async def remove_server(
    id: ServerId, caller: MemberDep, _: NoBodyDep, once: OnceDep
) -> Response:
    """Remove a server; the project keeps its floating IPs, disassociated.

    One that the server got by itself, where the service gives them, is released.
    """

    async def change(tx: Tx) -> Response:
        await servers.remove(tx, caller, id)
        return accepted()

    return await once(caller, change)
