"""A Postgres of our own, over binaries that exist already.

A data directory holds the cluster (`postgres`), its log (`postgres.log`) and the lock
of the process that runs it (`lock`). The modules, in the order to read them:

    failure    what an operator is told
    account    who Postgres runs as
    processes  starting, finding and ending processes
    binaries   where `postgres` and `initdb` are
    directory  the lock, and the way to a usable data directory
    cluster    initdb, its version, its socket, and who can connect
    server     all of it together: EmbeddedPostgres
"""

from app.embedded.failure import EmbeddedPostgresError
from app.embedded.processes import die_with_parent
from app.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "die_with_parent"]
