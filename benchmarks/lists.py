"""What a page costs of few floating IPs and of many, by each filter.

`python -m benchmarks.lists`: two databases in one Postgres, a service on each, and one
client that asks for pages of 100 on one and then at once on the other.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from app import migrations
from benchmarks import load, options, servers, tables
from benchmarks.cluster import Cluster, temporary
from benchmarks.figures import middle, ratios, spread
from benchmarks.loader import Loader, cost_of
from benchmarks.servers import Server, started

DEFAULTS = {"seconds": 0.4, "rounds": 7, "few": 1000, "many": 1_000_000}
WARM_UP = 0.3
"""Seconds of each window whose figures are thrown away."""

PROJECT = "demo"

# A tenth is of the pool `blue`, a tenth is associated, a tenth has the tag `web`: of a
# thousand as many as a page has. A server has ten fixed IPs.
HOLD = """
WITH pool AS (
    INSERT INTO pools (name) VALUES ('public'), ('blue') RETURNING id, name
), numbers AS (
    SELECT n, CASE WHEN n % 10 = 0 THEN inet '11.0.0.0' + n END AS fixed_ip
      FROM generate_series(1, CAST($1 AS int)) AS n
), server AS (
    INSERT INTO servers (id, project_id, name)
    OVERRIDING SYSTEM VALUE
    SELECT n, $2, 'web' FROM numbers WHERE n % 100 = 0
), fixed AS (
    INSERT INTO fixed_ips (project_id, address, server_id)
    SELECT $2, fixed_ip, (n + 90) / 100 * 100
      FROM numbers
     WHERE fixed_ip IS NOT NULL
), held AS (
    INSERT INTO addresses (address, pool_id, state, floating_ip_id, floating_ip_uuid,
                           project_id, revision, fixed_ip, created_at)
    SELECT inet '12.0.0.0' + n, pool.id, 'held', n, gen_random_uuid(), $2, 1, fixed_ip,
           now()
      FROM numbers
      JOIN pool ON pool.name = CASE n % 10 WHEN 3 THEN 'blue' ELSE 'public' END
)
INSERT INTO floating_ip_tags (project_id, tag, floating_ip_id)
SELECT $2, 'web', n FROM numbers WHERE n % 10 = 7
"""

KNOWN = """
SELECT (SELECT uuid FROM pools WHERE name = 'blue') AS network,
       (SELECT floating_ip_uuid FROM addresses WHERE floating_ip_id = $1) AS middle,
       (SELECT uuid FROM fixed_ips WHERE address = '11.0.0.10') AS port,
       (SELECT uuid FROM servers WHERE id = 100) AS server
