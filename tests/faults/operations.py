"""The changes that faults are tried on, and what each does to the ledger, once."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import httpx

LEDGER = """
SELECT (SELECT count(*) FROM history),
       (SELECT count(until) FROM history),
       (SELECT count(*) FROM servers)
"""

FIXED_IPS = count(1)

Asked = tuple[str, str, object]
"""Method, path and body of a request."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A change: what it needs, what is asked, and by how much LEDGER grows."""

    name: str
    prepare: Callable[[httpx.Client], Asked]
    grows_by: tuple[int, int, int]


def _allocated(client: httpx.Client) -> int:
    made = client.post("/os-floating-ips").raise_for_status()
    floating_ip_id: int = made.json()["floating_ip"]["id"]
    return floating_ip_id


def _server(client: httpx.Client) -> tuple[int, str]:
    """Register a server; return its id and its fixed IP."""
    number = next(FIXED_IPS)
    fixed_ip = f"10.9.{number // 250}.{number % 250 + 1}"
    body = {"server": {"name": "web", "fixed_ips": [fixed_ip]}}
    made = client.post(
        "/servers", json=body, headers={"X-Auth-Token": "admin:demo"}
    ).raise_for_status()
    return made.json()["server"]["id"], fixed_ip


def _associated(client: httpx.Client) -> int:
    floating_ip_id = _allocated(client)
    method, path, body = _associate(client, floating_ip_id)
    client.request(method, path, json=body).raise_for_status()
    return floating_ip_id


def _associate(client: httpx.Client, floating_ip_id: int | None = None) -> Asked:
    floating_ip_id = floating_ip_id or _allocated(client)
    body = {"associate_address": {"fixed_ip": _server(client)[1]}}
    return "POST", f"/os-floating-ips/{floating_ip_id}/addFloatingIp", body


OPERATIONS = (
    Operation("allocate", lambda _: ("POST", "/os-floating-ips", None), (1, 0, 0)),
    Operation("associate", _associate, (1, 1, 0)),
    Operation(
        "disassociate",
        lambda client: (
            "POST",
            f"/os-floating-ips/{_associated(client)}/removeFloatingIp",
            None,
        ),
        (1, 1, 0),
    ),
    Operation(
        "release",
        lambda client: ("DELETE", f"/os-floating-ips/{_associated(client)}", None),
        (0, 1, 0),
    ),
    Operation(
        "batch",
        lambda _: (
            "POST",
            "/os-floating-ips/batch",
            {"allocate_addresses": {"count": 3}},
        ),
        (3, 0, 0),
    ),
    Operation(
        "register",
        lambda _: ("POST", "/servers", {"server": {"name": "db"}}),
        (0, 0, 1),
    ),
    Operation(
        "remove",
        lambda client: ("DELETE", f"/servers/{_server(client)[0]}", None),
        (0, 0, -1),
    ),
)
