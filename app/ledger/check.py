"""The audit of the ledger's promises on a live database, as of one moment.

Each statement returns what breaks its promise, a sentence a row; none is what is hoped
for. The constraints make most of these impossible; the audit does not rely on them.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from app.database import Tx


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise of the ledger, numbered as in the design, and what would break it."""

    number: int | None
    text: str
    breaches: str


ONE_OWNER = """
SELECT format('%s: held from %s while another held it until %s', host(address), since,
              before)
  FROM (SELECT address, since, until,
               lag(coalesce(until, 'infinity'))
                   OVER (PARTITION BY address ORDER BY since, until) AS before
          FROM history
         WHERE until IS DISTINCT FROM since) AS intervals
 WHERE before > since
 UNION ALL
SELECT format('floating IP %s stands for %s addresses', floating_ip_id, count(*))
  FROM addresses
 WHERE floating_ip_id IS NOT NULL
 GROUP BY floating_ip_id
HAVING count(*) > 1
"""

EVERY_ADDRESS_COUNTS = """
SELECT format('%s: %s, with floating IP %s of project %s', host(address), state,
              coalesce(CAST(floating_ip_id AS text), 'none'),
              coalesce(project_id, 'none'))
  FROM addresses
 WHERE state NOT IN ('free', 'held', 'resting', 'reserved')
    OR (state = 'held')
       IS DISTINCT FROM (floating_ip_id IS NOT NULL AND project_id IS NOT NULL)
 UNION ALL
SELECT format('pool %s has %s, and is said to have %s', name, present, counted)
  FROM (SELECT p.name,
               format('%s free, %s held, %s resting, %s reserved',
                      coalesce(a.free, 0), coalesce(a.held, 0),
                      coalesce(a.resting, 0), coalesce(a.reserved, 0)) AS present,
               format('%s free, %s held, %s resting, %s reserved',
                      coalesce(c.free, 0), coalesce(c.held, 0),
                      coalesce(c.resting, 0), coalesce(c.reserved, 0)) AS counted
          FROM pools p
          LEFT JOIN (SELECT pool_id,
                            count(*) FILTER (WHERE state = 'free') AS free,
                            count(*) FILTER (WHERE state = 'held') AS held,
                            count(*) FILTER (WHERE state = 'resting') AS resting,
                            count(*) FILTER (WHERE state = 'reserved') AS reserved
                       FROM addresses
                      GROUP BY pool_id) AS a ON a.pool_id = p.id
          LEFT JOIN (SELECT pool_id, sum(free) AS free, sum(held) AS held,
                            sum(resting) AS resting, sum(reserved) AS reserved
                       FROM pool_counts
                      GROUP BY pool_id) AS c ON c.pool_id = p.id) AS pools
 WHERE present <> counted
"""

QUOTA = """
SELECT format('project %s holds %s floating IPs, and %s are counted', project_id,
              coalesce(holds, 0), coalesce(used, 0))
  FROM (SELECT q.project_id,
               CASE q.dealt WHEN -1 THEN 1099511627776 ELSE q.dealt END
               - (SELECT sum(s.room) FROM quota_shares s
                   WHERE s.project_id = q.project_id) AS used
          FROM quotas q) AS counted
  FULL JOIN (SELECT project_id, count(*) AS holds
               FROM addresses
              WHERE state = 'held'
              GROUP BY project_id) AS held USING (project_id)
 WHERE coalesce(holds, 0) <> coalesce(used, 0)
"""

QUARANTINE = """
SELECT format('%s: rests until %s, and its last interval ended at %s', host(a.address),
              a.rests_until, max(h.until))
  FROM addresses a
  JOIN history h ON h.address = a.address
 WHERE a.rests_until IS NOT NULL
 GROUP BY a.address
HAVING max(h.until) IS DISTINCT FROM a.changed_at
    OR a.rests_until < a.changed_at
 UNION ALL
SELECT format('%s: %s, and to rest for %s', host(address), state,
              coalesce(rests_for, 'nobody'))
  FROM addresses
 WHERE CASE state
       WHEN 'resting' THEN num_nulls(rests_for, rests_until) > 0
       WHEN 'reserved' THEN (rests_for IS NULL) <> (rests_until IS NULL)
       ELSE num_nonnulls(rests_for, rests_until) > 0
       END
"""

ONE_ANSWER = """
SELECT format('key %s of project %s: %s has %s answers', key, project_id, route,
              count(*))
  FROM idempotency_keys
 GROUP BY project_id, route, key
HAVING count(*) > 1
 UNION ALL
SELECT format('key %s of project %s: %s keeps a refusal, %s', key, project_id, route,
              status)
  FROM idempotency_keys
 WHERE status NOT BETWEEN 200 AND 299
"""

