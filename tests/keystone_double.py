"""A stand-in for Keystone v3: tokens are what a test says, and answers wait for it.

The real one is in `tests/clients`; this one can be slow, wrong and away at will.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from itertools import count
from typing import Any

Json = dict[str, Any]

SERVICE_PASSWORD = "of-the-service"  # noqa: S105


class KeystoneDouble:
    """Serves `GET` and `POST /v3/auth/tokens` on a port that stays its own."""

    def __init__(self) -> None:
        self.tokens: dict[str, Json] = {}
        self.own: set[str] = set()
        """The service's tokens that are valid."""
        self.own_seconds = 3600.0
        self.asked: Counter[str] = Counter()
        """How often each token was asked about."""
        self.logins: list[Json] = []
        self.open = asyncio.Event()
        """Answers wait for it."""
        self.open.set()
        self.instead: bytes | None = None
        """A whole answer in place of the true one."""
        self.always: dict[bytes, bytes] = {}
        """Answers to requests whose head has some bytes in it."""
        self.hangs_up = False
        """Whether a connection is closed when it is used a second time."""
        self.waiting = self.most_waiting = 0
        self._changed = asyncio.Condition()
        self._port = 0
        self._numbers = count(1)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v3"

    def know(
        self,
        token: str,
        *roles: str,
        user: str = "joe-id",
        seconds: float = 3600,
        scope: Json | None = None,
    ) -> str:
        """Let a token be valid: by default a member's of the project `demo-id`."""
        now = datetime.now(UTC)
        self.tokens[token] = {
            "methods": ["password"],
            "user": {"id": user, "name": "joe", "domain": {"id": "default"}},
            "roles": [{"id": name, "name": name} for name in roles or ("member",)],
            "issued_at": now.isoformat(),
            "expires_at": (now + timedelta(seconds=seconds)).isoformat(),
            **({"project": {"id": "demo-id"}} if scope is None else scope),
        }
        return token

    @property
    def connections(self) -> int:
        return len(self._writers)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is the case of what this has been asked."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._converse, "127.0.0.1", self._port, limit=2**17, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, and drop those there are."""
        assert self._server
        self._server.close()
        await self._server.wait_closed()
        while self._writers:
            writer = self._writers.pop()
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            answered = 0
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if self.hangs_up and answered:
                    break
                writer.write(await self._answer(reader, head))
                answered += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
            await self._tell()

    async def _answer(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        line, _, rest = head.partition(b"\r\n")
        headers = BytesHeaderParser().parsebytes(rest)
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
        method, target, _ = line.decode().split(" ")
        assert target == "/v3/auth/tokens?nocatalog=", target
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        if method == "GET":
            self.asked[headers["X-Subject-Token"]] += 1
        await self._tell()
        await self.open.wait()
        self.waiting -= 1
        found = (said for part, said in self.always.items() if part in head)
        if instead := next(found, self.instead):
            return instead
        if method == "POST":
            return self._log_in(json.loads(body))
        return self._show(headers["X-Auth-Token"], headers["X-Subject-Token"])

    def _log_in(self, asked: Json) -> bytes:
        self.logins.append(asked)
        user = asked["auth"]["identity"]["password"]["user"]
        if user["password"] != SERVICE_PASSWORD:
            return answer(401, {"error": {"code": 401}})
        token = f"own-{next(self._numbers)}"
        self.own.add(token)
        shown = self.know("own", "service", seconds=self.own_seconds)
        return answer(201, {"token": self.tokens.pop(shown)}, token)

    def _show(self, own: str, token: str) -> bytes:
        if own not in self.own:
            return answer(401, {"error": {"code": 401}})
        if token not in self.tokens:
            return answer(404, {"error": {"code": 404}})
        return answer(200, {"token": self.tokens[token]})


def answer(status: int, body: Json, subject_token: str | None = None) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}"]
    if subject_token:
        lines.append(f"X-Subject-Token: {subject_token}")
    return "\r\n".join([*lines, "", ""]).encode() + content
