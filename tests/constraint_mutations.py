"""The constraints and triggers of the migrations."""

from tests.mutation import Mutation

LEDGER = (
    (
        "addresses_pkey",
        "        CONSTRAINT addresses_pkey PRIMARY KEY\n",
        "        NOT NULL\n",
        "tests/test_operator.py",
    ),
    (
        "address_is_free_held_resting_or_reserved",
        "CHECK (state IN (",
        "CHECK (true OR state IN (",
        "tests/test_history.py",
    ),
    (
        "one_floating_ip_per_fixed_ip",
        "CREATE UNIQUE INDEX one_floating_ip_per_fixed_ip",
        "CREATE INDEX one_floating_ip_per_fixed_ip",
        "tests/test_association.py",
    ),
    (
        "history_is_ended_once",
        "    WHEN (OLD.until IS NOT NULL\n",
        "    WHEN (false AND OLD.until IS NOT NULL\n",
        "tests/test_history.py",
    ),
    (
        "history_of_the_present_stays",
        "    WHEN (OLD.until IS NULL)\n",
        "    WHEN (false)\n",
        "tests/test_history.py",
    ),
    (
        "interval_does_not_end_before_it_begins",
        "CHECK (until >= since)",
        "CHECK (true)",
        "tests/test_history.py",
    ),
    (
        "fixed_ips_pkey",
        "    CONSTRAINT fixed_ips_pkey PRIMARY KEY (project_id, address),\n",
        "    CONSTRAINT fixed_ips_pkey PRIMARY KEY (project_id, address, server_id),\n",
        "tests/test_servers.py",
    ),
    (
        "fixed_ip_is_of_its_servers_project",
        ",\n    CONSTRAINT fixed_ip_is_of_its_servers_project\n"
        "        FOREIGN KEY (project_id, server_id)"
        " REFERENCES servers (project_id, id)\n",
        "\n",
        "tests/test_history.py",
    ),
    (
        "fixed_ip_is_of_the_same_project",
        ",\n    CONSTRAINT fixed_ip_is_of_the_same_project\n"
        "        FOREIGN KEY (project_id, fixed_ip)"
        " REFERENCES fixed_ips (project_id, address)\n",
        "\n",
        "tests/test_history.py",
    ),
    (
        "address_is_one_address",
        "        CONSTRAINT address_is_one_address\n"
        "            CHECK (masklen(address)",
        "        CONSTRAINT address_is_one_address\n"
        "            CHECK (true OR masklen(address)",
        "tests/test_history.py",
    ),
)

QUARANTINE_AND_SHARES = (
    (
        "quarantine_is_kept",
        "    WHEN (OLD.rests_until > NEW.changed_at\n",
        "    WHEN (false AND OLD.rests_until > NEW.changed_at\n",
        "tests/test_quarantine.py -k refuses_to_end",
    ),
    (
        "changes_of_state_are_counted",
        "FOR EACH ROW WHEN (OLD.state <> NEW.state)",
        "FOR EACH ROW WHEN (false)",
        "tests/test_quarantine.py -k every_kind",
    ),
    (
        "held_address_is_a_floating_ip",
        "held_address_is_a_floating_ip CHECK (\n        CASE state\n",
        "held_address_is_a_floating_ip CHECK (\n        true OR CASE state\n",
        "tests/test_history.py -k breaks_a_promise",
    ),
    (
        "resting_address_has_a_former_project",
        "        (rests_for IS NULL) = (rests_until IS NULL)\n        AND CASE",
        "        true OR (rests_for IS NULL) = (rests_until IS NULL)\n        AND CASE",
        "tests/test_history.py -k breaks_a_promise",
    ),
    (
        "reserved_address_has_a_reason",
        "        (state = 'reserved') = (reserved_reason IS NOT NULL)\n",
        "        true OR (state = 'reserved') = (reserved_reason IS NOT NULL)\n",
        "tests/test_history.py -k breaks_a_promise",
    ),
    (
        "only_the_first_share_owes",
        "CHECK (room >= 0 OR number = 0)",
        "CHECK (true)",
        "tests/test_history.py -k breaks_a_promise",
    ),
    (
        "quota_shares_pkey",
        "    CONSTRAINT quota_shares_pkey PRIMARY KEY (project_id, number),\n",
        "",
        "tests/test_check.py -k counted",
    ),
    (
        "floating_ip_tags_pkey",
        ",\n    CONSTRAINT floating_ip_tags_pkey"
        " PRIMARY KEY (project_id, tag, floating_ip_id)\n",
        "\n",
        "tests/test_check.py -k counted",
    ),
)

HISTORY = (
    (
        "one_owner_at_a_time",
        "tstzrange(since, until) WITH &&)",
        "tstzrange(since, until) WITH &&) WHERE (false)",
        "tests/test_history.py",
    ),
)

CONSTRAINT_MUTATIONS = tuple(
    Mutation(
        f"no constraint {name}", f"alembic/versions/{file}.py", text, instead, tests
    )
    for file, mutations in (
        ("0001_ledger", LEDGER),
        ("0002_quarantine_and_quota_shares", QUARANTINE_AND_SHARES),
        ("0004_history_indexes", HISTORY),
    )
    for name, text, instead, tests in mutations
)
