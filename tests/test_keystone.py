"""What holds with whatever stands in for Keystone: `tests/clients` has the real one."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.datastructures import Headers

from app.auth.circuit import FAILURES, PAUSE, KeystoneUnavailable
from app.auth.identity import Identity, Role
from app.auth.keystone import (
    MOST_AT_ONCE,
    REFUSED_SECONDS,
    KeystoneAuthenticator,
    TokenRefused,
)
from app.auth.keystone_api import CONNECTIONS
from app.auth.verdicts import Refusal, Verdicts
from app.database import LedgerDatabase, connection
from app.main import create_api, wrap
from app.settings import Settings
from tests import make
from tests.conftest import make_client
from tests.keystone_double import SERVICE_PASSWORD, KeystoneDouble, answer


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def double() -> AsyncIterator[KeystoneDouble]:
    double = KeystoneDouble()
    await double.start()
    yield double
    double.open.set()
    await double.stop()


def settings_for(
    double: KeystoneDouble, settings: Settings, **more: object
) -> Settings:
    return Settings.model_validate(
        {
            "DATABASE_URL": settings.database_url,
            "request_timeout": 10_000,
            "auth": "keystone",
            "keystone_url": double.url,
            "keystone_username": "floating-ips",
            "keystone_password": SERVICE_PASSWORD,
            "keystone_project_name": "service",
            "keystone_timeout": 10_000,
            **more,
        }
    )


@pytest.fixture
def chosen(double: KeystoneDouble, settings: Settings) -> Settings:
    return settings_for(double, settings)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def authenticate(
    chosen: Settings, clock: Clock
) -> AsyncIterator[KeystoneAuthenticator]:
    authenticate = KeystoneAuthenticator(chosen, clock)
    yield authenticate
    await authenticate.aclose()


@pytest.fixture
def api(
    chosen: Settings, database: LedgerDatabase, authenticate: KeystoneAuthenticator
) -> FastAPI:
    api = create_api(chosen, database)
    api.state.authenticate = authenticate
    return api


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with make_client(wrap(api), "") as client:
        del client.headers["X-Auth-Token"]
        yield client


def bearing(token: str, **more: str) -> dict[str, str]:
    return {"X-Auth-Token": token, **more}


async def listed(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/os-floating-ips", headers=bearing(token))


async def test_a_token_is_its_user_in_its_project(
    client: httpx.AsyncClient, double: KeystoneDouble, database: LedgerDatabase
) -> None:
    await make.pool(database)
    double.know("joes", user="joe-id")
    double.know("eves", user="eve-id", scope={"project": {"id": "other-id"}})

    allocated = await client.post("/os-floating-ips", headers=bearing("joes"))

    assert allocated.status_code == 200
    assert len((await listed(client, "joes")).json()["floating_ips"]) == 1
    assert (await listed(client, "eves")).json() == {"floating_ips": []}
    async with connection(database) as lent:
        rows = await lent.fetch("SELECT actor, project_id FROM history")
    assert [tuple(row) for row in rows] == [("joe-id", "demo-id")]


async def test_the_service_logs_in_as_its_user(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes")

    await listed(client, "joes")

    domain = {"name": "Default"}
    user = {"name": "floating-ips", "domain": domain, "password": SERVICE_PASSWORD}
    assert double.logins == [
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "service", "domain": domain}},
            }
        }
    ]


@pytest.mark.parametrize(
    ("roles", "statuses"),
    [
        (("reader",), [200, 403, 403]),
        (("member", "reader"), [200, 200, 403]),
        (("member",), [200, 200, 403]),
        (("manager", "member", "reader"), [200, 200, 403]),
        (("reader", "member", "manager", "admin"), [200, 200, 200]),
        (("Admin",), [200, 200, 200]),
        (("service", "observer"), [403, 403, 403]),
        (("administrator",), [403, 403, 403]),
    ],
)
async def test_roles_are_those_of_the_token(
    client: httpx.AsyncClient,
    double: KeystoneDouble,
    database: LedgerDatabase,
    roles: tuple[str, ...],
    statuses: list[int],
) -> None:
    await make.pool(database)
    client.headers["X-Auth-Token"] = double.know("joes", *roles)

    answers = [
        await client.get("/os-floating-ips"),
        await client.post("/os-floating-ips"),
        await client.get("/os-floating-ips-bulk"),
    ]

    assert [each.status_code for each in answers] == statuses


async def test_a_token_without_a_role_of_any_kind_is_403(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes")
    double.tokens["joes"]["roles"] = []

    refused = await listed(client, "joes")

    assert refused.status_code == 403
    assert "none of the roles" in refused.json()["forbidden"]["message"]


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ({"is_domain": False}, "not scoped to a project"),
        ({"domain": {"id": "default"}}, "not scoped to a project"),
        ({"system": {"all": True}}, "not scoped to a project"),
        (None, "not valid"),
    ],
)
async def test_what_is_no_valid_token_of_a_project_is_401(
    client: httpx.AsyncClient,
    double: KeystoneDouble,
    scope: dict[str, object] | None,
    told: str,
) -> None:
    if scope is not None:
        double.know("joes", "admin", scope=scope)

    refused = await listed(client, "joes")

    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{double.url}"'
    assert told in refused.json()["unauthorized"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"X-Auth-Token", b"")],
        [(b"X-Auth-Token", b"a b")],
        [(b"X-Auth-Token", b"a\tb")],
        [(b"X-Auth-Token", b"t\xc3\xb6ken")],
        [(b"X-Auth-Token", b"x" * 8193)],
        [(b"X-Auth-Token", b"joes"), (b"X-Auth-Token", b"eves")],
        [(b"X-Service-Token", b"joes")],
        [(b"Authorization", b"Bearer joes")],
        [(b"X-Project-Id", b"demo-id"), (b"X-Identity-Status", b"Confirmed")],
    ],
)
async def test_what_can_be_no_token_is_401_and_nobody_is_asked(
    client: httpx.AsyncClient,
    double: KeystoneDouble,
    headers: list[tuple[bytes, bytes]],
) -> None:
    double.know("joes")

    refused = await client.get("/os-floating-ips.xml", headers=headers)

    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{double.url}"'
    assert "<unauthorized" in refused.text
    assert (double.logins, double.asked) == ([], {})


async def test_forged_headers_have_no_effect(
    client: httpx.AsyncClient, double: KeystoneDouble, database: LedgerDatabase
) -> None:
    await make.pool(database)
    double.know("readers", "reader")
    forged = {
        "X-Roles": "admin",
        "X-Role": "admin",
        "X-Is-Admin-Project": "True",
        "X-Identity-Status": "Confirmed",
        "X-Service-Roles": "admin",
        "X-Project-Id": "other-id",
        "X-Tenant-Id": "other-id",
        "X-User-Id": "root",
        "X-Subject-Token": "other",
        "OpenStack-System-Scope": "all",
    }
    client.headers.update(bearing("readers", **forged))

    statuses = [
        (await client.get("/os-floating-ips-bulk")).status_code,
        (await client.post("/os-floating-ips")).status_code,
        (await client.get("/os-quota-sets/demo-id")).status_code,
        (await client.get("/os-quota-sets/other-id")).status_code,
    ]

    assert statuses == [403, 403, 200, 403]


async def test_the_same_token_is_asked_about_once_in_its_time(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    double.know("joes")

    for seconds in (0, 30, 29.9, 0.2):
        clock.now += seconds
        assert (await listed(client, "joes")).status_code == 200

    assert double.asked["joes"] == 2


async def test_a_revoked_token_is_refused_when_its_time_is_over(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    double.know("joes")
    await listed(client, "joes")
    del double.tokens["joes"]

    clock.now += 60

    assert (await listed(client, "joes")).status_code == 401


async def test_what_keystone_says_holds_from_when_it_was_asked(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    await listed(client, double.know("others"))
    double.know("joes")
    double.open.clear()
    asked = asyncio.create_task(listed(client, "joes"))
    await double.until(lambda: double.asked["joes"] == 1)
    clock.now += 59
    double.open.set()
    assert (await asked).status_code == 200

    clock.now += 1
    await listed(client, "joes")

    assert double.asked["joes"] == 2


async def test_a_refusal_is_kept_for_a_short_while(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    for _ in range(3):
        assert (await listed(client, "joes")).status_code == 401
    assert double.asked["joes"] == 1

    clock.now += REFUSED_SECONDS
    double.know("joes")

    assert (await listed(client, "joes")).status_code == 200


async def test_with_no_cache_each_request_is_asked_about(
    double: KeystoneDouble, settings: Settings
) -> None:
    double.know("joes")
    chosen = settings_for(double, settings, keystone_cache_seconds=0)
    authenticate = KeystoneAuthenticator(chosen)

    for _ in range(3):
        await authenticate(Headers(bearing("joes")))
    del double.tokens["joes"]
    with pytest.raises(TokenRefused):
        await authenticate(Headers(bearing("joes")))

    await authenticate.aclose()
    assert double.asked["joes"] == 4


async def test_a_token_that_has_expired_is_refused_whatever_keystone_says(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes", seconds=-0.001)

    assert (await listed(client, "joes")).status_code == 401


def test_what_is_known_ends_with_the_token() -> None:
    clock, wall_clock = Clock(), Clock()
    verdicts = Verdicts(10, clock, wall_clock)
    joe = Identity("joe", "demo", Role.MEMBER)
    verdicts.keep(b"a", joe, until=1060, expires_at=1030)
    verdicts.keep(b"b", joe, until=1060, expires_at=5000)

    wall_clock.now = 1029
    assert [verdicts.find(key) for key in (b"a", b"b", b"c")] == [joe, joe, None]
    wall_clock.now = 1030
    assert [verdicts.find(key) for key in (b"a", b"b")] == [None, joe]
    clock.now = 1060
    assert verdicts.find(b"b") is None
    assert len(verdicts) == 0


def test_the_least_recently_used_verdict_goes_first() -> None:
    verdicts = Verdicts(3)
    for key in (b"a", b"b", b"c"):
        verdicts.keep(key, Refusal.INVALID, until=time.monotonic() + 60)
    verdicts.find(b"a")

    verdicts.keep(b"d", Refusal.INVALID, until=time.monotonic() + 60)

    kept = [key for key in (b"a", b"b", b"c", b"d") if verdicts.find(key)]
    assert (kept, len(verdicts)) == ([b"a", b"c", b"d"], 3)


async def test_many_requests_with_one_token_are_one_question(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes")
    double.open.clear()
    asked = [asyncio.create_task(listed(client, "joes")) for _ in range(50)]
    await double.until(lambda: double.waiting == 1)
    double.open.set()

    answers = await asyncio.gather(*asked)

    assert {each.status_code for each in answers} == {200}
    assert (double.asked["joes"], len(double.logins)) == (1, 1)


async def test_a_thousand_tokens_at_once_are_asked_about_once_each(
    double: KeystoneDouble, settings: Settings
) -> None:
    patient = settings_for(double, settings, keystone_timeout=60_000)
    authenticate = KeystoneAuthenticator(patient)
    tokens = [double.know(f"token-{n}", user=f"user-{n}") for n in range(1000)]

    found = await asyncio.gather(
        *(authenticate(Headers(bearing(token))) for token in tokens * 3)
    )

    assert [each.user_id for each in found[:1000]] == [f"user-{n}" for n in range(1000)]
    assert found[:1000] == found[1000:2000] == found[2000:]
    assert (set(double.asked.values()), len(double.asked)) == ({1}, 1000)
    assert double.most_waiting <= CONNECTIONS
    assert len(double.logins) == 1
    await authenticate.aclose()


async def test_whoever_asked_first_may_go_away(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes")
    double.open.clear()
    first, *others = [asyncio.create_task(listed(client, "joes")) for _ in range(5)]
    await double.until(lambda: double.waiting == 1)

    first.cancel()
    await asyncio.wait([first])
    double.open.set()

    assert first.cancelled()
    assert {each.status_code for each in await asyncio.gather(*others)} == {200}
    assert double.asked["joes"] <= 1


async def test_when_all_have_gone_away_the_next_one_is_answered(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes")
    double.open.clear()
    asked = [asyncio.create_task(listed(client, "joes")) for _ in range(5)]
    await double.until(lambda: double.waiting == 1)
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    double.open.set()

    assert (await listed(client, "joes")).status_code == 200
    assert double.asked["joes"] == 1


async def test_there_is_a_most_that_may_wait(
    authenticate: KeystoneAuthenticator, double: KeystoneDouble
) -> None:
    double.open.clear()
    waiting = [
        asyncio.create_task(authenticate(Headers(bearing(f"token-{n}"))))
        for n in range(MOST_AT_ONCE)
    ]
    await double.until(lambda: double.waiting == 1)

    with pytest.raises(KeystoneUnavailable):
        async with asyncio.timeout(5):
            await authenticate(Headers(bearing("one-more")))

    await authenticate.aclose()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_the_services_token_is_renewed_before_it_expires(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    double.own_seconds = 100

    for number, (seconds, logins) in enumerate([(0, 1), (79, 1), (1, 2), (79, 2)]):
        clock.now += seconds
        assert (await listed(client, double.know(f"{number}"))).status_code == 200
        assert len(double.logins) == logins


async def test_a_service_token_that_is_refused_is_renewed_once_for_all(
    authenticate: KeystoneAuthenticator, double: KeystoneDouble, clock: Clock
) -> None:
    await authenticate(Headers(bearing(double.know("first"))))
    tokens = [double.know(f"token-{n}") for n in range(30)]
    double.own.clear()
    clock.now += 10

    found = await asyncio.gather(
        *(authenticate(Headers(bearing(token))) for token in tokens)
    )

    assert len(found) == 30
    assert len(double.logins) == 2
    assert double.asked.total() <= 1 + CONNECTIONS + 30


async def test_a_token_that_keystone_answers_401_to_is_refused(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    await listed(client, double.know("first"))
    clock.now += 10
    double.always[b"X-Subject-Token: disabled"] = answer(401, {})

    statuses = [(await listed(client, "disabled")).status_code for _ in range(2)]

    assert statuses == [401, 401]
    assert len(double.logins) == 2


async def test_callers_cannot_make_the_service_log_in_all_the_time(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    await listed(client, double.know("first"))
    clock.now += 10
    double.always[b"X-Subject-Token: disabled"] = answer(401, {})

    for number in range(20):
        refused = await listed(client, f"disabled-{number}")
        assert refused.status_code in (401, 503)

    assert len(double.logins) == 2
    assert (await listed(client, double.know("another"))).status_code == 200


async def test_a_service_user_with_a_wrong_password_is_503_and_not_open(
    double: KeystoneDouble, settings: Settings
) -> None:
    wrong = settings_for(double, settings, keystone_password="wrong")  # noqa: S106
    authenticate = KeystoneAuthenticator(wrong)
    double.know("joes")

    for _ in range(10):
        with pytest.raises(KeystoneUnavailable):
            await authenticate(Headers(bearing("joes")))

    await authenticate.aclose()
    assert len(double.logins) == FAILURES


HTML = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html/>\r\n"


@pytest.mark.parametrize(
    "instead",
    [
        answer(500, {}),
        answer(403, {"error": {"code": 403}}),
        answer(429, {}),
        answer(300, {}),
        answer(200, {}),
        answer(200, {"token": {"user": {"id": "joe"}}}),
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        HTML,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"220 mail.example.net ESMTP\r\n\r\n",
    ],
)
async def test_what_keystone_would_not_say_is_503(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock, instead: bytes
) -> None:
    await listed(client, double.know("cached"))
    double.instead = instead

    refused = await listed(client, double.know("joes", "admin"))

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert "Keystone" in refused.json()["serviceUnavailable"]["message"]
    assert (await listed(client, "cached")).status_code == 200


async def test_a_user_id_that_is_none_is_503(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.know("joes", user="../admin")

    assert (await listed(client, "joes")).status_code == 503


async def test_a_keystone_that_is_away_costs_nobody_a_wait(
    double: KeystoneDouble, settings: Settings, clock: Clock
) -> None:
    chosen = settings_for(double, settings, keystone_timeout=500)
    authenticate = KeystoneAuthenticator(chosen, clock)
    joe = await authenticate(Headers(bearing(double.know("joes"))))
    double.open.clear()
    await refused(authenticate, FAILURES)
    asked = double.asked.total()

    await refused(authenticate, 100)

    assert double.asked.total() == asked
    assert await authenticate(Headers(bearing("joes"))) == joe
    clock.now += PAUSE
    await refused(authenticate, 50)
    assert double.asked.total() == asked + 1
    double.open.set()
    await refused(authenticate, 1)
    clock.now += PAUSE
    assert await authenticate(Headers(bearing(double.know("back")))) == joe
    assert await authenticate(Headers(bearing(double.know("again")))) == joe
    await authenticate.aclose()


async def refused(authenticate: KeystoneAuthenticator, count: int) -> None:
    """Bear so many tokens at once, each of which is answered 503."""
    found = await asyncio.gather(
        *(authenticate(Headers(bearing(f"no-{n}"))) for n in range(count)),
        return_exceptions=True,
    )
    assert {type(each) for each in found} == {KeystoneUnavailable}


async def test_one_late_answer_is_no_outage(
    double: KeystoneDouble, settings: Settings
) -> None:
    chosen = settings_for(double, settings, keystone_timeout=500)
    authenticate = KeystoneAuthenticator(chosen)
    await authenticate(Headers(bearing(double.know("joes"))))
    double.open.clear()
    await refused(authenticate, FAILURES - 1)

    double.open.set()

    assert await authenticate(Headers(bearing(double.know("late"))))
    await authenticate.aclose()


async def test_whoever_finds_no_connection_free_is_told_in_time(
    double: KeystoneDouble, settings: Settings
) -> None:
    chosen = settings_for(double, settings, keystone_timeout=300)
    authenticate = KeystoneAuthenticator(chosen)
    await authenticate(Headers(bearing(double.know("joes"))))
    double.open.clear()
    began = time.monotonic()

    await refused(authenticate, 200)

    assert time.monotonic() - began < 2
    assert double.asked.total() <= 1 + CONNECTIONS + FAILURES
    await authenticate.aclose()


async def test_a_keystone_that_is_down_and_up_again(
    client: httpx.AsyncClient, double: KeystoneDouble, clock: Clock
) -> None:
    await listed(client, double.know("cached"))
    await double.stop()
    for number in range(5):
        refused = await listed(client, double.know(f"{number}"))
        assert refused.status_code == 503
    assert (await listed(client, "cached")).status_code == 200

    await double.start()
    clock.now += PAUSE

    assert (await listed(client, "0")).status_code == 200
    assert (await listed(client, "1")).status_code == 200


async def test_a_connection_that_keystone_closes_is_made_anew(
    client: httpx.AsyncClient, double: KeystoneDouble
) -> None:
    double.hangs_up = True

    for number in range(5):
        assert (await listed(client, double.know(f"{number}"))).status_code == 200


async def test_the_application_ends_with_its_connections_closed(
    chosen: Settings, double: KeystoneDouble, connected: LedgerDatabase
) -> None:
    api = create_api(chosen, LedgerDatabase(chosen))
    async with api.router.lifespan_context(api):
        await api.state.authenticate(Headers(bearing(double.know("joes"))))
        assert double.connections == 1

    await double.until(lambda: double.connections == 0)
