"""The ledger: pools, addresses, quotas, servers, fixed IPs, history.

Why: the promises of the ledger stand here as constraints. A floating IP is the held
state of its address's row, so that "one owner" is a primary key and "held" cannot say
one thing while the floating IP says another (docs/decisions/0001).

Safe while the service runs: yes, because nothing stands here yet.
"""

from alembic import op

revision = "0001"
down_revision = None

POOLS = (
    """
CREATE TABLE pools (
    id bigint GENERATED ALWAYS AS IDENTITY
        CONSTRAINT pools_pkey PRIMARY KEY,
    name text COLLATE "C" NOT NULL
        CONSTRAINT pools_name_key UNIQUE
        CONSTRAINT pool_name_is_a_word
            CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$' AND name <> 'null'),
    created_at timestamptz NOT NULL DEFAULT now()
)
    """,
)

# `allowed` null: the service's default; -1: no limit. Counters are updated in place,
# so pages are left half empty for it.
QUOTAS = (
    """
CREATE TABLE quotas (
    project_id text COLLATE "C"
        CONSTRAINT quotas_pkey PRIMARY KEY,
    allowed integer
        CONSTRAINT quota_is_a_number_or_no_limit CHECK (allowed >= -1),
    used integer NOT NULL DEFAULT 0
        CONSTRAINT quota_used_is_not_negative CHECK (used >= 0)
) WITH (fillfactor = 50)
    """,
)

SERVERS = (
    """
CREATE TABLE servers (
    id bigint GENERATED ALWAYS AS IDENTITY
        CONSTRAINT servers_pkey PRIMARY KEY,
    uuid uuid NOT NULL DEFAULT gen_random_uuid()
        CONSTRAINT servers_uuid_key UNIQUE,
    project_id text COLLATE "C" NOT NULL,
    name text NOT NULL
        CONSTRAINT server_name_is_short CHECK (length(name) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT servers_project_id_id_key UNIQUE (project_id, id)
)
    """,
)

FIXED_IPS = (
    """
CREATE TABLE fixed_ips (
    project_id text COLLATE "C" NOT NULL,
    address inet NOT NULL
        CONSTRAINT fixed_ip_is_one_address
            CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
    server_id bigint NOT NULL,
    CONSTRAINT fixed_ips_pkey PRIMARY KEY (project_id, address),
    CONSTRAINT fixed_ip_is_of_its_servers_project
        FOREIGN KEY (project_id, server_id) REFERENCES servers (project_id, id)
)
    """,
    """
CREATE INDEX fixed_ips_project_id_server_id_idx ON fixed_ips (project_id, server_id)
    """,
)

# `pick` is a random key, renewed at each release: allocation walks the free rows from a
# random place, so that neither fill nor dead index entries slow it.
# `changed_at` is where the last interval of the address's history ends or begins, since
# it came into its pool. `auto_associated`: its server got it by itself, and takes it
# along when it goes.
ADDRESSES = (
    """
CREATE SEQUENCE floating_ip_ids AS bigint
    """,
    """
CREATE TABLE addresses (
    address inet
        CONSTRAINT addresses_pkey PRIMARY KEY
        CONSTRAINT address_is_one_address
            CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END),
    pool_id bigint NOT NULL
        CONSTRAINT address_is_in_a_pool REFERENCES pools (id),
    interface text NOT NULL DEFAULT 'eth0',
    state text NOT NULL DEFAULT 'free'
        CONSTRAINT address_is_free_held_resting_or_reserved
            CHECK (state IN ('free', 'held', 'resting', 'reserved')),
    pick double precision NOT NULL DEFAULT random(),
    changed_at timestamptz NOT NULL DEFAULT '-infinity',
    floating_ip_id bigint,
    floating_ip_uuid uuid,
    project_id text COLLATE "C",
    fixed_ip inet,
    auto_associated boolean NOT NULL DEFAULT false
        CONSTRAINT auto_associated_is_associated
            CHECK (fixed_ip IS NOT NULL OR NOT auto_associated),
    revision bigint,
    CONSTRAINT held_address_is_a_floating_ip CHECK (
        CASE state
        WHEN 'held' THEN
            num_nulls(floating_ip_id, floating_ip_uuid, project_id, revision) = 0
        ELSE
            num_nonnulls(floating_ip_id, floating_ip_uuid, project_id, revision,
                         fixed_ip) = 0
        END),
    CONSTRAINT fixed_ip_is_of_the_same_project
        FOREIGN KEY (project_id, fixed_ip) REFERENCES fixed_ips (project_id, address)
)
    """,
    """
CREATE INDEX addresses_free_idx ON addresses (pool_id, pick) WHERE state = 'free'
    """,
    """
CREATE UNIQUE INDEX addresses_project_id_floating_ip_id_key
    ON addresses (project_id, floating_ip_id) WHERE floating_ip_id IS NOT NULL
    """,
    """
CREATE UNIQUE INDEX addresses_floating_ip_uuid_key
    ON addresses (floating_ip_uuid) WHERE floating_ip_uuid IS NOT NULL
    """,
    """
CREATE UNIQUE INDEX one_floating_ip_per_fixed_ip
    ON addresses (project_id, fixed_ip) WHERE fixed_ip IS NOT NULL
    """,
)

