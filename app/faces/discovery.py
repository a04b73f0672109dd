"""Version documents: where the compute API is, for clients that look before they ask.

Nobody is asked who, nothing is redirected, and every path answers with and without its
slash: keystoneauth, on which most clients stand, looks at both.

Source: CONTRACT 4; keystoneauth1.discover.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.faces import links
from app.faces.described import FOR_ANYBODY, success
from app.faces.http import Envelopes, Text
from app.wire.microversions import NEWEST, OLDEST, text

router = APIRouter(tags=["versions"])

COMPUTE_JSON = "application/vnd.openstack.compute+json"


class VersionLink(BaseModel):
    """A link to a version, or to what describes it."""

    rel: Annotated[
        Literal["self", "describedby"],
        Field(description="What is there.", examples=["self"]),
    ]
    href: Annotated[
        Text, Field(description="Where.", examples=["http://127.0.0.1:8774/v2.1/"])
    ]
    type: Annotated[
        Literal["text/html"] | None,
        Field(description="The media type of what describes it.", examples=[None]),
    ] = None


class MediaType(BaseModel):
    """A media type that a version speaks."""

    base: Annotated[Text, Field(description="It.", examples=["application/json"])]
    type: Annotated[
        Text,
        Field(
            description="It with the version.", examples=[f"{COMPUTE_JSON};version=2.1"]
        ),
    ]


class Version(BaseModel):
    """A version of an API, and where it is."""

    id: Annotated[Text, Field(description="Its name.", examples=["v2.1"])]
    status: Annotated[
        Literal["CURRENT", "SUPPORTED"],
        Field(description="CURRENT is the one to use.", examples=["CURRENT"]),
    ]
    version: Annotated[
        str, Field(description="The newest microversion.", examples=[text(NEWEST)])
    ]
    min_version: Annotated[
        str, Field(description="The oldest microversion.", examples=[text(OLDEST)])
    ]
    updated: Annotated[
        Text, Field(description="Of when it is.", examples=["2013-07-23T11:33:21Z"])
    ]
    links: Annotated[list[VersionLink], Field(description="Where it is.")]
    media_types: Annotated[
        list[MediaType] | None,
        Field(
            serialization_alias="media-types",
            description="What it speaks; in its own document alone.",
            examples=[None],
        ),
    ] = None


class ManyVersions(BaseModel):
    """The versions there are."""

    versions: Annotated[list[Version], Field(description="The versions.")]


class OneVersion(BaseModel):
    """One version."""

    version: Annotated[Version, Field(description="The version.")]


ENVELOPES: Envelopes = (ManyVersions, OneVersion)


def _draft(root: str) -> Version:
    return _version("v1.1", "SUPPORTED", "2011-06-16T00:00:00Z", f"{root}/v1.1/")


def _legacy(root: str) -> Version:
    return _version("v2.0", "SUPPORTED", "2011-01-21T11:33:21Z", f"{root}/v2/")


def _current(root: str) -> Version:
    version = _version("v2.1", "CURRENT", "2013-07-23T11:33:21Z", f"{root}/v2.1/")
    microversions = {"version": text(NEWEST), "min_version": text(OLDEST)}
    return version.model_copy(update=microversions)


def _version(
    id: str, status: Literal["CURRENT", "SUPPORTED"], updated: str, href: str
) -> Version:
    return Version(
        id=id,
        status=status,
        version="",
        min_version="",
        updated=updated,
        links=[VersionLink(rel="self", href=href)],
    )


def _detailed(version: Version, root: str) -> OneVersion:
    """Return the document of one version, which says more than the list."""
    described = VersionLink(rel="describedby", href=f"{root}/docs", type="text/html")
    media_type = MediaType(
        base="application/json", type=f"{COMPUTE_JSON};version={version.id[1:]}"
    )
    more = {"links": [*version.links, described], "media_types": [media_type]}
    return OneVersion(version=version.model_copy(update=more))


def _answer(document: BaseModel) -> Response:
    content = document.model_dump_json(by_alias=True, exclude_none=True)
    return Response(content, media_type="application/json")


SHOWN = success("The version.")


@router.get(
    "/",
    response_model=ManyVersions,
    responses=success("The versions."),
    openapi_extra=FOR_ANYBODY,
)
async def list_versions(request: Request) -> Response:
    """List the versions of the compute API, and that of the draft."""
    root = links.root(request)
    versions = [_draft(root), _legacy(root), _current(root)]
    return _answer(ManyVersions(versions=versions))


@router.get("/v2.1/", include_in_schema=False)
@router.get(
    "/v2.1", response_model=OneVersion, responses=SHOWN, openapi_extra=FOR_ANYBODY
)
async def show_version(request: Request) -> Response:
    """Show the version of the compute API that has microversions."""
    root = links.root(request)
    return _answer(_detailed(_current(root), root))


@router.get("/v2/", include_in_schema=False)
@router.get(
    "/v2", response_model=OneVersion, responses=SHOWN, openapi_extra=FOR_ANYBODY
)
async def show_legacy_version(request: Request) -> Response:
    """Show the version of the compute API that has no microversions."""
    root = links.root(request)
    return _answer(_detailed(_legacy(root), root))


@router.get("/v1.1/", include_in_schema=False)
@router.get(
    "/v1.1", response_model=OneVersion, responses=SHOWN, openapi_extra=FOR_ANYBODY
)
async def show_draft_version(request: Request) -> Response:
    """Show the version of the draft, whose operations stand beneath as well."""
    root = links.root(request)
    return _answer(_detailed(_draft(root), root))
