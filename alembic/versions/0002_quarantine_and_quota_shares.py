"""Quarantine, holds, attributes, quotas in shares, counts of the pools.

Why: a released address rests for its former project; a project's allocations must not
wait for each other on one quota row until each is on disk (docs/decisions/0014); pools
of millions of addresses are counted without reading them (docs/decisions/0015).

Safe while the service runs: no. Version 0.1 counts quotas in a column that goes, and is
refused by the database from then on. Stop it, migrate, start the new one. Constraints
are checked over all addresses: about 10 s for a /8.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

# Ten years at most, so that no sum of times leaves the range of a timestamp.
QUARANTINE = (
    """
ALTER TABLE pools
    ADD COLUMN quarantine_seconds integer NOT NULL DEFAULT 3600
        CONSTRAINT quarantine_is_no_longer_than_ten_years
            CHECK (quarantine_seconds BETWEEN 0 AND 315360000)
    """,
)

# `dealt` is the quota that the shares were made for (-1: no limit): all room and all
# that the project holds add up to it. What it holds beyond a quota that was lowered,
# the first share owes. `shares` is how many there are.
QUOTAS = (
    """
ALTER TABLE quotas ADD COLUMN dealt integer NOT NULL DEFAULT 0
        CONSTRAINT dealt_is_a_quota CHECK (dealt >= -1),
    ADD COLUMN shares smallint NOT NULL DEFAULT 1
        CONSTRAINT there_is_a_share CHECK (shares > 0)
    """,
    """
CREATE TABLE quota_shares (
    project_id text COLLATE "C" NOT NULL
        CONSTRAINT share_is_of_a_quota REFERENCES quotas (project_id),
    number smallint NOT NULL,
    room bigint NOT NULL,
    CONSTRAINT quota_shares_pkey PRIMARY KEY (project_id, number),
    CONSTRAINT only_the_first_share_owes CHECK (room >= 0 OR number = 0)
) WITH (fillfactor = 50)
    """,
    """
INSERT INTO quota_shares (project_id, number, room) SELECT project_id, 0, 0 FROM quotas
    """,
    """
UPDATE quotas SET dealt = used
    """,
    """
ALTER TABLE quotas DROP COLUMN used
    """,
)

# `rests_for` and `rests_until` stay while an admin holds a resting address back, so
# that its quarantine goes on when the hold ends.
ADDRESSES = (
    """
ALTER TABLE addresses
    ADD COLUMN rests_for text COLLATE "C",
    ADD COLUMN rests_until timestamptz,
    ADD COLUMN reserved_reason text,
    ADD COLUMN reserved_until timestamptz,
    ADD COLUMN description text,
    ADD COLUMN protected boolean NOT NULL DEFAULT false
    """,
    """
ALTER TABLE addresses DROP CONSTRAINT held_address_is_a_floating_ip
    """,
    """
ALTER TABLE addresses
    ADD CONSTRAINT held_address_is_a_floating_ip CHECK (
        CASE state
        WHEN 'held' THEN
            num_nulls(floating_ip_id, floating_ip_uuid, project_id, revision) = 0
        ELSE
            num_nonnulls(floating_ip_id, floating_ip_uuid, project_id, revision,
                         fixed_ip, description) = 0
            AND NOT protected
        END),
    ADD CONSTRAINT resting_address_has_a_former_project CHECK (
        (rests_for IS NULL) = (rests_until IS NULL)
        AND CASE state
            WHEN 'resting' THEN rests_until IS NOT NULL
            WHEN 'reserved' THEN true
            ELSE rests_until IS NULL
            END),
    ADD CONSTRAINT reserved_address_has_a_reason CHECK (
        (state = 'reserved') = (reserved_reason IS NOT NULL)
        AND (state = 'reserved' OR reserved_until IS NULL))
    """,
    """
CREATE INDEX addresses_resting_for_idx
    ON addresses (rests_for, pool_id, changed_at DESC) WHERE state = 'resting'
    """,
    """
CREATE INDEX addresses_resting_until_idx
    ON addresses (pool_id, rests_until) WHERE state = 'resting'
    """,
    """
CREATE INDEX addresses_reserved_idx ON addresses (address) WHERE state = 'reserved'
    """,
    """
CREATE INDEX addresses_unassociated_idx ON addresses (project_id, floating_ip_id)
    WHERE floating_ip_id IS NOT NULL AND fixed_ip IS NULL
    """,
    """
CREATE INDEX addresses_associated_idx ON addresses (project_id, floating_ip_id)
    WHERE fixed_ip IS NOT NULL
    """,
)

# What a pool forgets of an address that is taken out would let it come back too early.
FORMER_ADDRESSES = (
    """
CREATE TABLE former_addresses (
    address inet
        CONSTRAINT former_addresses_pkey PRIMARY KEY,
    changed_at timestamptz NOT NULL,
    rests_for text COLLATE "C",
    rests_until timestamptz,
    CONSTRAINT former_address_rests_for_a_project
        CHECK ((rests_for IS NULL) = (rests_until IS NULL))
)
    """,
)

TAGS = (
    """
