"""The audit finds what it promises to find: each breach is made by hand, and told."""

import asyncio

import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase, connection
from tests import make

BREACHES = {
    "held twice": (
        "ALTER TABLE history DROP CONSTRAINT one_owner_at_a_time;"
        "INSERT INTO history (address, floating_ip_id, project_id, since, until, actor,"
        " request_id) SELECT address, 99, 'other', since, 'infinity', 'eve', 'r'"
        " FROM history",
        "held from",
    ),
    "held without a floating IP": (
        "ALTER TABLE addresses DROP CONSTRAINT held_address_is_a_floating_ip;"
        "ALTER TABLE addresses DROP CONSTRAINT fixed_ip_is_of_the_same_project;"
        "UPDATE addresses SET floating_ip_id = NULL, project_id = NULL, fixed_ip = NULL"
        " WHERE state = 'held'",
        "held, with floating IP none",
    ),
    "free with a floating IP": (
        "ALTER TABLE addresses DROP CONSTRAINT held_address_is_a_floating_ip;"
        "UPDATE addresses SET state = 'free' WHERE state = 'held'",
        "free, with floating IP 1",
    ),
    "counted too low": (
        "UPDATE quota_shares SET room = room + 1 WHERE number = 0",
        "holds 1 floating IPs, and 0",
    ),
    "counted for nobody": (
        "DELETE FROM quota_shares; DELETE FROM quotas",
        "holds 1 floating IPs, and 0",
    ),
    "a pool counted wrong": (
        "INSERT INTO pool_counts (pool_id, free, held) VALUES (1, 1, -1)",
        "pool public has 1 free, 1 held, 1 resting, 0 reserved, and is said to have "
        "2 free, 0 held",
    ),
    "a quarantine that does not begin where history ends": (
        "UPDATE addresses SET changed_at = changed_at + interval '1 s'"
        " WHERE state = 'resting'",
        "rests until",
    ),
    "resting for nobody": (
        "ALTER TABLE addresses DROP CONSTRAINT resting_address_has_a_former_project;"
        "UPDATE addresses SET rests_for = NULL WHERE state = 'resting'",
        "resting, and to rest for nobody",
    ),
    "a key with two answers": (
        "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;"
        "INSERT INTO idempotency_keys (project_id, route, key, fingerprint, status,"
        " headers, body) SELECT 'demo', 'allocate', 'k', '', 200, '{}', ''"
        " FROM generate_series(1, 2)",
        "key k of project demo: allocate has 2 answers",
    ),
    "a refusal that is kept": (
        "ALTER TABLE idempotency_keys DROP CONSTRAINT stored_answer_is_a_success;"
        "INSERT INTO idempotency_keys (project_id, route, key, fingerprint, status,"
        " headers, body) VALUES ('demo', 'allocate', 'k', '', 404, '{}', '')",
        "key k of project demo: allocate keeps a refusal, 404",
    ),
    "a fixed IP of no server": (
        "ALTER TABLE addresses DROP CONSTRAINT fixed_ip_is_of_the_same_project;"
        "DELETE FROM fixed_ips",
        "no server of project demo has its fixed IP 11.0.0.1",
    ),
    "a fixed IP with two floating IPs": (
        "DROP INDEX one_floating_ip_per_fixed_ip;"
        "UPDATE addresses SET state = 'held', floating_ip_id = 77, project_id = 'demo',"
        " floating_ip_uuid = gen_random_uuid(), revision = 1, fixed_ip = '11.0.0.1'"
        " WHERE state = 'free'; UPDATE quota_shares SET room = room - 1"
        " WHERE number = 0",
        "has 2 floating IPs",
    ),
    "a present that history does not know": (
        "ALTER TABLE history DISABLE TRIGGER ALL; DELETE FROM history;"
        "ALTER TABLE history ENABLE TRIGGER ALL",
        "the present is not what history says last",
    ),
    "a history of what is not present": (
        "UPDATE addresses SET state = 'free', floating_ip_id = NULL, project_id = NULL,"
        " floating_ip_uuid = NULL, revision = NULL, fixed_ip = NULL"
        " WHERE state = 'held';"
        "UPDATE quota_shares SET room = room + 1 WHERE number = 0",
        "the present is not what history says last",
    ),
    "a history with a gap": (
        "ALTER TABLE history DISABLE TRIGGER ALL;"
        "UPDATE history SET until = until - interval '1 us' WHERE until IS NOT NULL;"
        "ALTER TABLE history ENABLE TRIGGER ALL",
        "its history has a gap",
    ),
    "a missing constraint": (
        "ALTER TABLE quota_shares DROP CONSTRAINT only_the_first_share_owes",
        "only_the_first_share_owes is missing",
    ),
    "a disabled trigger": (
        "ALTER TABLE history DISABLE TRIGGER history_is_ended_once",
        "history_is_ended_once is missing or not valid",
    ),
    "a missing index": (
        "DROP INDEX one_open_interval_per_floating_ip",
        "one_open_interval_per_floating_ip is missing",
    ),
}


@pytest.mark.parametrize("name", BREACHES)
async def test_a_breach_is_told(
    client: AsyncClient, database: LedgerDatabase, name: str
) -> None:
    breach, told = BREACHES[name]
    await make.pool(database, "203.0.113.1")
    await make.pool(database, "203.0.113.2")
    await make.pool(database, "203.0.113.3")
    await make.server(database, "11.0.0.1")
    await make.floating_ip(client, "11.0.0.1")
    await client.delete(f"/os-floating-ips/{await make.floating_ip(client)}")
    assert await make.breaches(database) == []

    async with connection(database) as lent:
        undone = lent.transaction()
        await undone.start()
        try:
            # In one transaction that is taken back, the audit included.
            await lent.execute(breach)
            found = await asyncio.wait_for(make.breaches_seen(lent), 10)
        finally:
            await undone.rollback()

    assert any(told in line for line in found), found
    assert await make.breaches(database) == []
