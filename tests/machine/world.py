"""The service in this process, its clients, and what they see of the ledger."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
from httpx import ASGITransport, AsyncClient, Response
from starlette.types import ASGIApp

from app.database import LedgerDatabase
from app.main import create_api, wrap
from app.settings import Settings
from app.sweeper import Sweeper
from tests import make
from tests.conftest import EMPTY, make_client
from tests.machine import media
from tests.machine.operations import Operation
from tests.machine.passing import PASS_TIME, Event, Sweep
from tests.machine.state import JSON, Answer

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"

OBSTACLES = {
    "addresses": "SELECT FROM addresses ORDER BY address FOR UPDATE",
    "shares": "SELECT FROM quota_shares ORDER BY project_id, number FOR UPDATE",
    "fixed IPs": "SELECT FROM fixed_ips ORDER BY project_id, address FOR UPDATE",
}
"""What is locked while requests arrive, so that they meet when it is let go."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An operation, and the types of its request and its answer."""

    operation: Operation
    written: str = "application/json"
    wanted: str = "application/json"


class World:
    """A service with a database of its own, driven from one event loop."""

    def __init__(self, settings: Settings, seed: int = 0) -> None:
        self.settings = settings
        self.database = LedgerDatabase(settings)
        self.app: ASGIApp = wrap(create_api(settings, self.database))
        self.chance = random.Random(seed)

    async def open(self) -> None:
        """Connect; with one connection beside the service's, to look and to lock."""
        await self.database.connect()
        self.aside = await asyncpg.connect(self.settings.database_url)
        self.client: AsyncClient = make_client(self.app, "")
        self.reader = AsyncClient(
            transport=ASGITransport(self.app), base_url="http://floating-ips"
        )

    async def close(self) -> None:
        """Disconnect."""
        await self.client.aclose()
        await self.reader.aclose()
        await self.aside.close()
        await self.database.disconnect()

    async def empty(self) -> None:
        """Begin anew, without a row."""
        await self.aside.execute(EMPTY)

    async def send(self, sent: Sent) -> Answer:
        """Send a request, and return what is answered."""
        operation = sent.operation
        if isinstance(operation, Event):
            return await self._let_happen(operation)
        asker = operation.asker
        mount = f"/v1.1/{asker.project_id}" if asker.is_mounted else ""
        headers = {"Accept": sent.wanted}
        if operation.body is not None:
            headers["Content-Type"] = sent.written
        response = await self.client.request(
            operation.method,
            mount + operation.path,
            content=media.encode(operation.body, sent.written),
            headers=headers | operation.headers,
        )
        return read(response)

    async def _let_happen(self, event: Event) -> Answer:
        if isinstance(event, Sweep):
            await Sweeper(self.database, self.settings).sweep()
        else:
            for statement in PASS_TIME:
                await self.aside.execute(statement)
        return Answer(200, None, {})

    async def send_at_once(
        self, several: Sequence[Sent], obstacle: str | None
    ) -> list[Answer]:
        """Send requests that meet, behind an obstacle if one is named."""
        if obstacle is None:
            return await asyncio.gather(*map(self.send, several))
        async with self.aside.transaction():
            await self.aside.execute(OBSTACLES[obstacle])
            sending = asyncio.gather(*map(self.send, several))
            for _ in range(8):
                await self.aside.execute("SELECT pg_sleep(0.003)")
                if await self.aside.fetchval(WAITING) >= len(several):
                    break
        return await sending

    async def breaches(self) -> Sequence[str]:
        """Audit the ledger."""
        return await make.breaches(self.database)

    async def get(self, path: str, project_id: str) -> JSON:
        """Read in one type or the other, as a project or as the operators."""
        user = "admin" if project_id == "operators" else "reader"
        headers = {
            "X-Auth-Token": f"{user}:{project_id}",
            "Accept": self.chance.choice(media.TYPES),
        }
        response = await self.reader.get(path, headers=headers)
        assert response.status_code == 200, response.text
        return read(response).body


def read(response: Response) -> Answer:
    """Take in an answer; of a refusal, the text."""
    media_type = response.headers.get("content-type", "")
    if response.is_success:
        body = media.decode(response.content, media_type)
    else:
        body = response.text
    return Answer(response.status_code, body, response.headers)
