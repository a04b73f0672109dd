"""The locks and checks of what has been allocated, and of what operators do."""

from tests.mutation import Mutation

ATTRIBUTES = (
    (
        "no lock on what is written on",
        " WHERE project_id = $1 AND floating_ip_id = $2\n   FOR UPDATE\n",
        " WHERE project_id = $1 AND floating_ip_id = $2\n",
        "tests/test_attributes.py -k same_revision",
    ),
    (
        "written on whatever the revision",
        "    revisions.check(if_match, revision)\n",
        "",
        "tests/test_attributes.py -k if_match",
    ),
)

ASSOCIATION = (
    (
        "no lock on the floating IP that is associated",
        " WHERE project_id = $1 AND floating_ip_id = $2\n   FOR UPDATE\n",
        " WHERE project_id = $1 AND floating_ip_id = $2\n",
        "tests/test_association.py tests/test_history.py",
    ),
    (
        "no lock on the fixed IP that is associated",
        "   FOR NO KEY UPDATE\n",
        "",
        "tests/test_races.py -k leaves",
    ),
    (
        "no lock on the fixed IP that is left",
        "    both = {wanted, ip_address(present or wanted)}\n",
        "    both = {wanted}\n",
        "tests/test_races.py -k leaves",
    ),
    (
        "intervals begin at the transaction's start",
        "changed_at = greatest(clock_timestamp(), changed_at)",
        "changed_at = now()",
        "tests/test_history.py tests/test_association.py",
    ),
)

SERVERS = (
    (
        "server removal locks no floating IPs",
        " ORDER BY a.address\n   FOR UPDATE OF a\n",
        " ORDER BY a.address\n",
        "tests/test_association.py",
    ),
    (
        "server removal locks no fixed IPs",
        " ORDER BY address\n   FOR UPDATE\n",
        " ORDER BY address\n",
        "tests/test_association.py",
    ),
    (
        "server removal does not look again",
        "        raise _OvertakenError\n",
        "        pass\n",
        "tests/test_association.py",
    ),
)

FILLING = (
    (
        "addresses leave the pool without a lock",
        "     WHERE address BETWEEN $1 AND $2\n     ORDER BY address\n"
        "       FOR UPDATE\n",
        "     WHERE address BETWEEN $1 AND $2\n     ORDER BY address\n",
        "tests/test_operator.py",
    ),
    (
        "what came into the pool meanwhile is taken out, held or not",
        " AND state <> 'held'\n",
        "\n",
        "tests/test_operator.py",
    ),
    (
        "what is taken out does not rest on",
        "      FROM gone\n     WHERE changed_at > '-infinity'\n",
        "      FROM gone\n     WHERE false\n",
        "tests/test_quarantine.py -k put_back",
    ),
    (
        "what is put back does not rest on",
        "    await tx.execute(REMEMBER, addresses.first, addresses.last)\n",
        "",
        "tests/test_quarantine.py -k put_back",
    ),
)

HOLDS = (
    (
        "no lock on the address that is held back",
        '"SELECT state FROM addresses WHERE address = $1 FOR UPDATE"',
        '"SELECT state FROM addresses WHERE address = $1"',
        "tests/test_holds.py -k waits",
    ),
    (
        "a sweep waits for a hold that is locked",
        "   FOR UPDATE SKIP LOCKED\n",
        "   FOR UPDATE\n",
        "tests/test_holds.py -k passes_by",
    ),
)

SWEEPING = (
    (
        "a sweep waits for what is locked",
        "               FOR UPDATE SKIP LOCKED) AS r",
        "               FOR UPDATE) AS r",
        "tests/test_quarantine.py -k passes_by",
    ),
    (
        "any number sweep at a time",
        "    if not await tx.fetchval(TRY_LOCK):\n        return False\n",
        "",
        "tests/test_quarantine.py -k one_sweeps",
    ),
)

MORE_LEDGER_MUTATIONS = tuple(
    Mutation(name, f"app/ledger/{module}.py", text, instead, tests)
    for module, mutations in (
        ("attributes", ATTRIBUTES),
        ("association", ASSOCIATION),
        ("servers", SERVERS),
        ("pools/filling", FILLING),
        ("holds", HOLDS),
        ("sweeping", SWEEPING),
    )
    for name, text, instead, tests in mutations
)
