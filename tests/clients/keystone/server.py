"""Serves Keystone on loopback; runs in the venv of Keystone, where the suite is not.

python server.py PORT REQUESTS
    Says "listening" once it does, and adds a line "METHOD /path status" to the file
    REQUESTS for each answer.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

PORT, REQUESTS = int(sys.argv[1]), Path(sys.argv[2])
# Keystone reads the command line of whichever process imports it.
del sys.argv[1:]

from cheroot.wsgi import Server  # noqa: E402
from keystone.server.wsgi import initialize_public_application  # noqa: E402

THREADS = 16

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Logged:
    """Keystone, with a line for each answer and no word of any token.

    Whoever changes something does so alone: SQLite has one writer, and tells a second
    one that the database is locked.
    """

    def __init__(self) -> None:
        self._app = initialize_public_application()
        self._log = REQUESTS.open("a", buffering=1)
        self._writing = threading.Lock()

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        def start(status: str, *rest: Any) -> Any:
            request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
            self._log.write(f"{request} {status[:3]}\n")
            return start_response(status, *rest)

        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        with nullcontext() if reads else self._writing:
            answer: Iterable[bytes] = self._app(environ, start)
        return answer


def end_with_parent() -> None:
    """End when nobody holds the other end of standard input any more."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Serve until the process is ended."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    server = Server(
        ("127.0.0.1", PORT), Logged(), numthreads=THREADS, request_queue_size=128
    )
    server.prepare()
    print("listening", flush=True)
    # Keystone writes its log to both, and nobody reads on: a full pipe would stop it.
    os.dup2(2, 1)
    server.serve()


if __name__ == "__main__":
    main()
