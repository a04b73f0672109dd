"""The locks and conditions of what goes together in one statement."""

from tests.mutation import Mutation

ALLOCATION = (
    (
        "together, addresses that others hold are waited for",
        "                    LIMIT 1\n                      FOR UPDATE SKIP LOCKED)"
        " AS after\n            UNION ALL\n           SELECT *\n"
        "             FROM (SELECT address, pick, true",
        "                    LIMIT 1\n                      FOR UPDATE)"
        " AS after\n            UNION ALL\n           SELECT *\n"
        "             FROM (SELECT address, pick, true",
        "tests/test_together.py -k passed_by",
    ),
    (
        "together, shares are taken from again on the second way round",
        "                      AND number < s.start\n",
        "",
        "tests/test_quota_shares.py -k writers",
    ),
    (
        "together, more than the room",
        "        ON r.project_id = a.project_id AND a.turn <= r.room\n",
        "        ON r.project_id = a.project_id\n",
        "tests/test_quota_shares.py -k writers",
    ),
    (
        "together, room is taken for addresses that were not found",
        "       SET room = s.room - least(s.room, c.count - s.before)\n",
        "       SET room = s.room - least(s.room, s.count - s.before)\n",
        "tests/test_together.py -k refusals",
    ),
    (
        "together, shares that others hold are waited for",
        "                    LIMIT 1\n                      FOR UPDATE SKIP LOCKED)"
        " AS after\n            UNION ALL\n           SELECT *\n"
        "             FROM (SELECT number, true",
        "                    LIMIT 1\n                      FOR UPDATE)"
        " AS after\n            UNION ALL\n           SELECT *\n"
        "             FROM (SELECT number, true",
        "tests/test_together.py -k share_that_somebody",
    ),
    (
        "together, a default that has changed is not looked at",
        " AND q.dealt = coalesce(q.allowed, $5)\n",
        "\n",
        "tests/test_quota_shares.py -k default",
    ),
    (
        "together, intervals begin at the clock's time, whatever was before",
        "           changed_at = greatest(clock_timestamp(), a.changed_at),\n"
        "           created_at",
        "           changed_at = clock_timestamp(),\n           created_at",
        "tests/test_history.py -k behind",
    ),
)

RELEASE = (
    (
        "together, release of what has changed since the snapshot",
        "    SELECT s.number, a.address, a.project_id, a.floating_ip_id\n"
        "      FROM seen s\n"
        "      JOIN addresses a ON a.address = s.address AND a.xmin = s.version\n",
        "    SELECT s.number, a.address, a.project_id, a.floating_ip_id\n"
        "      FROM seen s\n"
        "      JOIN addresses a ON a.address = s.address\n",
        "tests/test_together.py -k snapshot",
    ),
    (
        "together, room is given back to any share, whatever the first owes",
        "     WHERE NOT EXISTS (SELECT\n"
        "                         FROM quota_shares\n"
        "                        WHERE project_id = q.project_id AND number = 0"
        " AND room < 0)\n",
        "",
        "tests/test_quota_shares.py -k debt",
    ),
    (
        "together, room is not given back",
        "       SET room = q.room + g.count\n",
        "       SET room = q.room\n",
        "tests/test_quota_shares.py -k debt",
    ),
    (
        "together, intervals do not end",
        "     WHERE h.floating_ip_id = g.floating_ip_id AND h.until IS NULL\n",
        "     WHERE false\n",
        "tests/test_history.py -k life",
    ),
)

ASSOCIATION = (
    (
        "together, associate of what has changed since the snapshot",
        "s.request_id, a.address, a.project_id\n"
        "      FROM seen s\n"
        "      JOIN addresses a ON a.address = s.address AND a.xmin = s.version\n",
        "s.request_id, a.address, a.project_id\n"
        "      FROM seen s\n"
        "      JOIN addresses a ON a.address = s.address\n",
        "tests/test_together.py -k snapshot",
    ),
    (
        "together, disassociate of what has changed since the snapshot",
        "    SELECT s.number, s.actor, s.request_id, a.address\n"
        "      FROM seen s\n"
        "      JOIN addresses a ON a.address = s.address AND a.xmin = s.version\n",
        "    SELECT s.number, s.actor, s.request_id, a.address\n"
        "      FROM seen s\n"
        "      JOIN addresses a ON a.address = s.address\n",
        "tests/test_together.py -k snapshot",
    ),
    (
        "together, families may differ",
        " AND family(a.address) = family(asked.fixed_ip)\n",
        "\n",
        "tests/test_association.py -k ipv4",
    ),
    (
        "together, no lock on the fixed IP",
        "       FOR NO KEY UPDATE OF f SKIP LOCKED\n",
        "",
        "tests/test_together.py -k fixed_ip_that_somebody",
    ),
)

TOGETHER_MUTATIONS = tuple(
    Mutation(name, f"app/ledger/together/{module}.py", text, instead, tests)
    for module, mutations in (
        ("allocation", ALLOCATION),
        ("release", RELEASE),
        ("association", ASSOCIATION),
    )
    for name, text, instead, tests in mutations
)
