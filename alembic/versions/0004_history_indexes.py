"""Indexes to read history by: project, floating IP, server.

Why: each filter of the history's list reads what it returns. By address it has the
index of `one_owner_at_a_time` already, which also finds one moment
(docs/decisions/0011).

Safe while the service runs: it waits. Changes of the ledger wait while the indexes are
built, about 4 s for a million intervals, and may get 503 meanwhile.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

INDEXES = (
    """
CREATE INDEX history_project_id_id_idx ON history (project_id, id)
    """,
    """
CREATE INDEX history_floating_ip_id_id_idx ON history (floating_ip_id, id)
    """,
    """
CREATE INDEX history_server_id_id_idx ON history (server_id, id)
    WHERE server_id IS NOT NULL
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in INDEXES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "DROP INDEX history_project_id_id_idx, history_floating_ip_id_id_idx,"
        " history_server_id_id_idx"
    )
