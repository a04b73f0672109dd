"""How long released addresses of a pool rest, set through the API that there is."""

from http.client import HTTPConnection

from pydantic_core import to_json

from benchmarks import messages
from benchmarks.loader import Refused
from benchmarks.servers import Server

UNKNOWN = {404, 405}
"""What a version without quarantine answers."""

PATIENCE = 30.0
"""Seconds."""


def set_seconds(server: Server, pool: str, seconds: int) -> bool:
    """Let released addresses rest so long; tell whether this version can.

    Raises Refused.
    """
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request(
        "PUT",
        f"/os-floating-ip-pools/{pool}",
        to_json({"floating_ip_pool": {"quarantine_seconds": seconds}}),
        {
            "X-Auth-Token": f"{messages.ADMIN}:bench",
            "Content-Type": "application/json",
        },
    )
    response = connection.getresponse()
    written = response.read().decode()
    connection.close()
    if response.status in UNKNOWN:
        return False
    if response.status >= 300:
        raise Refused(written)
    return True
