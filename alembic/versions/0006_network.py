"""What the network API has to tell: times of floating IPs, networks of pools.

Why: its clients read when a floating IP was created and changed, know pools by the
networks that their addresses are in, and list what is in one of them. Every list that
is offered has an index, so that it reads no more than it returns.

`described_at` is when something was written on a floating IP last; when it was
associated last, `changed_at` says.

Safe while the service runs: yes. The columns may be empty: the old version writes none
of them, and `created_at` then shows when the floating IP was associated last. But the
indexes are built under a lock that writers wait for: 2 s for a million floating IPs.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

TIMES = (
    """
ALTER TABLE addresses
    ADD COLUMN created_at timestamptz,
    ADD COLUMN described_at timestamptz
    """,
    """
UPDATE addresses a
   SET created_at = h.since
  FROM (SELECT floating_ip_id, min(since) AS since
          FROM history
         GROUP BY floating_ip_id) AS h
 WHERE a.floating_ip_id = h.floating_ip_id
    """,
)

# The floating IPs of a pool, by age; each is in one of the two.
INDEXES = (
    """
CREATE INDEX addresses_unassociated_of_pool_idx
    ON addresses (project_id, pool_id, floating_ip_id)
    WHERE floating_ip_id IS NOT NULL AND fixed_ip IS NULL
    """,
    """
CREATE INDEX addresses_associated_of_pool_idx
    ON addresses (project_id, pool_id, floating_ip_id)
    WHERE fixed_ip IS NOT NULL
    """,
    """
CREATE INDEX fixed_ips_project_id_uuid_idx ON fixed_ips (project_id, uuid)
    """,
)

# One of each family at most: the smallest network that has all addresses that the pool
# ever had. To look for it in the addresses would read all of them.
POOL_NETWORKS = (
    """
CREATE TABLE pool_networks (
    pool_id bigint NOT NULL
        CONSTRAINT network_is_of_a_pool REFERENCES pools (id) ON DELETE CASCADE,
    family smallint NOT NULL
        CONSTRAINT network_is_of_a_family CHECK (family = family(network)),
    network cidr NOT NULL,
    uuid uuid NOT NULL DEFAULT gen_random_uuid()
        CONSTRAINT pool_networks_uuid_key UNIQUE,
    CONSTRAINT pool_networks_pkey PRIMARY KEY (pool_id, family)
)
    """,
    """
INSERT INTO pool_networks (pool_id, family, network)
SELECT pool_id, family(address), inet_merge(min(address), max(address))
  FROM addresses
 GROUP BY pool_id, family(address)
    """,
    """
CREATE FUNCTION widen_pool_networks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pool_networks (pool_id, family, network)
    SELECT pool_id, family(address), inet_merge(min(address), max(address))
      FROM added
     GROUP BY pool_id, family(address)
     ORDER BY pool_id, family(address)
        ON CONFLICT (pool_id, family) DO UPDATE
           SET network = inet_merge(pool_networks.network, excluded.network)
         WHERE NOT pool_networks.network >>= excluded.network;
    RETURN NULL;
END
$$
    """,
    """
CREATE TRIGGER pool_networks_have_all_addresses AFTER INSERT ON addresses
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION widen_pool_networks()
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in (*TIMES, *INDEXES, *POOL_NETWORKS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER pool_networks_have_all_addresses ON addresses")
    op.execute("DROP FUNCTION widen_pool_networks")
    op.execute("DROP TABLE pool_networks")
    op.execute("DROP INDEX fixed_ips_project_id_uuid_idx")
    op.execute("ALTER TABLE addresses DROP COLUMN created_at, DROP COLUMN described_at")
    op.execute("DROP INDEX addresses_unassociated_of_pool_idx")
    op.execute("DROP INDEX addresses_associated_of_pool_idx")
