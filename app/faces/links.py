"""Links to ourselves, by the name that the client has for us."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Request
from pydantic import BaseModel, Field

from app.settings import Settings
from app.wire.compute import MOUNT


class Link(BaseModel):
    """Where a resource is."""

    rel: Annotated[
        Literal["self", "bookmark", "next"],
        Field(description="What is there.", examples=["self"]),
    ]
    href: Annotated[
        str, Field(description="Where.", examples=["http://127.0.0.1:8774/v2.1/…"])
    ]


SOUND = {
    "host": re.compile(r"[A-Za-z0-9._~%:\[\]-]{1,255}"),
    "proto": re.compile(r"https?"),
    "prefix": re.compile(r"(/[A-Za-z0-9._~-]+)+"),
}
"""What a name for us can look like; nothing else comes into a link."""


def root(request: Request) -> str:
    """Return the URL of the service, without a slash at its end.

    It is the scheme and the host of the request itself. What X-Forwarded-Proto, -Host
    and -Prefix say counts where a setting tells that a proxy sends them; of several
    values the last one does, which is that of the nearest proxy.
    """
    scheme = _forwarded(request, "proto") or request.scope["scheme"]
    host = _forwarded(request, "host") or _host(request)
    return f"{scheme}://{host}{_forwarded(request, 'prefix')}"


@dataclass(frozen=True, slots=True)
class ComputeLinks:
    """The two URLs of resources of the compute API.

    Source: OpenStack API guide, links and references.
    """

    own: str
    """Under which the client has the API, with version and project."""
    bookmarked: str
    """The same without a version."""

    def to(self, path: str, id: str) -> list[Link]:
        """Link to a resource."""
        return [
            Link(rel="self", href=f"{self.own}/{path}/{quote(id)}"),
            self.bookmark(path, id),
        ]

    def bookmark(self, path: str, id: str) -> Link:
        """Link to a resource by the URL that names no version."""
        return Link(rel="bookmark", href=f"{self.bookmarked}/{path}/{quote(id)}")


def compute(request: Request) -> ComputeLinks:
    """Return what links to resources of the compute API are made of."""
    here, mount = root(request), str(request.scope["state"][MOUNT])
    project = mount[1:].partition("/")[2]
    return ComputeLinks(
        f"{here}{quote(mount)}", f"{here}/{quote(project)}" if project else here
    )


def _forwarded(request: Request, what: str) -> str:
    settings: Settings = request.app.state.settings
    if not settings.trust_proxy:
        return ""
    lines = request.headers.getlist(f"x-forwarded-{what}")
    value = ",".join(lines).rpartition(",")[2].strip()
    return value if SOUND[what].fullmatch(value) else ""


def _host(request: Request) -> str:
    host = request.headers.get("host", "")
    if SOUND["host"].fullmatch(host):
        return host
    name, port = request.scope.get("server") or ("localhost", None)
    return f"{name}:{port}" if port else name
