"""The vectors of negotiation, against the service itself over a real database."""

import pytest
from fastapi import FastAPI, Response
from httpx import AsyncClient

from app.database import LedgerDatabase, connection
from app.main import wrap
from tests import make
from tests.negotiation_vectors import Vector, ask_vector, check, load
from tests.xml_schemas import complaint_of_answer

TOKEN = ("x-auth-token", "joe:demo")

FIRST = {"id": 1, "ip": "10.0.0.3", "fixed_ip": "11.0.0.1", "instance_id": 12}


@pytest.fixture
async def store(client: AsyncClient, database: LedgerDatabase) -> None:
    """1 is 10.0.0.3 at 11.0.0.1 of server 12; 2 is 10.0.0.4, and free."""
    async with connection(database) as lent:
        await lent.execute("ALTER SEQUENCE servers_id_seq RESTART WITH 12")
    await make.server(database, "11.0.0.1", "10.0.0.9")
    await make.pool(database, "10.0.0.3")
    await make.floating_ip(client, "11.0.0.1")
    await make.pool(database, "10.0.0.4")
    await make.floating_ip(client)


@pytest.fixture
def odd_api(api: FastAPI) -> FastAPI:
    """The service, with the routes that only tests have."""

    @api.get("/boom")
    async def boom() -> Response:
        raise RuntimeError("secret")

    @api.get("/gone", status_code=204)
    async def gone() -> None:
        return None

    @api.get("/weird")
    async def weird() -> dict[str, int]:
        return {"nobody": 1, "knows": 2}

    @api.get("/etag")
    async def etag(response: Response) -> dict[str, object]:
        response.headers.update({"etag": '"abc"', "vary": "Origin"})
        return {"floating_ip": FIRST}

    return api


@pytest.mark.parametrize("vector", load(), ids=lambda v: f"{v.n} {v.name}")
async def test_vector(
    odd_api: FastAPI, store: None, client: AsyncClient, vector: Vector
) -> None:
    reply = await ask_vector(wrap(odd_api), vector, [TOKEN])

    check(vector, reply)
    if reply.header("content-type") == "application/xml" and reply.body:
        assert complaint_of_answer(reply.body) is None
    if vector.store is not None:
        listed = (await client.get("/os-floating-ips")).json()["floating_ips"]
        assert [each["id"] for each in listed] == vector.store
