"""The requests of each operation as bytes, and the ids in the answers."""

from collections.abc import Iterable

from pydantic_core import from_json

from benchmarks.scripts import LISTED

ACTOR = "bench"
PATH = "/os-floating-ips"


def nothing() -> bytes:
    """Ask a rival."""
    return b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"


def allocate(project: int, pool: str) -> bytes:
    """Ask for a floating IP of the pool."""
    return _request("POST", PATH, project, b'{"pool": "%b"}' % pool.encode())


def show(project: int, floating_ip_id: int) -> bytes:
    """Ask for one."""
    return _request("GET", f"{PATH}/{floating_ip_id}", project)


def list_of_100(project: int, token: str | None = None) -> bytes:
    """Ask for those of the project."""
    return _request("GET", f"{PATH}?limit={LISTED}", project, token=token)


def release(project: int, floating_ip_id: int) -> bytes:
    """Give one back."""
    return _request("DELETE", f"{PATH}/{floating_ip_id}", project)


def _request(
    method: str, path: str, project: int, body: bytes = b"", token: str | None = None
) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"X-Auth-Token: {token or f'{ACTOR}:{project}'}",
        "Accept: application/json",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ids(answers: Iterable[bytes]) -> list[int]:
    """Read which floating IPs were given."""
    return [from_json(answer)["floating_ip"]["id"] for answer in answers]
