"""The lines of a fleet that cannot be taken in, and why.

Each statement takes its faulty lines out of the table `fleet`, and returns the first $1
of them, with how many there are: line, column, value, rule, count.
"""

REPEATED_ADDRESS = """
WITH faulty AS (
    DELETE FROM fleet
     USING (SELECT line, min(line) OVER (PARTITION BY address) AS first
              FROM fleet) AS same
     WHERE fleet.line = same.line AND same.line > same.first
 RETURNING fleet.line, fleet.address, same.first
)
SELECT line, 'address' AS column, host(address) AS value,
       format('is on line %s already', first) AS rule, count(*) OVER () AS count
  FROM faulty
 ORDER BY line
 LIMIT $1
"""

REPEATED_FIXED_IP = """
WITH faulty AS (
    DELETE FROM fleet
     USING (SELECT line, min(line) OVER (PARTITION BY project_id, fixed_ip) AS first
              FROM fleet
             WHERE fixed_ip IS NOT NULL) AS same
     WHERE fleet.line = same.line AND same.line > same.first
 RETURNING fleet.line, fleet.fixed_ip, same.first
)
SELECT line, 'fixed_ip' AS column, host(fixed_ip) AS value,
       format('is on line %s already, for the same project', first) AS rule,
       count(*) OVER () AS count
  FROM faulty
 ORDER BY line
 LIMIT $1
"""

NOT_FREE = """
WITH faulty AS (
    DELETE FROM fleet
     USING (SELECT f.line, a.state, a.project_id
              FROM fleet f
              LEFT JOIN addresses a ON a.address = f.address
             WHERE a.state IS DISTINCT FROM 'free') AS present
     WHERE fleet.line = present.line
 RETURNING fleet.line, fleet.address, present.state, present.project_id
)
SELECT line, 'address' AS column, host(address) AS value,
       CASE
       WHEN state IS NULL THEN 'is in no pool'
       WHEN state = 'held' THEN format('is held by project %s already', project_id)
       ELSE format('is %s', state)
       END AS rule,
       count(*) OVER () AS count
  FROM faulty
 ORDER BY line
 LIMIT $1
"""

FIXED_IP_OF_ANOTHER = """
WITH faulty AS (
    DELETE FROM fleet
     USING (SELECT f.line, s.name
              FROM fleet f
              LEFT JOIN fixed_ips i
                ON i.project_id = f.project_id AND i.address = f.fixed_ip
              LEFT JOIN servers s
                ON s.project_id = i.project_id AND s.id = i.server_id
             WHERE s.name IS DISTINCT FROM f.server) AS present
     WHERE fleet.line = present.line
 RETURNING fleet.line, fleet.fixed_ip, fleet.server, present.name
)
SELECT line,
       CASE WHEN name IS NULL THEN 'server' ELSE 'fixed_ip' END AS column,
       CASE WHEN name IS NULL THEN server ELSE host(fixed_ip) END AS value,
       CASE
       WHEN name IS NULL THEN
           'the project has several servers of that name, none with that fixed IP'
       ELSE format('a server of another name has it already: %s', left(name, 64))
       END AS rule,
       count(*) OVER () AS count
  FROM faulty
 ORDER BY line
 LIMIT $1
"""

OCCUPIED = """
WITH faulty AS (
    DELETE FROM fleet
     USING (SELECT f.line, a.address AS floating_ip
              FROM fleet f
              JOIN addresses a
                ON a.project_id = f.project_id AND a.fixed_ip = f.fixed_ip) AS present
     WHERE fleet.line = present.line
 RETURNING fleet.line, fleet.fixed_ip, present.floating_ip
)
SELECT line, 'fixed_ip' AS column, host(fixed_ip) AS value,
       format('has another floating IP, %s', host(floating_ip)) AS rule,
       count(*) OVER () AS count
  FROM faulty
 ORDER BY line
 LIMIT $1
"""

# The quotas have just been dealt, and are locked: what they were dealt for is in force.
OVER_QUOTA = """
WITH faulty AS (
    DELETE FROM fleet
     USING (SELECT f.line, q.dealt AS allowed,
                   q.dealt - s.room + f.number AS holds
              FROM (SELECT line, project_id,
                           row_number() OVER (PARTITION BY project_id
                                                  ORDER BY line) AS number
                      FROM fleet) AS f
              JOIN quotas q ON q.project_id = f.project_id
              JOIN (SELECT project_id, sum(room) AS room
                      FROM quota_shares
                     GROUP BY project_id) AS s
                ON s.project_id = f.project_id) AS present
     WHERE fleet.line = present.line AND allowed >= 0 AND holds > allowed
 RETURNING fleet.line, fleet.project_id, allowed, holds
)
SELECT line, 'project' AS column, project_id AS value,
       format('may hold %s floating IPs, and this would be number %s', allowed, holds)
           AS rule,
       count(*) OVER () AS count
  FROM faulty
 ORDER BY line
 LIMIT $1
"""
