"""A fault at each statement of each change: no effect twice, none lost, none half."""

import asyncio
import time
from uuid import uuid4

import httpx
import pytest

from tests.faults.conftest import Site
from tests.faults.operations import LEDGER, OPERATIONS, Operation
from tests.proxy import Fault
from tests.service import wait_until_ready

DEADLINE = 3.0
"""Seconds in which every request is answered; the machine may be slow by a few more."""

SLOWER = 1.0

MOST = 40
"""Messages of one change; far more than any has."""


async def ledger(site: Site) -> tuple[int, ...]:
    return tuple(await site.fetch(LEDGER))


async def grown_by(site: Site, before: tuple[int, ...]) -> tuple[int, ...]:
    now = await ledger(site)
    return tuple(new - old for new, old in zip(now, before, strict=True))


BUSY = """
SELECT count(*)
  FROM pg_stat_activity
 WHERE application_name = 'floating-ips' AND state <> 'idle'
"""


async def settled(site: Site) -> None:
    """Wait until what lost its client has ended: a COMMIT may still be on its way."""
    until = time.monotonic() + DEADLINE
    while (await site.fetch(BUSY))[0]:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)


def checked(response: httpx.Response, began: float) -> bool:
    """Tell whether the change was acknowledged; else it must be a good refusal."""
    assert time.monotonic() - began < DEADLINE + SLOWER
    if response.status_code in (200, 202):
        return True
    assert response.status_code == 503, response.text
    assert int(response.headers["Retry-After"]) >= 1
    return False


def sent_again(
    client: httpx.Client, method: str, path: str, body: object, headers: dict[str, str]
) -> httpx.Response:
    """Send it as a client does: once more while the first one may be under way."""
    until = time.monotonic() + DEADLINE
    while True:
        response = client.request(method, path, json=body, headers=headers)
        if response.status_code not in (409, 503) or time.monotonic() > until:
            return response
        time.sleep(0.05)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
@pytest.mark.parametrize("has_key", [True, False], ids=["key", "no key"])
async def test_a_fault_at_each_statement(
    shared: Site, operation: Operation, fault: Fault, has_key: bool
) -> None:
    wait_until_ready(shared.service, 10)
    for after in range(MOST):
        with shared.service.client() as client:
            method, path, body = operation.prepare(client)
            before = await ledger(shared)
            headers = {"Idempotency-Key": uuid4().hex} if has_key else {}
            shared.proxy.arm(fault, after)
            began = time.monotonic()
            response = client.request(method, path, json=body, headers=headers)
            has_happened = shared.proxy.is_active()
            shared.proxy.heal()
            is_done = checked(response, began)
            await settled(shared)
            grown = await grown_by(shared, before)

            assert grown in ((0, 0, 0), operation.grows_by)
            if is_done:
                assert grown == operation.grows_by
            assert wait_until_ready(shared.service, 10) < DEADLINE
            if has_key:
                again = sent_again(client, method, path, body, headers)
                assert again.status_code in (200, 202), again.text
                assert await grown_by(shared, before) == operation.grows_by
        if not has_happened:
            break
    else:
        raise AssertionError(f"a change has {MOST} messages or more")
    assert is_done
    assert after >= 1
    shared.check()


CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'floating-ips'
"""


async def test_memory_and_connections_are_back(shared: Site) -> None:
    """After so many faults, of which this module made some hundreds."""
    with shared.service.client() as client:
        for _ in range(200):
            client.get("/os-floating-ips").raise_for_status()
    before = shared.rss()
    with shared.service.client() as client:
        for number in range(60):
            shared.proxy.arm(Fault.RESET if number % 2 else Fault.SWALLOW)
            assert client.get("/os-floating-ips").status_code in (200, 503)
            shared.proxy.heal()
    wait_until_ready(shared.service, 10)

    assert shared.rss() <= before * 1.1
    (count,) = await shared.fetch(CONNECTIONS)
    assert count <= 16
