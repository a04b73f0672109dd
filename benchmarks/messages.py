"""The requests of each operation as bytes, and the ids in the answers."""

from collections.abc import Iterable, Sequence

from pydantic_core import from_json, to_json

from benchmarks.scripts import LISTED

ACTOR = "bench"
ADMIN = "admin"
PATH = "/os-floating-ips"

LAST_ID = b"{last}"
"""Stands in a path for the floating IP that the answer before has given."""


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


def associate(project: int, floating_ip_id: int, fixed_ip: str) -> bytes:
    """Point one at a fixed IP."""
    path = f"{PATH}/{floating_ip_id}/addFloatingIp"
    return _post(path, project, {"associate_address": {"fixed_ip": fixed_ip}})


def disassociate(project: int, floating_ip_id: int) -> bytes:
    """Point one at nothing."""
    return _request("POST", f"{PATH}/{floating_ip_id}/removeFloatingIp", project)


def release(project: int, floating_ip_id: int) -> bytes:
    """Give one back."""
    return _request("DELETE", f"{PATH}/{floating_ip_id}", project)


def pair(project: int, pool: str) -> list[bytes]:
    """Ask for a floating IP of the pool, and give that very one back."""
    release_last = _request("DELETE", f"{PATH}/{LAST_ID.decode()}", project)
    return [allocate(project, pool), release_last]


def filled_in(request: bytes, answer: bytes) -> bytes:
    """Put the floating IP of an answer in the place of LAST_ID."""
    (given,) = ids([answer])
    return request.replace(LAST_ID, b"%d" % given)


def register(project: int, fixed_ips: Sequence[str]) -> bytes:
    """Register a server that has these fixed IPs; only an admin chooses them."""
    server = {"name": "bench", "fixed_ips": fixed_ips}
    return _post("/servers", project, {"server": server}, user=ADMIN)


def _post(path: str, project: int, body: object, *, user: str = ACTOR) -> bytes:
    return _request("POST", path, project, to_json(body), user=user)


def _request(
    method: str,
    path: str,
    project: int,
    body: bytes = b"",
    *,
    user: str = ACTOR,
    token: str | None = None,
) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        f"X-Auth-Token: {token or f'{user}:{project}'}",
        "Accept: application/json",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ids(answers: Iterable[bytes]) -> list[int]:
    """Read which floating IPs were given."""
    return [from_json(answer)["floating_ip"]["id"] for answer in answers]
