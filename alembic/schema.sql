CREATE FUNCTION public.address_key(address inet) RETURNS int4range
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN int4range(hashinet(address), hashinet(address), '[]'::text);

CREATE FUNCTION public.count_change_of_state() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO pool_counts (pool_id, free, held, resting, reserved)
    VALUES (NEW.pool_id,
            CAST(NEW.state = 'free' AS int) - CAST(OLD.state = 'free' AS int),
            CAST(NEW.state = 'held' AS int) - CAST(OLD.state = 'held' AS int),
            CAST(NEW.state = 'resting' AS int) - CAST(OLD.state = 'resting' AS int),
            CAST(NEW.state = 'reserved' AS int) - CAST(OLD.state = 'reserved' AS int));
    RETURN NULL;
END
$$;

CREATE FUNCTION public.refuse_to_end_quarantine() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE integrity_constraint_violation
        USING MESSAGE = 'the address rests for its former project',
              CONSTRAINT = TG_NAME;
END
$$;

CREATE FUNCTION public.refuse_to_rewrite_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE integrity_constraint_violation
        USING MESSAGE = 'an interval is ended once, and never changed otherwise',
              CONSTRAINT = TG_NAME;
END
$$;

CREATE FUNCTION public.widen_pool_networks() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
$$;

CREATE TABLE public.addresses (
    address inet NOT NULL,
    pool_id bigint NOT NULL,
    interface text DEFAULT 'eth0'::text NOT NULL,
    state text DEFAULT 'free'::text NOT NULL,
    pick double precision DEFAULT random() NOT NULL,
    changed_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    floating_ip_id bigint,
    floating_ip_uuid uuid,
    project_id text COLLATE pg_catalog."C",
    fixed_ip inet,
    auto_associated boolean DEFAULT false NOT NULL,
    revision bigint,
    rests_for text COLLATE pg_catalog."C",
    rests_until timestamp with time zone,
    reserved_reason text,
    reserved_until timestamp with time zone,
    description text,
    protected boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone,
    described_at timestamp with time zone,
    CONSTRAINT address_is_free_held_resting_or_reserved CHECK ((state = ANY (ARRAY['free'::text, 'held'::text, 'resting'::text, 'reserved'::text]))),
    CONSTRAINT address_is_one_address CHECK ((masklen(address) =
CASE family(address)
    WHEN 4 THEN 32
    ELSE 128
END)),
    CONSTRAINT auto_associated_is_associated CHECK (((fixed_ip IS NOT NULL) OR (NOT auto_associated))),
    CONSTRAINT held_address_is_a_floating_ip CHECK (
CASE state
    WHEN 'held'::text THEN (num_nulls(floating_ip_id, floating_ip_uuid, project_id, revision) = 0)
    ELSE ((num_nonnulls(floating_ip_id, floating_ip_uuid, project_id, revision, fixed_ip, description) = 0) AND (NOT protected))
END),
    CONSTRAINT reserved_address_has_a_reason CHECK ((((state = 'reserved'::text) = (reserved_reason IS NOT NULL)) AND ((state = 'reserved'::text) OR (reserved_until IS NULL)))),
    CONSTRAINT resting_address_has_a_former_project CHECK ((((rests_for IS NULL) = (rests_until IS NULL)) AND
CASE state
    WHEN 'resting'::text THEN (rests_until IS NOT NULL)
    WHEN 'reserved'::text THEN true
    ELSE (rests_until IS NULL)
END))
);

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.fixed_ips (
    project_id text NOT NULL COLLATE pg_catalog."C",
    address inet NOT NULL,
    server_id bigint NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT fixed_ip_is_one_address CHECK ((masklen(address) =
CASE family(address)
    WHEN 4 THEN 32
    ELSE 128
END))
);

CREATE SEQUENCE public.floating_ip_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.floating_ip_tags (
    project_id text NOT NULL COLLATE pg_catalog."C",
    tag text NOT NULL COLLATE pg_catalog."C",
    floating_ip_id bigint NOT NULL,
    CONSTRAINT tag_is_short CHECK (((length(tag) >= 1) AND (length(tag) <= 255)))
);

CREATE TABLE public.former_addresses (
    address inet NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    rests_for text COLLATE pg_catalog."C",
    rests_until timestamp with time zone,
    CONSTRAINT former_address_rests_for_a_project CHECK (((rests_for IS NULL) = (rests_until IS NULL)))
);

CREATE TABLE public.history (
    id bigint NOT NULL,
    address inet NOT NULL,
    floating_ip_id bigint NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    fixed_ip inet,
    server_id bigint,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone,
    actor text NOT NULL,
    request_id text NOT NULL,
    CONSTRAINT fixed_ip_has_a_server CHECK (((fixed_ip IS NULL) = (server_id IS NULL))),
    CONSTRAINT interval_does_not_end_before_it_begins CHECK ((until >= since))
);