CREATE TABLE floating_ip_tags (
    project_id text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL
        CONSTRAINT tag_is_short CHECK (length(tag) BETWEEN 1 AND 255),
    floating_ip_id bigint NOT NULL,
    CONSTRAINT floating_ip_tags_pkey PRIMARY KEY (project_id, tag, floating_ip_id)
)
    """,
    """
CREATE INDEX floating_ip_tags_floating_ip_id_idx ON floating_ip_tags (floating_ip_id)
    """,
)

# No clock is read: whoever gets the address says since when, in `changed_at`.
QUARANTINE_IS_KEPT = (
    """
CREATE FUNCTION refuse_to_end_quarantine() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE integrity_constraint_violation
        USING MESSAGE = 'the address rests for its former project',
              CONSTRAINT = TG_NAME;
END
$$
    """,
    """
CREATE TRIGGER quarantine_is_kept BEFORE UPDATE OF state ON addresses FOR EACH ROW
    WHEN (OLD.rests_until > NEW.changed_at
          AND (OLD.rests_for, OLD.rests_until)
              IS DISTINCT FROM (NEW.rests_for, NEW.rests_until)
          AND NEW.project_id IS DISTINCT FROM OLD.rests_for)
    EXECUTE FUNCTION refuse_to_end_quarantine()
    """,
)

# Rows are differences; what a pool has is their sum. A sweep adds them up into one now
# and then, so nobody waits for anybody. Adding and removing addresses, millions at
# once, writes its own row.
COUNTS = (
    """
CREATE TABLE pool_counts (
    pool_id bigint NOT NULL,
    free bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    resting bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0
)
    """,
    """
INSERT INTO pool_counts (pool_id, free, held)
SELECT pool_id, count(*) FILTER (WHERE state = 'free'),
       count(*) FILTER (WHERE state = 'held')
  FROM addresses
 GROUP BY pool_id
    """,
    """
CREATE FUNCTION count_change_of_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pool_counts (pool_id, free, held, resting, reserved)
    VALUES (NEW.pool_id,
            CAST(NEW.state = 'free' AS int) - CAST(OLD.state = 'free' AS int),
            CAST(NEW.state = 'held' AS int) - CAST(OLD.state = 'held' AS int),
            CAST(NEW.state = 'resting' AS int) - CAST(OLD.state = 'resting' AS int),
            CAST(NEW.state = 'reserved' AS int) - CAST(OLD.state = 'reserved' AS int));
    RETURN NULL;
END
$$
    """,
    """
CREATE TRIGGER changes_of_state_are_counted AFTER UPDATE OF state ON addresses
    FOR EACH ROW WHEN (OLD.state <> NEW.state)
    EXECUTE FUNCTION count_change_of_state()
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statements in (
        QUARANTINE,
        QUOTAS,
        ADDRESSES,
        FORMER_ADDRESSES,
        TAGS,
        QUARANTINE_IS_KEPT,
        COUNTS,
    ):
        for statement in statements:
            op.execute(statement)


# What the older schema cannot say goes: tags, holds, and what rests is free at once.
BACK = (
    """
DROP TRIGGER quarantine_is_kept ON addresses
    """,
    """
DROP TRIGGER changes_of_state_are_counted ON addresses
    """,
    """
DROP FUNCTION refuse_to_end_quarantine, count_change_of_state
    """,
    """
DROP TABLE pool_counts, floating_ip_tags, former_addresses
    """,
    """
UPDATE addresses SET state = 'free' WHERE state IN ('resting', 'reserved')
    """,
    """
ALTER TABLE addresses DROP CONSTRAINT held_address_is_a_floating_ip
    """,
    """
ALTER TABLE addresses
    DROP COLUMN rests_for, DROP COLUMN rests_until, DROP COLUMN reserved_reason,
    DROP COLUMN reserved_until, DROP COLUMN description, DROP COLUMN protected
    """,
    """
ALTER TABLE addresses
    ADD CONSTRAINT held_address_is_a_floating_ip CHECK (
        CASE state
        WHEN 'held' THEN
            num_nulls(floating_ip_id, floating_ip_uuid, project_id, revision) = 0
        ELSE
            num_nonnulls(floating_ip_id, floating_ip_uuid, project_id, revision,
                         fixed_ip) = 0
        END)
    """,
    """
DROP INDEX addresses_unassociated_idx, addresses_associated_idx
    """,
    """
ALTER TABLE quotas
    ADD COLUMN used integer NOT NULL DEFAULT 0
        CONSTRAINT quota_used_is_not_negative CHECK (used >= 0)
    """,
    """
UPDATE quotas q
   SET used = CASE dealt WHEN -1 THEN 1099511627776 ELSE dealt END
              - (SELECT sum(room) FROM quota_shares s
                  WHERE s.project_id = q.project_id)
    """,
    """
DROP TABLE quota_shares
    """,
    """
ALTER TABLE quotas DROP COLUMN dealt, DROP COLUMN shares
    """,
    """
ALTER TABLE pools DROP COLUMN quarantine_seconds
    """,
)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in BACK:
        op.execute(statement)
