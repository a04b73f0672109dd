"""What clients see of the ledger, compared with what should be."""

from collections.abc import AsyncIterator

from tests.machine.operations import PROJECTS
from tests.machine.pointing import attributes, shape
from tests.machine.state import JSON, FloatingIP, Ledger, Server
from tests.machine.world import World


async def differences(world: World, ledger: Ledger) -> AsyncIterator[str]:
    """Yield what clients see otherwise than it should be."""
    for project_id, path, expected in _expected(ledger):
        found = await world.get(path, project_id)
        if path == "/os-floating-ips-bulk":
            found = _without_uuids(found)
        if found != expected:
            yield f"{path}: {expected} was due, and {found} is seen"


def _expected(ledger: Ledger) -> list[tuple[str, str, JSON]]:
    pools = [{"name": name} for name in sorted(ledger.pools)]
    return [
        ("operators", "/os-floating-ips-bulk", {"floating_ip_info": _all(ledger)}),
        ("operators", "/os-floating-ip-holds", {"floating_ip_holds": _holds(ledger)}),
        ("operators", "/os-floating-ip-pools", {"floating_ip_pools": pools}),
        *(
            ("operators", f"/os-floating-ip-pools/{name}", _pool(ledger, name))
            for name in ledger.pools
        ),
        *(part for each in PROJECTS for part in _of_project(ledger, each)),
        *(
            (
                each.project_id,
                f"/os-floating-ips/{each.id}/attributes",
                attributes(each),
            )
            for each in ledger.all_floating_ips()
        ),
    ]


def _of_project(ledger: Ledger, project_id: str) -> list[tuple[str, str, JSON]]:
    allowed = ledger.quotas.get(project_id, ledger.default_quota)
    quota = {"quota_set": {"id": project_id, "floating_ips": allowed}}
    floating_ips = [_shape(ledger, each) for each in ledger.floating_ips(project_id)]
    servers = [
        _server(ledger, each)
        for _, each in sorted(ledger.servers.items())
        if each.project_id == project_id
    ]
    return [
        (project_id, f"/os-quota-sets/{project_id}", quota),
        (project_id, "/os-floating-ips", {"floating_ips": floating_ips}),
        (project_id, "/servers", {"servers": servers}),
    ]


def _without_uuids(listed: JSON) -> JSON:
    """Leave out what no other answer of this face tells."""
    infos = [
        {name: each[name] for name in ("address", "pool", "project_id", "fixed_ip")}
        for each in listed["floating_ip_info"]
    ]
    return {"floating_ip_info": infos}


def _in_order(ip: str) -> tuple[bool, list[str]]:
    """Sort as the database does, IPv4 first; of our few addresses."""
    return ":" in ip, [part.rjust(4) for part in ip.replace(":", ".").split(".")]


def _all(ledger: Ledger) -> list[JSON]:
    return [
        {
            "address": ip,
            "pool": address.pool,
            "project_id": address.held.project_id if address.held else None,
            "fixed_ip": address.held.fixed_ip if address.held else None,
        }
        for ip in sorted(ledger.addresses, key=_in_order)
        for address in [ledger.addresses[ip]]
    ]


def _pool(ledger: Ledger, name: str) -> JSON:
    told = {"name": name, "quarantine_seconds": ledger.pools[name]}
    return {"floating_ip_pool": told | ledger.counts(name)}


def _holds(ledger: Ledger) -> list[JSON]:
    return [
        {"address": ip, "reason": address.reason, "until": address.until}
        for ip in sorted(ledger.addresses, key=_in_order)
        for address in [ledger.addresses[ip]]
        if address.reason
    ]


def _shape(ledger: Ledger, floating_ip: FloatingIP) -> JSON:
    server = ledger.server_of(floating_ip.project_id, floating_ip.fixed_ip)
    return shape(floating_ip, server.id if server else None)


def _server(ledger: Ledger, server: Server) -> JSON:
    held = ledger.floating_ips(server.project_id)
    public = [each.ip for each in held if each.fixed_ip in server.fixed_ips]
    return {
        "id": server.id,
        "name": server.name,
        "status": "ACTIVE",
        "addresses": {
            "private": [_addr(ip) for ip in server.fixed_ips],
            "public": [_addr(ip) for ip in public],
        },
    }


def _addr(ip: str) -> JSON:
    return {"version": 6 if ":" in ip else 4, "addr": ip}