ONE_PROJECT = """
SELECT format('floating IP %s: no server of project %s has its fixed IP %s',
              a.floating_ip_id, a.project_id, host(a.fixed_ip))
  FROM addresses a
 WHERE a.fixed_ip IS NOT NULL
   AND NOT EXISTS (SELECT FROM fixed_ips f
                           JOIN servers s
                             ON s.id = f.server_id AND s.project_id = f.project_id
                    WHERE f.project_id = a.project_id AND f.address = a.fixed_ip)
"""

ONE_EACH = """
SELECT format('fixed IP %s of project %s has %s floating IPs', host(fixed_ip),
              project_id, count(*))
  FROM addresses
 WHERE fixed_ip IS NOT NULL
 GROUP BY project_id, fixed_ip
HAVING count(*) > 1
 UNION ALL
SELECT format('%s is associated, and %s', host(address), state)
  FROM addresses
 WHERE fixed_ip IS NOT NULL AND state <> 'held'
"""

HISTORY_IS_TRUE = """
SELECT format('%s: the present is not what history says last',
              host(coalesce(a.address, h.address)))
  FROM (SELECT a.address, a.floating_ip_id, a.project_id, a.fixed_ip, f.server_id,
               a.changed_at
          FROM addresses a
          LEFT JOIN fixed_ips f
            ON f.project_id = a.project_id AND f.address = a.fixed_ip
         WHERE a.state = 'held') AS a
  FULL JOIN (SELECT address, floating_ip_id, project_id, fixed_ip, server_id, since
               FROM history
              WHERE until IS NULL) AS h
    ON h.address = a.address AND h.floating_ip_id = a.floating_ip_id
 WHERE (a.address, a.project_id, a.fixed_ip, a.server_id, a.changed_at)
       IS DISTINCT FROM (h.address, h.project_id, h.fixed_ip, h.server_id, h.since)
 UNION ALL
SELECT format('floating IP %s: its history has a gap at %s', floating_ip_id, since)
  FROM (SELECT floating_ip_id, since,
               lag(until) OVER (PARTITION BY floating_ip_id ORDER BY id) AS before
          FROM history) AS intervals
 WHERE before <> since
"""

# What the migrations put in force.
IN_FORCE = """
SELECT format('%s is missing or not valid', name)
  FROM unnest(CAST('{
           addresses_pkey, address_is_in_a_pool,
           address_is_free_held_resting_or_reserved, held_address_is_a_floating_ip,
           auto_associated_is_associated,
           addresses_project_id_floating_ip_id_key, addresses_floating_ip_uuid_key,
           resting_address_has_a_former_project, reserved_address_has_a_reason,
           quarantine_is_kept, changes_of_state_are_counted, former_addresses_pkey,
           quotas_pkey, quota_shares_pkey, only_the_first_share_owes,
           floating_ip_tags_pkey,
           fixed_ips_pkey, fixed_ip_is_of_the_same_project,
           fixed_ip_is_of_its_servers_project, one_floating_ip_per_fixed_ip,
           fixed_ips_uuid_key, pools_uuid_key, servers_uuid_key,
           one_owner_at_a_time, one_open_interval_per_floating_ip,
           interval_does_not_end_before_it_begins,
           history_is_ended_once, history_of_the_present_stays,
           idempotency_keys_pkey, stored_answer_is_a_success}' AS text[])) AS name
 WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conname = name AND convalidated)
   AND NOT EXISTS (SELECT FROM pg_index JOIN pg_class ON oid = indexrelid
                    WHERE relname = name AND indisunique AND indisvalid)
   AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = name AND tgenabled = 'O')
"""

PROMISES = (
    Promise(1, "one owner per address at a time", ONE_OWNER),
    Promise(
        2, "every address is free, held, resting or reserved", EVERY_ADDRESS_COUNTS
    ),
    Promise(3, "what a project holds is what its quota counts", QUOTA),
    Promise(4, "a released address rests for its former project", QUARANTINE),
    Promise(5, "an idempotency key has one answer, a success", ONE_ANSWER),
    Promise(6, "a floating IP and its server are of one project", ONE_PROJECT),
    Promise(7, "a fixed IP has one floating IP at most", ONE_EACH),
    Promise(8, "history tells the present, without gaps", HISTORY_IS_TRUE),
    Promise(None, "the constraints that hold all this are in force", IN_FORCE),
)


async def audit(tx: Tx) -> AsyncIterator[tuple[Promise, list[str]]]:
    """Yield each promise with what breaks it, ten sentences at most."""
    for promise in PROMISES:
        rows = await tx.fetch(f"{promise.breaches} LIMIT 10")
        yield promise, [row[0] for row in rows]
