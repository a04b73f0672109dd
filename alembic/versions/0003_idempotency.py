"""Answers kept for idempotency keys.

Why: a client that lost an answer sends its request again, and must not have its effect
twice. The row is written in the transaction of the effect (docs/decisions/0010).

Safe while the service runs: yes, because the table is new and nothing refers to it.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

IDEMPOTENCY_KEYS = (
    """
CREATE TABLE idempotency_keys (
    project_id text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL
        CONSTRAINT stored_answer_is_a_success CHECK (status BETWEEN 200 AND 299),
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (project_id, route, key)
)
    """,
    """
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at)
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in IDEMPOTENCY_KEYS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE idempotency_keys")
