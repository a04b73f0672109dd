"""What is taken away from the faces, from the keys of requests, and from who is who."""

from tests.mutation import Mutation

FACE_MUTATIONS = (
    Mutation(
        "a port is not looked at again",
        "app/ledger/floating_ip_updates.py",
        "        await ports.check(tx, project_id, wanted.port)\n",
        "",
        "tests/test_network.py",
    ),
    Mutation(
        "no lock while a tag is added",
        "app/ledger/tagging.py",
        "fetchval(attributes.LOCK, project_id, floating_ip_id)",
        'fetchval(attributes.LOCK.replace("FOR UPDATE", ""), project_id, '
        "floating_ip_id)",
        "tests/test_network.py",
    ),
    Mutation(
        "pools do not learn of addresses that are added",
        "alembic/versions/0006_network.py",
        "ORDER BY pool_id, family(address)\n        ON CONFLICT",
        "LIMIT 0\n        ON CONFLICT",
        "tests/test_network_lists.py",
    ),
    Mutation(
        "the subnet of a pool is any",
        "app/ledger/networks.py",
        "    if len(uuids) > 1:",
        "    if len(uuids) > 9:",
        "tests/test_network_floatingips.py",
    ),
    Mutation(
        "no lock on the address that is taken off a server",
        "app/ledger/attachment.py",
        "AND state = 'held'\n   FOR UPDATE\n",
        "AND state = 'held'\n",
        "tests/test_compute_actions.py",
    ),
    Mutation(
        "a server may go while an address is put on it",
        "app/ledger/attachment.py",
        " FOR KEY SHARE\n",
        "\n",
        "tests/test_compute_actions.py",
    ),
    Mutation(
        "an address is taken off whatever server has it",
        "app/ledger/attachment.py",
        "        raise NotAssociated(address, server_uuid)\n",
        "        pass\n",
        "tests/test_compute_actions.py",
    ),
    Mutation(
        "no lock on the idempotency key",
        "app/ledger/idempotency.py",
        "SELECT pg_try_advisory_xact_lock($1)",
        "SELECT CAST($1 AS bigint) IS NOT NULL",
        "tests/test_idempotency.py -k at_once",
    ),
    Mutation(
        "the kept answer is looked for before the key is locked",
        "app/ledger/idempotency.py",
        "    if not await tx.fetchval(LOCK, key.lock_id):\n"
        "        raise RequestInFlight(key.text)\n"
        "    kept = await tx.fetchrow(FIND, key.project_id, key.route, key.text)\n",
        "    kept = await tx.fetchrow(FIND, key.project_id, key.route, key.text)\n"
        "    if not await tx.fetchval(LOCK, key.lock_id):\n"
        "        raise RequestInFlight(key.text)\n",
        "tests/test_idempotency.py -k looked_for",
    ),
    Mutation(
        "whatever request has the key gets its answer",
        "app/ledger/idempotency.py",
        'if kept["fingerprint"] != key.fingerprint:',
        "if False:",
        "tests/test_idempotency.py -k another_request",
    ),
    Mutation(
        "idempotency keys of whatever project",
        "app/ledger/idempotency.py",
        " WHERE project_id = $1 AND route",
        " WHERE $1 <> '' AND route",
        "tests/test_idempotency.py -k each_project",
    ),
    Mutation(
        "the answer is kept after the commit of its effect",
        "app/faces/once.py",
        "            await idempotency.store(tx, key, _answer(response))\n"
        "            return response\n",
        "        async with transaction(self.database) as tx:\n"
        "            await idempotency.store(tx, key, _answer(response))\n"
        "            return response\n",
        "tests/test_idempotency.py -k cancelled",
    ),
    Mutation(
        "sweeps of idempotency keys wait for each other",
        "app/ledger/idempotency.py",
        "              FOR UPDATE SKIP LOCKED))",
        "              FOR UPDATE))",
        "tests/test_idempotency.py -k forget_at_once",
    ),
    Mutation(
        "associate and disassociate whatever the revision",
        "app/ledger/association.py",
        '    revisions.check(if_match, present["revision"])\n',
        "",
        "tests/test_compare_and_set.py -k associate",
    ),
)
