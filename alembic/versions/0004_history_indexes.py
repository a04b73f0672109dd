"""Indexes to read history by, and a better one to keep owners apart.

Why: each filter of the history's list reads what it returns; an address, and one at a
time, is found by the index of `one_owner_at_a_time`. That begins with a hash of the
address from now on: by the addresses alone, those of a pool that is added later are
mixed among all others, and each new interval visits dozens of pages
(docs/decisions/0011).

Safe while the service runs: it waits. Changes of the ledger wait while the indexes are
built, for minutes where there are millions of intervals, and get 503 meanwhile.
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

# A range of one number, since GiST has operators for ranges and none for numbers.
ONE_OWNER = (
    """
CREATE FUNCTION address_key(address inet) RETURNS int4range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN int4range(hashinet(address), hashinet(address), '[]')
    """,
    """
ALTER TABLE history DROP CONSTRAINT one_owner_at_a_time
    """,
    """
ALTER TABLE history
    ADD CONSTRAINT one_owner_at_a_time
        EXCLUDE USING gist (address_key(address) WITH =, address inet_ops WITH =,
                            tstzrange(since, until) WITH &&)
    """,
)

BACK = (
    """
DROP INDEX history_project_id_id_idx, history_floating_ip_id_id_idx,
    history_server_id_id_idx
    """,
    """
ALTER TABLE history DROP CONSTRAINT one_owner_at_a_time
    """,
    """
ALTER TABLE history
    ADD CONSTRAINT one_owner_at_a_time
        EXCLUDE USING gist (address inet_ops WITH =, tstzrange(since, until) WITH &&)
    """,
    """
DROP FUNCTION address_key
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (*INDEXES, *ONE_OWNER):
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in BACK:
        op.execute(statement)
