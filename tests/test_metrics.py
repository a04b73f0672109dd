"""What an operator can watch: numbers of requests, pools, quotas and the database."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp

from app.database import LedgerDatabase, snapshot
from app.faces.metrics import Exhaustion
from app.main import create_api, wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client
from tests.service import logging, serving

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped(client: AsyncClient) -> Samples:
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return parsed(response.text)


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"floating_ips_{name}", frozenset(labels.items())), 0.0)


@pytest.fixture
async def fresh(api: FastAPI) -> httpx.AsyncClient:
    """A client of an application whose figures nobody has read yet."""
    return make_client(wrap(api), "joe:demo")


@pytest.mark.parametrize(
    ("method", "path", "face", "route", "status"),
    [
        ("GET", "/os-floating-ips", "draft", "/os-floating-ips", "200"),
        ("GET", "/os-floating-ips.xml", "draft", "/os-floating-ips", "200"),
        ("GET", "/os-floating-ips/17", "draft", "/os-floating-ips/{id}", "404"),
        ("GET", "/v2.0/floatingips", "network", "/v2.0/floatingips", "200"),
        ("GET", "/v2.1/os-floating-ips", "compute", "/v2.1/os-floating-ips", "200"),
        ("GET", "/nowhere", "none", "none", "404"),
        ("PATCH", "/os-floating-ips", "none", "none", "405"),
        ("BREW", "/os-floating-ips", "none", "none", "405"),
    ],
)
async def test_requests_are_counted_by_face_and_template(
    client: AsyncClient, method: str, path: str, face: str, route: str, status: str
) -> None:
    labels = {"face": face, "route": route}
    labels["method"] = "none" if method == "BREW" else method
    before = await scraped(client)
    response = await client.request(method, path)
    after = await scraped(client)

    assert response.status_code == int(status)
    counted = "http_requests_total"
    assert (
        value(after, counted, status=status, **labels)
        == value(before, counted, status=status, **labels) + 1
    )
    timed = "http_request_seconds_count"
    assert value(after, timed, **labels) == value(before, timed, **labels) + 1


async def test_pools_are_shown_by_state(
    fresh: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/28")
    first = await make.floating_ip(fresh)
    await make.floating_ip(fresh)
    await fresh.delete(f"/os-floating-ips/{first}")

    samples = await scraped(fresh)

    shown = {
        state: value(samples, "pool_addresses", pool="public", state=state)
        for state in ("free", "held", "resting", "reserved")
    }
    total = value(samples, "pool_total", pool="public")
    assert shown == {"free": total - 2, "held": 1, "resting": 1, "reserved": 0}
    assert value(samples, "pool_exhaustion_seconds", pool="public") == float("inf")


async def test_the_fullest_quotas_are_shown_and_no_more(
    fresh: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.0/24")
    for number in range(25):
        headers = {"X-Auth-Token": f"joe:project-{number}"}
        for _ in range(1 + number % 5):
            made = await fresh.post("/os-floating-ips", headers=headers)
            assert made.status_code == 200
    await make.quota(database, 5, "project-4")

    samples = await scraped(fresh)

    used = {labels for name, labels in samples if name == "floating_ips_quota_used"}
    assert len(used) == 20
    assert value(samples, "quota_used", project_id="project-4") == 5
    assert value(samples, "quota_limit", project_id="project-4") == 5
    assert frozenset({("project_id", "project-0")}) not in used


def test_a_pool_is_used_up_at_the_rate_of_the_last_minutes() -> None:
    exhaustion = Exhaustion()
    exhaustion.note(0.0, {"a": 500})
    exhaustion.note(200.0, {"a": 100, "new": 7})
    exhaustion.note(1_000.0, {"a": 60, "new": 7})

    assert exhaustion.seconds("a") == 60 / (40 / 800)
    assert exhaustion.seconds("new") == float("inf")


async def test_a_snapshot_that_is_held_is_seen(
    fresh: AsyncClient, database: LedgerDatabase
) -> None:
    async with snapshot(database) as tx:
        await tx.fetchval("SELECT pg_sleep(0.3)")
        # A task of its own has a connection of its own.
        samples = await asyncio.create_task(scraped(fresh))

    assert value(samples, "database_oldest_transaction_seconds") >= 0.3


async def test_they_are_shown_while_the_database_is_away(settings: Settings) -> None:
    nowhere = settings.model_copy(
        update={"database_url": "postgresql://nobody@127.0.0.1:1/none"}
    )
    async with LedgerDatabase(nowhere) as database:
        app = wrap(create_api(nowhere, database))
        async with make_client(app, "joe:demo") as client:
            samples = await scraped(client)

    assert samples[("floating_ips_database_up", frozenset())] == 0
    assert not any("pool_addresses" in name for name, _ in samples)


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
    ],
)
async def test_they_are_for_the_operators_networks_alone(
    app: ASGIApp, peer: str, headers: dict[str, str], status: int
) -> None:
    transport = ASGITransport(app, client=(peer, 1))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/metrics", headers=headers)

    assert response.status_code == status
    if status == 403:
        assert "FLOATING_IPS_METRICS_FROM" in response.json()["forbidden"]["message"]


async def test_no_project_or_path_of_a_client_is_a_label(client: AsyncClient) -> None:
    for number in range(30):
        await client.get(f"/os-floating-ips/{number + 1}")
        await client.get(f"/nowhere-{number}")
    before = len(await scraped(client))
    for number in range(30):
        await client.get(f"/os-floating-ips/{number + 1000}")
        await client.get(f"/nowhere-else-{number}")

    assert len(await scraped(client)) == before


def test_two_workers_add_up(folder: Path) -> None:
    with serving(folder / "metrics", "--demo", "--workers", "2") as service:
        for _ in range(40):
            with service.client() as client:  # A connection of its own.
                assert client.get("/os-floating-ips").status_code == 200
        seen = {_requests(service.url) for _ in range(8)}

    assert seen == {40.0}


def _requests(url: str) -> float:
    text = httpx.get(f"{url}/metrics").text
    labels = {"face": "draft", "method": "GET", "route": "/os-floating-ips"}
    return value(parsed(text), "http_requests_total", status="200", **labels)


def test_a_log_line_names_project_and_route(folder: Path) -> None:
    log = folder / "metrics.log"
    with (
        logging(log, folder / "metrics-log", "--demo") as service,
        service.client() as client,
    ):
        client.get("/os-floating-ips/17")

    (line,) = [line for line in log.read_text().splitlines() if "/17" in line]
    assert '"project_id":"demo"' in line
    assert '"route":"/os-floating-ips/{id}"' in line
    assert '"status":404' in line