# The exclusion constraint needs no btree_gist: inet_ops has an equality of its own.
HISTORY = (
    """
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY
        CONSTRAINT history_pkey PRIMARY KEY,
    address inet NOT NULL,
    floating_ip_id bigint NOT NULL,
    project_id text COLLATE "C" NOT NULL,
    fixed_ip inet,
    server_id bigint,
    since timestamptz NOT NULL,
    until timestamptz
        CONSTRAINT interval_does_not_end_before_it_begins CHECK (until >= since),
    actor text NOT NULL,
    request_id text NOT NULL,
    CONSTRAINT fixed_ip_has_a_server
        CHECK ((fixed_ip IS NULL) = (server_id IS NULL)),
    CONSTRAINT one_owner_at_a_time
        EXCLUDE USING gist (address inet_ops WITH =, tstzrange(since, until) WITH &&)
)
    """,
    """
CREATE UNIQUE INDEX one_open_interval_per_floating_ip
    ON history (floating_ip_id) WHERE until IS NULL
    """,
)

# The one piece of logic in the database: no CHECK can compare a row with its past.
HISTORY_IS_FINAL = (
    """
CREATE FUNCTION refuse_to_rewrite_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE integrity_constraint_violation
        USING MESSAGE = 'an interval is ended once, and never changed otherwise',
              CONSTRAINT = TG_NAME;
END
$$
    """,
    """
CREATE TRIGGER history_is_ended_once BEFORE UPDATE ON history FOR EACH ROW
    WHEN (OLD.until IS NOT NULL
          OR NEW.until IS NULL
          OR (OLD.id, OLD.address, OLD.floating_ip_id, OLD.project_id, OLD.fixed_ip,
              OLD.server_id, OLD.since, OLD.actor, OLD.request_id)
             IS DISTINCT FROM
             (NEW.id, NEW.address, NEW.floating_ip_id, NEW.project_id, NEW.fixed_ip,
              NEW.server_id, NEW.since, NEW.actor, NEW.request_id))
    EXECUTE FUNCTION refuse_to_rewrite_history()
    """,
    """
CREATE TRIGGER history_of_the_present_stays BEFORE DELETE ON history FOR EACH ROW
    WHEN (OLD.until IS NULL)
    EXECUTE FUNCTION refuse_to_rewrite_history()
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statements in (
        POOLS,
        QUOTAS,
        SERVERS,
        FIXED_IPS,
        ADDRESSES,
        HISTORY,
        HISTORY_IS_FINAL,
    ):
        for statement in statements:
            op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE history, addresses, fixed_ips, servers, quotas, pools")
    op.execute("DROP FUNCTION refuse_to_rewrite_history")
    op.execute("DROP SEQUENCE floating_ip_ids")
