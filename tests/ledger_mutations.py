"""The locks and checks of allocation, quotas, release and claims."""

from tests.mutation import Mutation

ALLOCATION = (
    (
        "no lock on the addresses that are taken",
        "       FOR UPDATE SKIP LOCKED\n), ",
        "), ",
        "tests/test_allocation.py",
    ),
    (
        "no lock on the addresses that are taken, as recorded histories tell",
        "       FOR UPDATE SKIP LOCKED\n), ",
        "), ",
        "tests/test_linearizability.py -k eight",
    ),
    (
        "exhausted as soon as all free rows are locked",
        "        if len(left) < count:\n",
        "        if True:\n",
        "tests/test_allocation.py -k locked",
    ),
    (
        "intervals begin at the clock's time, whatever was before",
        "           changed_at = greatest(clock_timestamp(), changed_at),\n"
        "           created_at",
        "           changed_at = clock_timestamp(),\n           created_at",
        "tests/test_history.py -k behind",
    ),
    (
        "what rests for another goes to anybody who asks for any",
        "       AND rests_until <= now()\n       AND rests_for <> $1\n",
        "       AND rests_for <> $1\n",
        "tests/test_quarantine.py -k former_project_alone",
    ),
    (
        "what is the project's own and due counts twice",
        "       AND rests_for <> $1\n",
        "",
        "tests/test_batch.py -k enough_together",
    ),
    (
        "a batch is content with what there is",
        "            if len(taken) < count:\n                raise _TooFewError\n",
        "",
        "tests/test_batch.py -k scarce",
    ),
    (
        "a batch that is too small keeps its locks",
        "        async with tx.transaction():\n"
        "            taken = await tx.fetch(TAKE_MANY, *wanted, count)\n"
        "            if len(taken) < count:\n"
        "                raise _TooFewError\n",
        "        taken = await tx.fetch(TAKE_MANY, *wanted, count)\n"
        "        if len(taken) < count:\n"
        "            raise _TooFewError\n",
        "tests/test_batch.py -k merely_locked",
    ),
    (
        "no lock on the address that is asked for",
        "  FROM addresses\n WHERE address = $1\n   FOR UPDATE\n",
        "  FROM addresses\n WHERE address = $1\n",
        "tests/test_claiming.py -k sixteen_ask",
    ),
    (
        "what rests for another goes to anybody who asks for it",
        "       OR state = 'resting' AND (rests_for = $2 OR rests_until <= now())\n",
        "       OR state = 'resting'\n",
        "tests/test_claiming.py -k rests_goes",
    ),
    (
        "what was taken out meanwhile is not free",
        "    if locked is None:\n        raise AddressNotFound(address)\n"
        '    if not locked["can_be_had"]:',
        '    if not locked or not locked["can_be_had"]:',
        "tests/test_races.py -k taken_out",
    ),
)

QUOTAS = (
    (
        "no condition in the quota's update",
        "           AND room > 0\n",
        "",
        "tests/test_quota_shares.py -k writers",
    ),
    (
        "no lock on the share that is taken from",
        "         LIMIT 1\n           FOR UPDATE SKIP LOCKED)",
        "         LIMIT 1)",
        "tests/test_quota_shares.py -k writers",
    ),
    (
        "no lock on the shares that a batch is taken from",
        "     ORDER BY number\n       FOR UPDATE SKIP LOCKED\n), portions",
        "     ORDER BY number\n), portions",
        "tests/test_quota_shares.py -k batches_at_once",
    ),
    (
        "whoever waits for a share keeps others locked",
        "savepoint.commit() if is_taken else savepoint.rollback()",
        "savepoint.commit()",
        "tests/test_races.py -k keeps_no_other",
    ),
    (
        "exceeded as soon as all shares are locked",
        '    if stands["room"] < count:\n',
        "    if True:\n",
        "tests/test_quota_shares.py -k merely_locked",
    ),
    (
        "room is given back to any share, whatever the first owes",
        "       AND NOT EXISTS (SELECT FROM quota_shares\n"
        "                        WHERE project_id = $1 AND number = 0 AND room < 0)\n",
        "",
        "tests/test_quota_shares.py -k debt",
    ),
    (
        "room that is given back to shares that are gone is lost",
        "        await tx.execute(BEGIN, project_id)\n"
        "        await tx.execute(LOCK, [project_id])\n"
        "        await tx.execute(GIVE_BACK_TO_THE_FIRST, project_id, count)\n",
        "        pass\n",
        "tests/test_quota_shares.py -k dealt_anew",
    ),
    (
        "room that is given back while the quota begins is lost",
        "        await tx.execute(BEGIN, project_id)\n"
        "        await tx.execute(LOCK, [project_id])\n",
        "        await tx.execute(LOCK, [project_id])\n",
        "tests/test_races.py -k first_floating_ip",
    ),
)

WAITING = (
    (
        "whoever waits for an address keeps its locks",
        "    await savepoint.rollback()\n",
        "    await savepoint.commit()\n",
        "tests/test_allocation.py -k keeps_no_lock",
    ),
)

RELEASE = (
    (
        "release forgets the quota",
        "    await quotas.give_back(tx, caller.project_id, len(floating_ip_ids))\n",
        "",
        "tests/test_quota_shares.py -k debt",
    ),
    (
        "release of whatever project",
        " WHERE project_id = $1 AND floating_ip_id = ANY($2)\n ORDER BY",
        " WHERE $1 <> '' AND floating_ip_id = ANY($2)\n ORDER BY",
        "tests/test_batch.py -k foreign",
    ),
    (
        "no lock on what is released",
        " ORDER BY address\n   FOR UPDATE\n",
        " ORDER BY address\n",
        "tests/test_batch.py -k released_once",
    ),
    (
        "no lock on what is released, as recorded histories tell",
        " ORDER BY address\n   FOR UPDATE\n",
        " ORDER BY address\n",
        "tests/test_linearizability.py -k eight",
    ),
    (
        "what is protected is released",
        '        if floating_ip["protected"]:\n',
        "        if False:\n",
        "tests/test_attributes.py -k protected",
    ),
    (
        "release whatever the revision",
        '        revisions.check(if_match, row["revision"])\n',
        "",
        "tests/test_compare_and_set.py -k release",
    ),
    (
        "no lock on the floating IP whose revision release looks at",
        " ORDER BY address\n   FOR UPDATE\n",
        " ORDER BY address\n",
        "tests/test_compare_and_set.py -k we_wait",
    ),
)

CLAIMING = (
    (
        "no lock on what is claimed",
        'CLAIM = SUITABLE + "FOR UPDATE OF a SKIP LOCKED"',
        "CLAIM = SUITABLE",
        "tests/test_claiming.py -k sixteen_claimers",
    ),
    (
        "none to claim as soon as all are locked",
        "        if suitable is None:\n",
        "        if True:\n",
        "tests/test_claiming.py -k waited_for",
    ),
    (
        "tags are not looked at again",
        "        raise _OvertakenError\n",
        "        pass\n",
        "tests/test_claiming.py -k went_between",
    ),
)

LEDGER_MUTATIONS = tuple(
    Mutation(name, f"app/ledger/{module}.py", text, instead, tests)
    for module, mutations in (
        ("allocation", ALLOCATION),
        ("quotas", QUOTAS),
        ("waiting", WAITING),
        ("release", RELEASE),
        ("claiming", CLAIMING),
    )
    for name, text, instead, tests in mutations
)
