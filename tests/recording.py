"""Clients that hammer a small pool, and write down what they asked and were told, when.

No answer, and 503, leave open whether anything was done. Half of the clients then ask
again with the same Idempotency-Key until they know: their operation lasts from the
first time to the last. For the others it stays open for ever.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Any

import httpx

from tests.linearizability import Kind, Operation, Outcome

OUTCOMES = {200: Outcome.DONE, 202: Outcome.DONE, 404: Outcome.NOT_FOUND}
REMEMBERED = 6
"""Floating IPs of a project that its clients go on asking for, gone ones too."""


@dataclass(slots=True)
class Project:
    """A project whose clients share its floating IPs."""

    id: str
    ips: dict[int, str] = field(default_factory=dict)
    """The address of each floating IP that was ever told."""
    lost_allocations: list[float] = field(default_factory=list)
    """When those were sent that nobody knows the end of."""


@dataclass(slots=True)
class Recorder:
    """All that was asked, by address, and how often each status came back."""

    url: str
    most: int
    """Operations, after which clients stop, or when time is up."""
    until: float
    operations: dict[str, list[Operation]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    is_half_full: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def count(self) -> int:
        """How many operations there are."""
        return sum(map(len, self.operations.values()))

    @property
    def is_over(self) -> bool:
        """Whether enough is recorded."""
        return self.count >= self.most or time.monotonic() > self.until

    def note(self, ip: str, operation: Operation) -> None:
        """Write an operation down."""
        self.operations.setdefault(ip, []).append(operation)
        if 2 * self.count >= self.most:
            self.is_half_full.set()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and when it was sent and answered; status 0 is no answer."""

    status: int
    body: Any
    invoked: float
    answered: float


class Client:
    """One client, which waits for each answer before it asks again."""

    def __init__(self, number: int, recorder: Recorder, project: Project) -> None:
        self.number = number
        self.recorder = recorder
        self.project = project
        self.insists = number % 2 == 0
        self.chance = random.Random(number)
        self.keys = count()

    async def run(self) -> None:
        """Ask until time is up."""
        headers = {"X-Auth-Token": f"joe:{self.project.id}"}
        async with httpx.AsyncClient(
            base_url=self.recorder.url, headers=headers, timeout=5
        ) as self.http:
            while not self.recorder.is_over:
                await self._step()

    async def _step(self) -> None:
        known = list(self.project.ips)[-REMEMBERED:]
        if not known or self.chance.random() < 0.3:
            return await self._allocate()
        return await self._ask_of(self.chance.choice(known))

    async def _allocate(self) -> None:
        asked = await self._ask("POST", "/os-floating-ips")
        if asked.status == 200:
            made = asked.body["floating_ip"]
            self.project.ips[made["id"]] = made["ip"]
            self._note(Kind.ALLOCATE, made["id"], asked)
        elif asked.status not in OUTCOMES:
            self.project.lost_allocations.append(asked.invoked)

    async def _ask_of(self, floating_ip_id: int) -> None:
        path = f"/os-floating-ips/{floating_ip_id}"
        kind = self.chance.choice(list(Kind)[1:])
        match kind:
            case Kind.RELEASE:
                self._note(kind, floating_ip_id, await self._ask("DELETE", path))
            case Kind.ASSOCIATE:
                fixed_ip = self._fixed_ip(floating_ip_id)
                body = {"associate_address": {"fixed_ip": fixed_ip}}
                asked = await self._ask("POST", f"{path}/addFloatingIp", body)
                self._note(kind, floating_ip_id, asked, fixed_ip)
            case Kind.DISASSOCIATE:
                asked = await self._ask("POST", f"{path}/removeFloatingIp")
                self._note(kind, floating_ip_id, asked)
            case _:
                await self.show(floating_ip_id)

    async def show(self, floating_ip_id: int) -> None:
        """Read a floating IP; what is not answered is not worth noting."""
        asked = await self._ask("GET", f"/os-floating-ips/{floating_ip_id}")
        if asked.status in OUTCOMES:
            shown = asked.body.get("floating_ip", {})
            self._note(Kind.SHOW, floating_ip_id, asked, shown.get("fixed_ip"))

    def _fixed_ip(self, floating_ip_id: int) -> str:
        """Choose one that is never meant for another address, nor by another client."""
        last = self.project.ips[floating_ip_id].rpartition(".")[2]
        return fixed_ip(self.number, last)

    async def _ask(self, method: str, path: str, body: object = None) -> Asked:
        """Ask, again if need be and this client insists."""
        headers = {}
        if self.insists and method != "GET":
            headers["Idempotency-Key"] = f"{self.number}-{next(self.keys)}"
        invoked = time.monotonic()
        while True:
            status, answer = await self._send(method, path, body, headers)
            is_open = status in (0, 409, 503)
            if not (is_open and headers):
                return Asked(status, answer, invoked, time.monotonic())
            await asyncio.sleep(0.02)

    async def _send(
        self, method: str, path: str, body: object, headers: dict[str, str]
    ) -> tuple[int, Any]:
        try:
            response = await self.http.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            self.recorder.statuses[0] += 1
            return 0, None
        self.recorder.statuses[response.status_code] += 1
        return response.status_code, response.json() if response.content else None

    def _note(
        self, kind: Kind, floating_ip_id: int, asked: Asked, fixed_ip: str | None = None
    ) -> None:
        outcome = OUTCOMES.get(asked.status, Outcome.UNKNOWN)
        times = asked.invoked, asked.answered
        whose = self.number, kind, self.project.id, floating_ip_id
        operation = Operation(*whose, *times, outcome, fixed_ip)
        self.recorder.note(self.project.ips[floating_ip_id], operation)

    async def look_at_the_end(self) -> None:
        """Read all there ever was, and find what lost allocations have made."""
        headers = {"X-Auth-Token": f"joe:{self.project.id}"}
        async with httpx.AsyncClient(
            base_url=self.recorder.url, headers=headers, timeout=5
        ) as self.http:
            listed = (await self._ask("GET", "/os-floating-ips")).body
            for found in listed["floating_ips"]:
                if found["id"] not in self.project.ips:
                    self._find(found["id"], found["ip"])
            for floating_ip_id in self.project.ips:
                await self.show(floating_ip_id)

    def _find(self, floating_ip_id: int, ip: str) -> None:
        """Note an allocation whose answer was lost; one of them it must have been."""
        self.project.ips[floating_ip_id] = ip
        self.project.lost_allocations.sort(reverse=True)
        invoked = self.project.lost_allocations.pop()
        asked = Asked(0, None, invoked, inf)
        self._note(Kind.ALLOCATE, floating_ip_id, asked)


def fixed_ip(client: int, last: str) -> str:
    """Return the fixed IP that a client associates with an address."""
    return f"11.0.{client}.{last}"


async def hammer(recorder: Recorder, clients: int) -> None:
    """Let clients of two projects ask until enough is recorded."""
    projects = [Project("red"), Project("blue")]
    asking = [
        Client(n, recorder, projects[n // 2 % len(projects)]) for n in range(clients)
    ]
    await asyncio.gather(*(client.run() for client in asking))
    for number, project in enumerate(projects, start=clients):
        await Client(number, recorder, project).look_at_the_end()
