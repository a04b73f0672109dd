"""The XML Schemas, for clients that check what they send and what they get."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from app.faces.http import Envelopes
from app.wire import xsd


def install(api: FastAPI, requests: Envelopes, answers: Envelopes) -> None:
    """Serve `/schemas/floating_ips.xsd`, `requests.xsd` and `faults.xsd`."""
    texts = xsd.schemas(requests, answers)

    async def schema(request: Request) -> Response:
        return Response(
            texts[request.url.path.rpartition("/")[2]], media_type="application/xml"
        )

    for name in texts:
        api.add_route(f"/schemas/{name}", schema)
