"""Where the answer of each operation leads: the links of OpenAPI, on one page.

Source: OpenAPI 3.1, link object and runtime expressions.
"""

from typing import Any, TypeAlias

Links: TypeAlias = dict[str, Any]

STEPS = {
    "allocate_floating_ip": "Allocate a floating IP from one of the pools.",
    "list_floating_ips": "List what the project holds now.",
    "show_floating_ip": "Show the floating IP.",
    "associate_floating_ip": "Associate the floating IP with a fixed IP.",
    "disassociate_floating_ip": "Disassociate the floating IP; the project keeps it.",
    "release_floating_ip": "Release the floating IP.",
    "show_floating_ip_attributes": "Show what is written on the floating IP.",
    "update_floating_ip_attributes": "Write on the floating IP.",
    "release_floating_ips": "Release floating IPs.",
    "show_floating_ip_pool": "Show what the pool has.",
    "update_floating_ip_pool": "Set how long released addresses rest.",
    "list_floating_ip_history": "List all that the address was.",
    "list_floating_ip_holds": "List the addresses that are held back now.",
    "lift_floating_ip_hold": "Let the address go.",
    "show_server": "Show the server.",
    "remove_server": "Remove the server.",
    "show_quota_set": "Show the quota.",
    "update_quota_set": "Set another quota.",
    "list_floating_ips_bulk": "List the addresses of all pools now.",
}
"""What each operation does to which another leads."""


def _to(*operations: str, **parameters: str) -> Links:
    """Link to operations, whose parameters are runtime expressions."""
    known = {"parameters": parameters} if parameters else {}
    return {
        name: {"operationId": name, "description": STEPS[name], **known}
        for name in operations
    }


CHANGES = (
    "associate_floating_ip",
    "disassociate_floating_ip",
    "release_floating_ip",
)
FLOATING_IP = "$response.body#/floating_ip"
FIRST_FLOATING_IP = "$response.body#/floating_ips/0"
ID = "$request.path.id"

ALLOCATED = _to("show_floating_ip", *CHANGES, id=f"{FLOATING_IP}/id")
FLOATING_IPS_LISTED = _to("show_floating_ip", *CHANGES, id=f"{FIRST_FLOATING_IP}/id")
FLOATING_IP_SHOWN = {
    **_to(*CHANGES, id=ID),
    **_to("show_server", id=f"{FLOATING_IP}/instance_id"),
}
ASSOCIATED = _to("show_floating_ip", "disassociate_floating_ip", id=ID)
DISASSOCIATED = _to(
    "show_floating_ip", "associate_floating_ip", "release_floating_ip", id=ID
)
RELEASED = _to("list_floating_ips")
ATTRIBUTES_SHOWN = _to("update_floating_ip_attributes", id=ID)
ATTRIBUTES_UPDATED = _to("show_floating_ip_attributes", id=ID)
BATCH_ALLOCATED = {
    **_to("show_floating_ip", *CHANGES, id=f"{FIRST_FLOATING_IP}/id"),
    **_to("release_floating_ips"),
}

NAME = "$request.path.name"
POOLS_LISTED = {
    **_to("allocate_floating_ip"),
    **_to("show_floating_ip_pool", name="$response.body#/floating_ip_pools/0/name"),
}
POOL_SHOWN = _to("update_floating_ip_pool", name=NAME)
POOL_UPDATED = _to("show_floating_ip_pool", name=NAME)

FIRST_HELD_BACK = "$response.body#/floating_ip_holds/0/address"
HELD_BACK = "$response.body#/floating_ip_hold/address"
HOLDS_LISTED = _to("lift_floating_ip_hold", address=FIRST_HELD_BACK)
HOLD_PLACED = {
    **_to("lift_floating_ip_hold", address=HELD_BACK),
    **_to("list_floating_ip_holds"),
}
HISTORY_LISTED = _to(
    "list_floating_ip_history", ip="$response.body#/floating_ip_history/0/ip"
)
HOLD_LIFTED = _to("list_floating_ip_holds")

SERVER_REGISTERED = {
    **_to("show_server", "remove_server", id="$response.body#/server/id"),
    **_to("allocate_floating_ip"),
}
SERVERS_LISTED = _to("show_server", "remove_server", id="$response.body#/servers/0/id")
SERVER_SHOWN = _to("remove_server", id=ID)
SERVER_REMOVED = _to("list_floating_ips")

PROJECT = "$request.path.project_id"
QUOTA_SHOWN = _to("update_quota_set", project_id=PROJECT)
QUOTA_UPDATED = _to("show_quota_set", project_id=PROJECT)
ADDRESSES_CHANGED = _to("list_floating_ips_bulk")
