"""Extensions of the network face: what there is beside networks, subnets and ports.

Source: api-ref/source/v2/extensions.inc and neutron_lib/api/definitions.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from app.auth import ReaderDep
from app.errors import NotFound, quote
from app.faces.described import success
from app.faces.http import Envelopes, Text, answer
from app.faces.network.described import refusals

router = APIRouter(tags=["network"])


class ExtensionNotFound(NotFound):
    """The network API has no extension of that alias."""

    def __init__(self, alias: object) -> None:
        super().__init__(f"Extension {quote(alias)} was not found.")


class NetworkExtension(BaseModel):
    """A part of the network API that a service may have or not."""

    alias: Annotated[Text, Field(description="Its alias.", examples=["router"])]
    name: Annotated[Text, Field(description="Its name.", examples=["Floating IPs"])]
    description: Annotated[
        Text, Field(description="What it is.", examples=["Floating IPs."])
    ]
    updated: Annotated[
        Text,
        Field(description="Of when it is.", examples=["2012-07-20T10:00:00-00:00"]),
    ]
    links: Annotated[list[str], Field(description="Always empty.", examples=[[]])] = []


class OneNetworkExtension(BaseModel):
    """One extension."""

    extension: Annotated[NetworkExtension, Field(description="The extension.")]


class ManyNetworkExtensions(BaseModel):
    """The extensions there are."""

    extensions: Annotated[list[NetworkExtension], Field(description="The extensions.")]


ENVELOPES: Envelopes = (OneNetworkExtension, ManyNetworkExtensions)


def _extension(
    alias: str, name: str, updated: str, description: str
) -> NetworkExtension:
    return NetworkExtension(
        alias=alias,
        name=name,
        updated=f"{updated}T10:00:00-00:00",
        description=description,
    )


EXTENSIONS = (
    _extension(
        "external-net",
        "Neutron external network",
        "2013-01-14",
        "Tells external networks by router:external.",
    ),
    _extension(
        "filter-validation",
        "Filter parameters validation",
        "2018-03-21",
        "Refuses filters that are not known.",
    ),
    _extension(
        "fip-port-details",
        "Floating IP Port Details Extension",
        "2018-04-09",
        "Adds port_details to floating IPs.",
    ),
    _extension(
        "floatingip-pools",
        "Floating IP Pools Extension",
        "2018-03-21",
        "Lists where floating IPs come from.",
    ),
    _extension(
        "pagination",
        "Pagination support",
        "2016-06-12",
        "Lists page by page, with links to the next and the previous one.",
    ),
    _extension(
        "project-id",
        "project_id field enabled",
        "2016-09-09",
        "Resources have project_id beside tenant_id.",
    ),
    _extension(
        "quotas",
        "Quota management support",
        "2012-07-29",
        "Shows and sets how many floating IPs a project may hold.",
    ),
    _extension(
        "quota_details",
        "Quota details management support",
        "2017-02-10",
        "Shows how many floating IPs a project holds.",
    ),
    _extension(
        "revision-if-match",
        "If-Match constraints based on revision_number",
        "2016-12-11",
        "Changes a floating IP only if it has the revision that is named.",
    ),
    _extension(
        "router",
        "Neutron L3 Router",
        "2012-07-20",
        "Floating IPs; of routers there are none.",
    ),
    _extension(
        "standard-attr-description",
        "standard-attr-description",
        "2016-02-10",
        "Floating IPs have a description.",
    ),
    _extension(
        "standard-attr-revisions",
        "Resource revision numbers",
        "2016-04-11",
        "Resources have a revision_number.",
    ),
    _extension(
        "standard-attr-tag",
        "Tag support for resources with standard attribute: floatingip",
        "2017-01-01",
        "Floating IPs have tags.",
    ),
    _extension(
        "standard-attr-timestamp",
        "Resource timestamps",
        "2016-09-12",
        "Resources have created_at and updated_at.",
    ),
)


@router.get(
    "/extensions",
    response_model=ManyNetworkExtensions,
    responses=success("The extensions.") | refusals(),
)
async def network_list_extensions(caller: ReaderDep) -> Response:
    """List the extensions of the network API that are here."""
    return answer(ManyNetworkExtensions(extensions=list(EXTENSIONS)))


@router.get(
    "/extensions/{alias}",
    response_model=OneNetworkExtension,
    responses=success("The extension.") | refusals(404),
)
async def network_show_extension(
    alias: Annotated[
        str, Path(description="The alias of an extension.", examples=["router"])
    ],
    caller: ReaderDep,
) -> Response:
    """Show an extension by its alias."""
    for extension in EXTENSIONS:
        if extension.alias == alias:
            return answer(OneNetworkExtension(extension=extension))
    raise ExtensionNotFound(alias)
