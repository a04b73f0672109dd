"""What no HTTP library would send, sent to a running service over a socket.

Whatever comes: no 5xx, no effect, bounded memory and time, and a good client is served
meanwhile.
"""

import re
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from app.connections import HEAD_LIMIT, MESSAGE_LIMIT
from tests.service import Service, command, serving

PATIENCE = 0.8
"""Seconds that clients of this service have."""

PROMPT = 2.0
"""Seconds that a good client waits at most, on a machine that others use as well."""

GROWTH = 48 * 1024
"""KiB that the process may grow over all of it; the worst of the attacks send more."""

ALLOCATE = "POST /os-floating-ips HTTP/1.1"
LIST = "GET /os-floating-ips HTTP/1.1"
HOST = "Host: floating-ips"
TOKEN = "X-Auth-Token: joe:hostile"  # noqa: S105  # noauth believes anything
JSON = "Content-Type: application/json"
XML = "Content-Type: application/xml"
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = f"{ALLOCATE}\r\n{HOST}\r\n{TOKEN}\r\n\r\n".encode()


def message(first: str, *fields: str, body: bytes = b"") -> bytes:
    """Write a request; only a body's length is not added."""
    head = "\r\n".join([first, HOST, TOKEN, *fields])
    return f"{head}\r\n\r\n".encode("latin-1") + body


