"""What the compute API has to tell of servers, fixed IPs and pools.

Why: its clients send an image, a flavor, networks and metadata with a server, and read
them again; they name pools and ports by UUID. A server of the draft has none of these.

Safe while the service runs: yes. The old version names its columns, and the new ones
fill themselves. But the UUIDs write `fixed_ips` anew, and whoever needs it waits
meanwhile: 10 seconds for a million fixed IPs, on two cores.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

SERVERS = """
ALTER TABLE servers
    ADD COLUMN user_id text,
    ADD COLUMN image text
        CONSTRAINT server_image_is_short CHECK (length(image) <= 255),
    ADD COLUMN flavor text
        CONSTRAINT server_flavor_is_short CHECK (length(flavor) BETWEEN 1 AND 255),
    ADD COLUMN networks text[] NOT NULL DEFAULT '{}',
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT server_metadata_is_an_object
            CHECK (jsonb_typeof(metadata) = 'object')
"""

PORTS = """
ALTER TABLE fixed_ips
    ADD COLUMN uuid uuid NOT NULL DEFAULT gen_random_uuid()
        CONSTRAINT fixed_ips_uuid_key UNIQUE
"""

POOLS = """
ALTER TABLE pools
    ADD COLUMN uuid uuid NOT NULL DEFAULT gen_random_uuid()
        CONSTRAINT pools_uuid_key UNIQUE
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (SERVERS, PORTS, POOLS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE pools DROP COLUMN uuid")
    op.execute("ALTER TABLE fixed_ips DROP COLUMN uuid")
    op.execute(
        "ALTER TABLE servers DROP COLUMN user_id, DROP COLUMN image, "
        "DROP COLUMN flavor, DROP COLUMN networks, DROP COLUMN metadata"
    )
