"""Floating IPs that a server got by itself are told apart.

Why: such a floating IP is released with its server, as long as nobody has associated it
otherwise since.

Safe while the service runs: yes, because a constant default rewrites nothing, and the
constraint is checked against the rows that are there without a lock that stops writes.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "ALTER TABLE addresses "
        "ADD COLUMN auto_associated boolean NOT NULL DEFAULT false"
    )
    op.execute(
        "ALTER TABLE addresses "
        "ADD CONSTRAINT auto_associated_is_associated "
        "CHECK (fixed_ip IS NOT NULL OR NOT auto_associated) NOT VALID"
    )
    op.execute(
        "ALTER TABLE addresses VALIDATE CONSTRAINT auto_associated_is_associated"
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE addresses DROP COLUMN auto_associated")
