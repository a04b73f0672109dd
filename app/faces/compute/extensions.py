"""Extensions of the compute face: what jclouds and others look for before they begin.

Source: CONTRACT 1.1, 1.4, 1.5 and 5.9; doc/api_samples of Nova.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from app.auth import ReaderDep
from app.errors import NotFound, quote
from app.faces.compute.described import refusals
from app.faces.described import success
from app.faces.http import Envelopes, Text, answer

router = APIRouter(tags=["compute"])

NAMESPACE = "http://docs.openstack.org/compute/ext"


class ExtensionNotFound(NotFound):
    """No extension has that alias."""

    def __init__(self, alias: object) -> None:
        super().__init__(f"Extension {quote(alias)} was not found.")


class Extension(BaseModel):
    """A part of the compute API that a service may have or not."""

    alias: Annotated[
        Text, Field(description="Its alias.", examples=["os-floating-ips"])
    ]
    name: Annotated[Text, Field(description="Its name.", examples=["FloatingIps"])]
    namespace: Annotated[
        Text,
        Field(
            description="Of its XML, which is not here.",
            examples=[f"{NAMESPACE}/floating_ips/api/v1.1"],
        ),
    ]
    description: Annotated[
        Text, Field(description="What it is.", examples=["Floating IPs support."])
    ]
    updated: Annotated[
        Text, Field(description="Of when it is.", examples=["2011-06-16T00:00:00Z"])
    ]
    links: Annotated[list[str], Field(description="Always empty.", examples=[[]])]


class OneExtension(BaseModel):
    """One extension."""

    extension: Annotated[Extension, Field(description="The extension.")]


class ManyExtensions(BaseModel):
    """The extensions there are."""

    extensions: Annotated[list[Extension], Field(description="The extensions.")]


ENVELOPES: Envelopes = (OneExtension, ManyExtensions)


def _extension(
    alias: str, name: str, namespace: str, updated: str, description: str
) -> Extension:
    return Extension(
        alias=alias,
        name=name,
        namespace=f"{NAMESPACE}/{namespace}",
        description=description,
        updated=f"{updated}T00:00:00Z",
        links=[],
    )


EXTENSIONS = (
    _extension(
        "OS-EXT-IPS",
        "ExtendedIps",
        "extended_ips/api/v1.1",
        "2013-01-06",
        "Tells fixed from floating in a server's addresses.",
    ),
    _extension(
        "OS-EXT-IPS-MAC",
        "ExtendedIpsMac",
        "extended_ips_mac/api/v1.1",
        "2013-03-07",
        "Adds the MAC to a server's addresses.",
    ),
    _extension(
        "os-extended-floating-ips",
        "ExtendedFloatingIps",
        "extended_floating_ips/api/v2",
        "2013-04-19",
        "Lets addFloatingIp name a fixed address.",
    ),
    _extension(
        "os-floating-ip-pools",
        "FloatingIpPools",
        "floating_ip_pools/api/v1.1",
        "2012-01-04",
        "Floating IP pools.",
    ),
    _extension(
        "os-floating-ips",
        "FloatingIps",
        "floating_ips/api/v1.1",
        "2011-06-16",
        "Floating IPs, and the server actions for them.",
    ),
    _extension(
        "os-floating-ips-bulk",
        "FloatingIpsBulk",
        "floating_ips_bulk/api/v2",
        "2012-10-29",
        "Addresses of the pools, many at once.",
    ),
    _extension(
        "os-quota-sets",
        "Quotas",
        "quotas-sets/api/v1.1",
        "2011-08-08",
        "Quotas of projects.",
    ),
    _extension(
        "os-used-limits",
        "UsedLimits",
        "used_limits/api/v1.1",
        "2012-07-13",
        "Tells in the limits what is used of them.",
    ),
)

BY_ALIAS = {extension.alias: extension for extension in EXTENSIONS}


@router.get(
    "/extensions",
    response_model=ManyExtensions,
    responses=success("The extensions.") | refusals(),
)
async def compute_list_extensions(caller: ReaderDep) -> Response:
    """List the extensions of the compute API that are here."""
    return answer(ManyExtensions(extensions=list(EXTENSIONS)))


@router.get(
    "/extensions/{alias}",
    response_model=OneExtension,
    responses=success("The extension.") | refusals(404),
)
async def compute_show_extension(
    alias: Annotated[str, Path(description="The alias.", examples=["os-floating-ips"])],
    caller: ReaderDep,
) -> Response:
    """Show an extension by its alias."""
    extension = BY_ALIAS.get(alias)
    if extension is None:
        raise ExtensionNotFound(alias)
    return answer(OneExtension(extension=extension))
