"""Version documents of the network API, for clients that look before they ask.

At the root of the service the versions of the compute API are; one `v2.0` beside those
would lead clients of either to the other. So the network API has a root of its own, and
says at `/v2.0` itself which version that is.

Source: CONTRACT 4; keystoneauth1.discover; api-ref/source/v2/versions.inc.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from app.faces import links
from app.faces.described import FOR_ANYBODY, success
from app.faces.http import Envelopes, Text
from app.faces.network.queries import base
from app.wire.network import PREFIX, ROOT

router = APIRouter(tags=["versions"])

RESOURCES = {
    "extension": "extensions",
    "floatingip": "floatingips",
    "floatingip_pool": "floatingip_pools",
    "network": "networks",
    "port": "ports",
    "quota": "quotas",
    "router": "routers",
    "subnet": "subnets",
}


class NetworkLink(BaseModel):
    """A link."""

    rel: Annotated[
        Literal["self"], Field(description="What is there.", examples=["self"])
    ] = "self"
    href: Annotated[
        Text, Field(description="Where.", examples=["http://127.0.0.1:8774/v2.0/"])
    ]


class NetworkVersion(BaseModel):
    """A version of the network API, and where it is."""

    id: Annotated[Literal["v2.0"], Field(description="Its name.", examples=["v2.0"])]
    status: Annotated[
        Literal["CURRENT"],
        Field(description="CURRENT is the one to use.", examples=["CURRENT"]),
    ]
    links: Annotated[list[NetworkLink], Field(description="Where it is.")]


class NetworkResource(BaseModel):
    """A kind of thing that the network API has, and where it is."""

    name: Annotated[Text, Field(description="One of it.", examples=["floatingip"])]
    collection: Annotated[
        Text, Field(description="All of it.", examples=["floatingips"])
    ]
    links: Annotated[list[NetworkLink], Field(description="Where it is.")]


class ManyNetworkVersions(BaseModel):
    """The versions of the network API."""

    versions: Annotated[list[NetworkVersion], Field(description="The versions.")]


class OneNetworkVersion(BaseModel):
    """The version of the network API, and what it has."""

    version: Annotated[NetworkVersion, Field(description="The version.")]
    resources: Annotated[list[NetworkResource], Field(description="What it has.")]


ENVELOPES: Envelopes = (ManyNetworkVersions, OneNetworkVersion)


def _version(url: str) -> NetworkVersion:
    return NetworkVersion(
        id="v2.0", status="CURRENT", links=[NetworkLink(href=f"{url}/")]
    )


@router.get(f"{ROOT}/", include_in_schema=False)
@router.get(
    ROOT,
    response_model=ManyNetworkVersions,
    responses=success("The versions."),
    openapi_extra=FOR_ANYBODY,
)
async def network_list_versions(request: Request) -> Response:
    """List the versions of the network API: one."""
    url = f"{links.root(request)}{request.scope.get('root_path', '')}{ROOT}{PREFIX}"
    document = ManyNetworkVersions(versions=[_version(url)])
    return Response(to_json(document), media_type="application/json")


@router.get(f"{PREFIX}/", include_in_schema=False)
@router.get(
    PREFIX,
    response_model=OneNetworkVersion,
    responses=success("The version."),
    openapi_extra=FOR_ANYBODY,
)
async def network_show_version(request: Request) -> Response:
    """Show the version of the network API, and the kinds of things it has."""
    url = f"{base(request)}{PREFIX}"
    resources = [
        NetworkResource(
            name=name,
            collection=collection,
            links=[NetworkLink(href=f"{url}/{collection}")],
        )
        for name, collection in RESOURCES.items()
    ]
    document = OneNetworkVersion(version=_version(url), resources=resources)
    return Response(to_json(document), media_type="application/json")