ALTER TABLE public.history ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.idempotency_keys (
    project_id text NOT NULL COLLATE pg_catalog."C",
    route text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT stored_answer_is_a_success CHECK (((status >= 200) AND (status <= 299)))
);

CREATE TABLE public.pool_counts (
    pool_id bigint NOT NULL,
    free bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    resting bigint DEFAULT 0 NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.pool_networks (
    pool_id bigint NOT NULL,
    family smallint NOT NULL,
    network cidr NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT network_is_of_a_family CHECK ((family = family((network)::inet)))
);

CREATE TABLE public.pools (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    quarantine_seconds integer DEFAULT 3600 NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT pool_name_is_a_word CHECK (((name ~ '^[A-Za-z0-9._-]{1,64}$'::text) AND (name <> 'null'::text))),
    CONSTRAINT quarantine_is_no_longer_than_ten_years CHECK (((quarantine_seconds >= 0) AND (quarantine_seconds <= 315360000)))
);

ALTER TABLE public.pools ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.pools_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.quota_shares (
    project_id text NOT NULL COLLATE pg_catalog."C",
    number smallint NOT NULL,
    room bigint NOT NULL,
    CONSTRAINT only_the_first_share_owes CHECK (((room >= 0) OR (number = 0)))
)
WITH (fillfactor='50');

CREATE TABLE public.quotas (
    project_id text NOT NULL COLLATE pg_catalog."C",
    allowed integer,
    dealt integer DEFAULT 0 NOT NULL,
    shares smallint DEFAULT 1 NOT NULL,
    CONSTRAINT dealt_is_a_quota CHECK ((dealt >= '-1'::integer)),
    CONSTRAINT quota_is_a_number_or_no_limit CHECK ((allowed >= '-1'::integer)),
    CONSTRAINT there_is_a_share CHECK ((shares > 0))
)
WITH (fillfactor='50');

CREATE TABLE public.servers (
    id bigint NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    user_id text,
    image text,
    flavor text,
    networks text[] DEFAULT '{}'::text[] NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT server_flavor_is_short CHECK (((length(flavor) >= 1) AND (length(flavor) <= 255))),
    CONSTRAINT server_image_is_short CHECK ((length(image) <= 255)),
    CONSTRAINT server_metadata_is_an_object CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT server_name_is_short CHECK (((length(name) >= 1) AND (length(name) <= 255)))
);

ALTER TABLE public.servers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.servers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.addresses
    ADD CONSTRAINT addresses_pkey PRIMARY KEY (address);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.fixed_ips
    ADD CONSTRAINT fixed_ips_pkey PRIMARY KEY (project_id, address);

ALTER TABLE ONLY public.fixed_ips
    ADD CONSTRAINT fixed_ips_uuid_key UNIQUE (uuid);

ALTER TABLE ONLY public.floating_ip_tags
    ADD CONSTRAINT floating_ip_tags_pkey PRIMARY KEY (project_id, tag, floating_ip_id);

ALTER TABLE ONLY public.former_addresses
    ADD CONSTRAINT former_addresses_pkey PRIMARY KEY (address);

ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (project_id, route, key);

ALTER TABLE ONLY public.history
    ADD CONSTRAINT one_owner_at_a_time EXCLUDE USING gist (public.address_key(address) WITH =, address inet_ops WITH =, tstzrange(since, until) WITH &&);

ALTER TABLE ONLY public.pool_networks
    ADD CONSTRAINT pool_networks_pkey PRIMARY KEY (pool_id, family);

ALTER TABLE ONLY public.pool_networks
    ADD CONSTRAINT pool_networks_uuid_key UNIQUE (uuid);

ALTER TABLE ONLY public.pools
    ADD CONSTRAINT pools_name_key UNIQUE (name);

ALTER TABLE ONLY public.pools
    ADD CONSTRAINT pools_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pools
    ADD CONSTRAINT pools_uuid_key UNIQUE (uuid);

ALTER TABLE ONLY public.quota_shares
    ADD CONSTRAINT quota_shares_pkey PRIMARY KEY (project_id, number);

ALTER TABLE ONLY public.quotas
    ADD CONSTRAINT quotas_pkey PRIMARY KEY (project_id);

ALTER TABLE ONLY public.servers
    ADD CONSTRAINT servers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.servers
    ADD CONSTRAINT servers_project_id_id_key UNIQUE (project_id, id);

ALTER TABLE ONLY public.servers
    ADD CONSTRAINT servers_uuid_key UNIQUE (uuid);

CREATE INDEX addresses_associated_idx ON public.addresses USING btree (project_id, floating_ip_id) WHERE (fixed_ip IS NOT NULL);

CREATE INDEX addresses_associated_of_pool_idx ON public.addresses USING btree (project_id, pool_id, floating_ip_id) WHERE (fixed_ip IS NOT NULL);

CREATE UNIQUE INDEX addresses_floating_ip_uuid_key ON public.addresses USING btree (floating_ip_uuid) WHERE (floating_ip_uuid IS NOT NULL);

CREATE INDEX addresses_free_idx ON public.addresses USING btree (pool_id, pick) WHERE (state = 'free'::text);

CREATE UNIQUE INDEX addresses_project_id_floating_ip_id_key ON public.addresses USING btree (project_id, floating_ip_id) WHERE (floating_ip_id IS NOT NULL);

CREATE INDEX addresses_reserved_idx ON public.addresses USING btree (address) WHERE (state = 'reserved'::text);

CREATE INDEX addresses_resting_for_idx ON public.addresses USING btree (rests_for, pool_id, changed_at DESC) WHERE (state = 'resting'::text);

CREATE INDEX addresses_resting_until_idx ON public.addresses USING btree (pool_id, rests_until) WHERE (state = 'resting'::text);

CREATE INDEX addresses_unassociated_idx ON public.addresses USING btree (project_id, floating_ip_id) WHERE ((floating_ip_id IS NOT NULL) AND (fixed_ip IS NULL));

CREATE INDEX addresses_unassociated_of_pool_idx ON public.addresses USING btree (project_id, pool_id, floating_ip_id) WHERE ((floating_ip_id IS NOT NULL) AND (fixed_ip IS NULL));

CREATE INDEX fixed_ips_project_id_server_id_idx ON public.fixed_ips USING btree (project_id, server_id);

CREATE INDEX fixed_ips_project_id_uuid_idx ON public.fixed_ips USING btree (project_id, uuid);

CREATE INDEX floating_ip_tags_floating_ip_id_idx ON public.floating_ip_tags USING btree (floating_ip_id);

CREATE INDEX history_floating_ip_id_id_idx ON public.history USING btree (floating_ip_id, id);

CREATE INDEX history_project_id_id_idx ON public.history USING btree (project_id, id);

CREATE INDEX history_server_id_id_idx ON public.history USING btree (server_id, id) WHERE (server_id IS NOT NULL);

CREATE INDEX idempotency_keys_created_at_idx ON public.idempotency_keys USING btree (created_at);

CREATE UNIQUE INDEX one_floating_ip_per_fixed_ip ON public.addresses USING btree (project_id, fixed_ip) WHERE (fixed_ip IS NOT NULL);

CREATE UNIQUE INDEX one_open_interval_per_floating_ip ON public.history USING btree (floating_ip_id) WHERE (until IS NULL);

CREATE TRIGGER changes_of_state_are_counted AFTER UPDATE OF state ON public.addresses FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.count_change_of_state();

CREATE TRIGGER history_is_ended_once BEFORE UPDATE ON public.history FOR EACH ROW WHEN (((old.until IS NOT NULL) OR (new.until IS NULL) OR (((((((((old.id IS DISTINCT FROM new.id) OR (old.address IS DISTINCT FROM new.address)) OR (old.floating_ip_id IS DISTINCT FROM new.floating_ip_id)) OR (old.project_id IS DISTINCT FROM new.project_id)) OR (old.fixed_ip IS DISTINCT FROM new.fixed_ip)) OR (old.server_id IS DISTINCT FROM new.server_id)) OR (old.since IS DISTINCT FROM new.since)) OR (old.actor IS DISTINCT FROM new.actor)) OR (old.request_id IS DISTINCT FROM new.request_id)))) EXECUTE FUNCTION public.refuse_to_rewrite_history();

CREATE TRIGGER history_of_the_present_stays BEFORE DELETE ON public.history FOR EACH ROW WHEN ((old.until IS NULL)) EXECUTE FUNCTION public.refuse_to_rewrite_history();

CREATE TRIGGER pool_networks_have_all_addresses AFTER INSERT ON public.addresses REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.widen_pool_networks();

CREATE TRIGGER quarantine_is_kept BEFORE UPDATE OF state ON public.addresses FOR EACH ROW WHEN (((old.rests_until > new.changed_at) AND ((old.rests_for IS DISTINCT FROM new.rests_for) OR (old.rests_until IS DISTINCT FROM new.rests_until)) AND (new.project_id IS DISTINCT FROM old.rests_for))) EXECUTE FUNCTION public.refuse_to_end_quarantine();

ALTER TABLE ONLY public.addresses
    ADD CONSTRAINT address_is_in_a_pool FOREIGN KEY (pool_id) REFERENCES public.pools(id);

ALTER TABLE ONLY public.fixed_ips
    ADD CONSTRAINT fixed_ip_is_of_its_servers_project FOREIGN KEY (project_id, server_id) REFERENCES public.servers(project_id, id);

ALTER TABLE ONLY public.addresses
    ADD CONSTRAINT fixed_ip_is_of_the_same_project FOREIGN KEY (project_id, fixed_ip) REFERENCES public.fixed_ips(project_id, address);

ALTER TABLE ONLY public.pool_networks
    ADD CONSTRAINT network_is_of_a_pool FOREIGN KEY (pool_id) REFERENCES public.pools(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.quota_shares
    ADD CONSTRAINT share_is_of_a_quota FOREIGN KEY (project_id) REFERENCES public.quotas(project_id);