"""

NETWORK = "/v2.0/floatingips?limit=100"
PAGES = {
    "all": NETWORK,
    "all, from the middle": NETWORK + "&marker={middle}",
    "all, downward": NETWORK + "&sort_key=created_at&sort_dir=desc",
    "status ACTIVE": NETWORK + "&status=ACTIVE",
    "status DOWN": NETWORK + "&status=DOWN",
    "floating_network_id": NETWORK + "&floating_network_id={network}",
    "tags": NETWORK + "&tags=web",
    "tags, of none": NETWORK + "&tags=none",
    "tags-any": NETWORK + "&tags-any=web,none",
    "port_id": NETWORK + "&port_id={port}",
    "fixed_ip_address": NETWORK + "&fixed_ip_address=11.0.0.10",
    "floating_ip_address": NETWORK + "&floating_ip_address=12.0.0.9",
    "id": NETWORK + "&id={middle}",
    "project_id": NETWORK + f"&project_id={PROJECT}",
    "ports": "/v2.0/ports?limit=100",
    "ports, device_id": "/v2.0/ports?limit=100&device_id={server}",
    "networks": "/v2.0/networks?router:external=True",
    "draft": "/os-floating-ips?limit=100",
    "draft, tag": "/os-floating-ips?limit=100&tag=web",
    "draft, tag of none": "/os-floating-ips?limit=100&tag=none",
    "draft, associated": "/os-floating-ips?limit=100&associated=true",
    "draft, not associated": "/os-floating-ips?limit=100&associated=false",
}


@dataclass(frozen=True, slots=True)
class Side:
    """A service, and what stands for the names in braces."""

    server: Server
    known: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one window showed; microseconds are per request, of service and Postgres."""

    page: str
    count: int
    number: int
    per_second: float
    cpu_us: float
    postgres_us: float


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the rounds; ratios are those of the rounds, many by few."""

    page: str
    few_us: float | None
    many_us: float | None
    cpu_ratio: float | None
    cpu_spread: float | None
    time_ratio: float | None
    time_spread: float | None
    few_postgres_us: float | None
    many_postgres_us: float | None


def main() -> None:
    """Measure, and print the table."""
    asked = _arguments()
    counts = (asked.few, asked.many)
    with (
        temporary(asked.dir) as cluster,
        load.generator() as generator,
        ExitStack() as stack,
    ):
        surrounding = tables.surroundings(cluster.version, "benchmarks.lists")
        tables.tell(surrounding)
        sides = {count: _side(cluster, count, stack) for count in counts}
        warming = Loader(generator, cluster.postmaster, WARM_UP)
        for _ in _round(sides, warming, 0):
            pass
        loader = Loader(generator, cluster.postmaster, asked.seconds)
        samples: list[Sample] = []
        for number in range(1, asked.rounds + 1):
            print(f"round {number}", file=sys.stderr, flush=True)
            samples += _round(sides, loader, number)
    found = [_row(page, counts, samples) for page in PAGES]
    print(f"\n{_table(found, counts)}")
    if asked.json:
        tables.write(asked.json, surrounding, found, samples)


def _side(cluster: Cluster, count: int, stack: ExitStack) -> Side:
    database = f"lists_{count}"
    cluster.create(database)
    settings = cluster.settings(database)
    migrations.upgrade(settings.database_url or "")
    cluster.fetch(HOLD, count, PROJECT, database=database)
    cluster.settle(database)
    (known,) = cluster.fetch(KNOWN, count // 2, database=database)
    server = stack.enter_context(started(servers.service(settings)))
    return Side(server, dict(known))


def _round(sides: Mapping[int, Side], loader: Loader, number: int) -> Iterator[Sample]:
    """Ask for each page on one side, then at once on the other."""
    for page, path in PAGES.items():
        for count in sorted(sides, reverse=bool(number % 2)):
            side = sides[count]
            cost = cost_of(loader.load(side.server, [[_get(path, side.known)]]))
            cpu = cost.server_us + cost.postgres_us
            yield Sample(page, count, number, cost.per_second, cpu, cost.postgres_us)


def _get(path: str, known: Mapping[str, object]) -> bytes:
    lines = [
        f"GET {path.format_map(known)} HTTP/1.1",
        "Host: localhost",
        f"X-Auth-Token: bench:{PROJECT}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _row(page: str, counts: tuple[int, int], samples: Sequence[Sample]) -> Row:
    few, many = (
        sorted(
            (s for s in samples if (s.page, s.count) == (page, count)),
            key=lambda sample: sample.number,
        )
        for count in counts
    )
    by_cpu = ratios([s.cpu_us for s in many], [s.cpu_us for s in few])
    by_time = ratios([s.per_second for s in few], [s.per_second for s in many])
    return Row(
        page,
        middle(s.cpu_us for s in few),
        middle(s.cpu_us for s in many),
        middle(by_cpu),
        spread(by_cpu),
        middle(by_time),
        spread(by_time),
        middle(s.postgres_us for s in few),
        middle(s.postgres_us for s in many),
    )


def _table(found: Sequence[Row], counts: tuple[int, int]) -> str:
    few, many = (f"of {count:,}, CPU µs" for count in counts)
    columns = ["page", few, many, "CPU ÷", "±", "time ÷", "±", "Postgres µs", "of many"]
    return tables.draw(
        columns,
        [
            (
                row.page,
                tables.shown(row.few_us),
                tables.shown(row.many_us),
                tables.ratio(row.cpu_ratio),
                tables.share(row.cpu_spread),
                tables.ratio(row.time_ratio),
                tables.share(row.time_spread),
                tables.shown(row.few_postgres_us),
                tables.shown(row.many_postgres_us),
            )
            for row in found
        ],
        words=1,
    )


def _arguments() -> argparse.Namespace:
    parser = options.parser("benchmarks.lists", __doc__)
    parser.add_argument("--few", type=options.positive, help="Floating IPs.")
    parser.add_argument("--many", type=options.positive, help="Floating IPs.")
    asked = parser.parse_args()
    options.fill_in(asked, DEFAULTS)
    return asked


if __name__ == "__main__":
    main()