class Said:
    """What the service said on one connection."""

    def __init__(self, raw: bytes, took: float, *, is_closed: bool) -> None:
        self.raw = raw
        self.took = took
        self.is_closed = is_closed
        self.statuses = [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", raw)]


def connect(service: Service) -> socket.socket:
    url = httpx.URL(service.url)
    return socket.create_connection((url.host, url.port or 80), timeout=5)


def listen(sock: socket.socket, seconds: float) -> Said:
    """Read to the end of the connection, or until nothing has come for so long."""
    began, raw, is_closed = time.monotonic(), b"", True
    sock.settimeout(seconds)
    try:
        while part := sock.recv(65_536):
            raw += part
    except TimeoutError:
        is_closed = False
    except ConnectionError:
        pass
    return Said(raw, time.monotonic() - began, is_closed=is_closed)


def say(service: Service, data: bytes, seconds: float = 4 * PATIENCE) -> Said:
    with connect(service) as sock:
        with suppress(ConnectionError):  # It may refuse before all has been sent.
            sock.sendall(data)
        return listen(sock, seconds)


def reset(sock: socket.socket) -> None:
    """Close as a client that crashes: with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def resident(service: Service) -> int:
    """Return the memory of the service's process in KiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1])


def held(service: Service) -> list[int]:
    with service.client(project_id="hostile") as client:
        response = client.get("/os-floating-ips")
        assert response.status_code == 200
        return [each["id"] for each in response.json()["floating_ips"]]


def release_all(service: Service) -> None:
    with service.client(project_id="hostile") as client:
        for each in held(service):
            assert client.delete(f"/os-floating-ips/{each}").status_code == 202


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    data_dir = folder / "hostile"
    timeout = str(round(PATIENCE * 1000))
    with serving(data_dir, "--demo", FLOATING_IPS_CLIENT_TIMEOUT=timeout) as service:
        with service.client() as client:
            client.get("/os-floating-ips")
        before = resident(service)
        yield service
        assert resident(service) < before + GROWTH
        result = command("check", "--data-dir", str(data_dir))
        assert result.returncode == 0, result.stdout


@pytest.fixture(autouse=True)
def good_client(service: Service) -> Iterator[None]:
    """Before and after: the same floating IPs, and a good client is served at once."""
    before = held(service)
    yield
    began = time.monotonic()
    assert held(service) == before
    assert time.monotonic() - began < PROMPT


REFUSED = {
    "two equal lengths": message(
        ALLOCATE, JSON, "Content-Length: 2", "Content-Length: 2", body=b"{}"
    ),
    "two other lengths": message(
        ALLOCATE, JSON, "Content-Length: 2", "Content-Length: 0", body=b"{}"
    ),
    "a list of lengths": message(ALLOCATE, JSON, "Content-Length: 2, 2", body=b"{}"),
    "a signed length": message(ALLOCATE, JSON, "Content-Length: +2", body=b"{}"),
    "a negative length": message(ALLOCATE, JSON, "Content-Length: -1", body=b"{}"),
    "a length in hex": message(ALLOCATE, JSON, "Content-Length: 0x2", body=b"{}"),
    "an endless length": message(ALLOCATE, JSON, "Content-Length: " + "9" * 30),
    "length and chunks": message(
        ALLOCATE, JSON, "Content-Length: 2", CHUNKED, body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "chunks and length": message(
        ALLOCATE, JSON, CHUNKED, "Content-Length: 2", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "chunked twice": message(
        ALLOCATE, JSON, CHUNKED, CHUNKED, body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "another coding": message(ALLOCATE, JSON, "Transfer-Encoding: identity"),
    "a coding before": message(
        ALLOCATE, JSON, "Transfer-Encoding: gzip, chunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "a coding behind": message(
        ALLOCATE, JSON, "Transfer-Encoding: chunked, gzip", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "a coding like chunked": message(
        ALLOCATE, JSON, "Transfer-Encoding: xchunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "a coding behind a blank": message(
        ALLOCATE, JSON, "Transfer-Encoding : chunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "a coding behind a control": message(
        ALLOCATE, JSON, "Transfer-Encoding: \x0bchunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "a coding on the next line": message(
        ALLOCATE, JSON, "Transfer-Encoding:", " chunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "a chunk of 160 bits": message(
        ALLOCATE, JSON, CHUNKED, body=b"F" * 40 + b"\r\n{}\r\n0\r\n\r\n"
    ),
    "a negative chunk": message(ALLOCATE, JSON, CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk with 0x": message(ALLOCATE, JSON, CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk without an end": message(
        ALLOCATE, JSON, CHUNKED, body=b"2\r\n{}0\r\n\r\n"
    ),
    "a chunk that ends in LF": message(
        ALLOCATE, JSON, CHUNKED, body=b"2;a\n{}\r\n0\r\n\r\n"
    ),
    "lines that end in LF": message(LIST).replace(b"\r\n", b"\n"),
    "lines that end in CR": message(LIST).replace(b"\r\n", b"\r") + b"\r\n\r\n",
    "no version": b"GET /os-floating-ips\r\n\r\n",
    "HTTP/0.9": message("GET /os-floating-ips HTTP/0.9"),
    "HTTP/1.2": message("GET /os-floating-ips HTTP/1.2"),
    "HTTP/2.0": message("POST /os-floating-ips HTTP/2.0"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00" + bytes(100),
    "no host": f"{LIST}\r\n{TOKEN}\r\n\r\n".encode(),
    "two hosts": message(LIST, "Host: other"),
    "an authority": message("CONNECT floating-ips:80 HTTP/1.1"),
    "an authority to GET": message("GET floating-ips:80 HTTP/1.1"),
    "a path without a slash": message("GET os-floating-ips HTTP/1.1"),
    "a path with NUL": message("GET /os-floating-ips/\0 HTTP/1.1"),
    "a path with a control": message("GET /os-floating-ips/\x01 HTTP/1.1"),
    "a path with a high byte": message("GET /os-floating-ips/\xe9 HTTP/1.1"),
    "a field with NUL": message(LIST, "Accept: a\0b"),
    "a field with a control": message(LIST, "Accept: a\x01b"),
    "a name with a control": message(LIST, "Acc\x01ept: a"),
    "a name with a blank": message(LIST, "Acc ept: a"),
    "a field without a name": message(LIST, ": a"),
    "a field on two lines": message(LIST, "Accept: a", " b"),
    "an unknown method": message("ALLOCATE /os-floating-ips HTTP/1.1"),
    "a method in lower case": message("post /os-floating-ips HTTP/1.1"),
    "a line of a megabyte": message(f"GET /{'1' * 1_000_000} HTTP/1.1"),
    "a field of a megabyte": message(LIST, f"Accept: {'a' * 1_000_000}"),
    "100 000 fields": message(LIST, *(f"X-{n}: 1" for n in range(100_000))),
    "a head that is just too long": message(LIST, f"Accept: {'a' * HEAD_LIMIT}"),
    "trailers of two megabytes": message(
        LIST, CHUNKED, body=b"0\r\n" + b"X-A: 1\r\n" * 262_144
    ),
    "an extension of two megabytes": message(
        ALLOCATE, JSON, CHUNKED, body=b"2;" + b"a" * 2 * MESSAGE_LIMIT
    ),
    "100 000 tiny chunks": message(
        ALLOCATE, JSON, CHUNKED, body=b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n"
    ),
    "an announced body of 10 GB": message(
        ALLOCATE, JSON, "Content-Length: 9999999999", "Expect: 100-continue"
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_once_and_the_connection_closed(
    service: Service, name: str
) -> None:
    said = say(service, REFUSED[name])

    assert said.is_closed
    if name == "trailers of two megabytes":
        # The list may have been sent before they came.
        assert said.statuses in ([200], [413])
        return
    # A reset can overtake the answer, where the service did not read to the end.
    assert said.statuses or len(REFUSED[name]) > HEAD_LIMIT
    assert len(said.statuses) <= 1
    assert set(said.statuses) <= {400, 413, 431}
    assert not said.raw or b"\r\ncontent-type: application/json\r\n" in said.raw


def test_a_head_just_within_the_limit_is_read(service: Service) -> None:
    said = say(service, message(LIST, f"Accept: {'a' * 60_000}", "Connection: close"))

    assert said.statuses == [200]


def test_a_weird_request_that_is_allowed_is_answered(service: Service) -> None:
    assert say(
        service, message("GET http://other/livez HTTP/1.1", "Connection: close")
    ).statuses == [200]
    assert say(service, message("GET /livez HTTP/1.0")).statuses == [200]
    assert say(service, message("OPTIONS * HTTP/1.1", "Connection: close")).statuses
    assert say(
        service,
        message("GET /livez HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c")
        + message("GET /livez HTTP/1.1"),
    ).statuses == [200]


@pytest.mark.parametrize(
    "outer",
    [
        message(LIST, "Content-Length: 0", CHUNKED, body=b"0\r\n\r\n"),
        message(
            LIST, JSON, f"Content-Length: {len(SMUGGLED)}", CHUNKED, body=b"0\r\n\r\n"
        ),
        message(
            LIST,
            JSON,
            "Content-Length: 0",
            f"Content-Length: {len(SMUGGLED)}",
            body=b"",
        ),
        message(LIST, JSON, f"Content-Length: {len(SMUGGLED)}"),
        message(LIST, "Connection: close"),
        message(LIST, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
        message("GET /livez HTTP/1.0", CHUNKED, body=b"0\r\n\r\n"),
    ],
)
def test_two_framings_never_make_two_requests(service: Service, outer: bytes) -> None:
    """The fixture sees that nothing was allocated."""
    said = say(service, outer + SMUGGLED, seconds=0.5)

    assert len(said.statuses) == 1
    assert said.statuses[0] in (200, 400)


def test_trailers_are_no_headers(service: Service) -> None:
    said = say(
        service,
        f"{ALLOCATE}\r\n{HOST}\r\n{JSON}\r\n{CHUNKED}\r\nConnection: close\r\n\r\n"
        f"2\r\n{{}}\r\n0\r\n{TOKEN}\r\n\r\n".encode(),
    )

    assert said.statuses == [401]


UNFINISHED = {
    "nothing": b"",
    "blank lines": b"\r\n\r\n",
    "half a line": b"GET /os-fl",
    "half a head": message(LIST)[:-2],
    "no body": message(ALLOCATE, JSON, "Content-Length: 20"),
    "half a body": message(ALLOCATE, JSON, "Content-Length: 20", body=b'{"pool": '),
    "half an XML body": message(ALLOCATE, XML, "Content-Length: 20", body=b"<pool>"),
    "half a chunk": message(ALLOCATE, JSON, CHUNKED, body=b"FFFFFFFFFFFFFFF\r\n{}"),
    "no last chunk": message(ALLOCATE, JSON, CHUNKED, body=b"2\r\n{}\r\n"),
    "half a body to release": message(
        "DELETE /os-floating-ips/1 HTTP/1.1", JSON, "Content-Length: 2", body=b"{"
    ),
}


def test_what_never_ends_is_given_up_in_time(service: Service) -> None:
    with ThreadPoolExecutor(len(UNFINISHED)) as pool:
        said = dict(
            zip(
                UNFINISHED,
                pool.map(lambda data: say(service, data), UNFINISHED.values()),
                strict=True,
            )
        )

    for name, each in said.items():
        expected = [] if name in ("nothing", "blank lines") else [408]
        assert (name, each.statuses, each.is_closed) == (name, expected, True)
        assert PATIENCE * 0.9 < each.took < PATIENCE + PROMPT


@pytest.mark.parametrize("begins", ["head", "body", "chunks"])
def test_a_byte_at_a_time_does_not_stretch_the_time(
    service: Service, begins: str
) -> None:
    drops = {
        "head": (message(LIST)[:-2], b"A"),
        "body": (message(ALLOCATE, JSON, "Content-Length: 9999"), b" "),
        "chunks": (message(ALLOCATE, JSON, CHUNKED), b"1\r\n \r\n"),
    }
    first, drop = drops[begins]
    with connect(service) as sock:
        sock.sendall(first)
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() < began + 4 * PATIENCE:
                time.sleep(0.1)
                sock.sendall(drop)
        took = time.monotonic() - began
        said = listen(sock, 1)

    assert took < PATIENCE + PROMPT
    assert said.statuses in ([408], [])


def test_200_idle_connections_leave_the_service_prompt_and_are_closed(
    service: Service,
) -> None:
    before = resident(service)
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(service)) for _ in range(200)]
        for number, sock in enumerate(idle):
            sock.sendall(list(UNFINISHED.values())[number % len(UNFINISHED)])
        began = time.monotonic()
        assert isinstance(held(service), list)
        assert time.monotonic() - began < PROMPT
        assert resident(service) < before + GROWTH
        assert all(listen(sock, PATIENCE + PROMPT).is_closed for sock in idle)
        assert time.monotonic() - began < PATIENCE + 2 * PROMPT


def test_an_answer_that_nobody_takes_is_given_up(service: Service) -> None:
    say(service, message("GET /openapi.json HTTP/1.1", "Connection: close"), 30)
    before = resident(service)
    with connect(service) as sock:
        sock.settimeout(0.3)
        asked = message("GET /openapi.json HTTP/1.1") * 200
        with suppress(TimeoutError):
            sock.sendall(asked)
        time.sleep(PATIENCE * 2)
        assert resident(service) < before + GROWTH
        said = listen(sock, PATIENCE * 2)

    assert said.is_closed
    assert 0 < len(said.statuses) < 200


def test_pipelined_requests_are_each_done_once_and_in_order(service: Service) -> None:
    said = say(
        service,
        message(ALLOCATE) * 3 + message(LIST, "Connection: close"),
    )

    assert said.statuses == [200] * 4
    order = [int(each) for each in re.findall(rb'"floating_ip":{"id":(\d+)', said.raw)]
    assert order == held(service)
    release_all(service)


def test_a_request_before_rubbish_gets_its_own_answer(service: Service) -> None:
    said = say(service, message(ALLOCATE) + b"\0rubbish\r\n\r\n")

    assert said.statuses == [200]
    assert said.is_closed
    release_all(service)


def test_rubbish_in_a_body_behind_another_request_has_no_effect(
    service: Service,
) -> None:
    said = say(
        service,
        message(ALLOCATE) + message(ALLOCATE, JSON, CHUNKED, body=b"2\r\n{}rubbish"),
    )

    assert said.statuses[:1] == [200]
    assert said.is_closed
    assert len(held(service)) == 1
    release_all(service)


def test_a_connection_half_closed_gets_its_answer(service: Service) -> None:
    with connect(service) as sock:
        sock.sendall(message(LIST))
        sock.shutdown(socket.SHUT_WR)
        said = listen(sock, 4 * PATIENCE)
    with connect(service) as sock:
        sock.sendall(message(ALLOCATE, JSON, "Content-Length: 2", body=b"{"))
        sock.shutdown(socket.SHUT_WR)
        unfinished = listen(sock, 4 * PATIENCE)

    assert (said.statuses, said.is_closed) == ([200], True)
    assert (unfinished.statuses, unfinished.is_closed) == ([], True)


@pytest.mark.parametrize(
    "begun",
    [
        message(ALLOCATE, JSON, "Content-Length: 20", body=b'{"pool": '),
        message(ALLOCATE, XML, "Content-Length: 20", body=b"<pool>"),
        message(ALLOCATE, JSON, CHUNKED, body=b"20\r\n{"),
        message("DELETE /os-floating-ips/1 HTTP/1.1", JSON, CHUNKED),
    ],
)
def test_a_reset_in_the_body_has_no_effect(service: Service, begun: bytes) -> None:
    for _ in range(20):
        sock = connect(service)
        sock.sendall(begun)
        reset(sock)


def test_a_reset_behind_a_whole_request_is_one_effect_or_none(service: Service) -> None:
    for number in range(30):
        sock = connect(service)
        sock.sendall(message(ALLOCATE))
        time.sleep(number / 10_000)
        reset(sock)
    time.sleep(0.5)

    assert len(held(service)) <= 10
    release_all(service)
