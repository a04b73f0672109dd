"""A parent of Postgres to be killed: `python tests/embedded_parent.py DATA_DIR …`.

Says `ready`, keeps Postgres alive until SIGTERM or SIGINT, and exits with 2 and the
sentence when it cannot start.
"""

import argparse
import os
import pwd
import signal
import sys
import time
from pathlib import Path

from app.embedded import EmbeddedPostgres, EmbeddedPostgresError, processes
from app.embedded.binaries import CACHE


def become(name: str) -> None:
    """Become an ordinary user with a home of its own; all is imported by now."""
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def without_death_signal() -> None:
    """Leave Postgres behind when killed, as on systems that have no such signal."""
    processes._ask_for_death_signal = lambda number: None


def leave(*_: object) -> None:
    sys.exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--user")
    parser.add_argument("--abandon", action="store_true")
    parser.add_argument("--durable", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    if arguments.user:
        become(arguments.user)
    if arguments.abandon:
        without_death_signal()
    postgres = EmbeddedPostgres(
        arguments.data_dir, fsync=arguments.durable, cache=arguments.cache
    )
    try:
        with postgres:
            print("ready", flush=True)
            while True:
                postgres.keep_alive()
                time.sleep(0.05)
    except EmbeddedPostgresError as error:
        print(error, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
