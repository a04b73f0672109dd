"""A strict client of the compute face: what each of its answers has to be.

The schemas are written from CONTRACT 6 and Nova's own, as its strictest clients have
them: all members that there are, and none beside them.
"""

import re
from typing import Any, TypeAlias

import httpx
from jsonschema import Draft202012Validator, FormatChecker

Schema: TypeAlias = dict[str, Any]

UUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
IP = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
MAC = {"type": "string", "pattern": "^fa:16:3e(:[0-9a-f]{2}){3}$"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer", "minimum": -1}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def exactly(**members: Any) -> Schema:
    """An object with these members, all of them, and no other."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


LINK = exactly(
    rel={"enum": ["self", "bookmark"]},
    href={"type": "string", "pattern": "^https?://[^/]+/"},
)
FLOATING_IP = exactly(
    id=UUID,
    ip=IP,
    fixed_ip=nullable(IP),
    instance_id=nullable(UUID),
    pool=nullable(TEXT),
)
ADDRESS = exactly(
    **{
        "version": {"enum": [4, 6]},
        "addr": IP,
        "OS-EXT-IPS:type": {"enum": ["fixed", "floating"]},
        "OS-EXT-IPS-MAC:mac_addr": MAC,
    }
)
PLAIN_ADDRESS = exactly(version={"enum": [4, 6]}, addr=IP)
REFERENCE = exactly(id=TEXT, links=many(LINK))
SERVER = exactly(
    id=UUID,
    name=TEXT,
    status={"const": "ACTIVE"},
    image={"anyOf": [REFERENCE, {"const": ""}]},
    flavor=REFERENCE,
    user_id={"type": "string"},
    tenant_id=TEXT,
    created=TIME,
    updated=TIME,
    metadata={"type": "object", "additionalProperties": {"type": "string"}},
    links=many(LINK),
    addresses={"type": "object", "additionalProperties": many(ADDRESS)},
    hostId={"type": "string"},
)
SERVER_NAME = exactly(id=UUID, name=TEXT, links=many(LINK))
SERVER_CREATED = exactly(id=UUID, links=many(LINK), adminPass=TEXT)
NEXT = {
    **many(exactly(rel={"const": "next"}, href=LINK["properties"]["href"])),
    "maxItems": 1,
}
INTERFACE = exactly(
    port_id=UUID,
    net_id=TEXT,
    mac_addr=MAC,
    port_state={"const": "ACTIVE"},
    fixed_ips=many(exactly(ip_address=IP, subnet_id=UUID)),
)
COUNTED = (
    *("cores", "fixed_ips", "floating_ips", "injected_file_content_bytes"),
    *("injected_file_path_bytes", "injected_files", "instances", "key_pairs"),
    *("metadata_items", "ram", "security_group_rules", "security_groups"),
    *("server_group_members", "server_groups"),
)
QUOTAS = dict.fromkeys(COUNTED, NUMBER)
USES = dict.fromkeys(COUNTED, exactly(limit=NUMBER, in_use=NUMBER, reserved=NUMBER))
LIMITS = exactly(
    rate={"type": "array", "maxItems": 0},
    absolute=exactly(
        **dict.fromkeys(
            (
                *("maxImageMeta", "maxPersonality", "maxPersonalitySize"),
                *("maxSecurityGroupRules", "maxSecurityGroups", "maxServerGroups"),
                *("maxServerGroupMembers", "maxServerMeta", "maxTotalCores"),
                *("maxTotalFloatingIps", "maxTotalInstances", "maxTotalKeypairs"),
                *("maxTotalRAMSize", "totalCoresUsed", "totalFloatingIpsUsed"),
                *("totalInstancesUsed", "totalRAMUsed", "totalSecurityGroupsUsed"),
                "totalServerGroupsUsed",
            ),
            NUMBER,
        )
    ),
)
BULK = exactly(ip_range=TEXT, pool=TEXT, interface=TEXT)
INFO = exactly(
    address=IP,
    instance_uuid=nullable(UUID),
    interface=TEXT,
    pool=TEXT,
    project_id=nullable(TEXT),
    fixed_ip=nullable(IP),
)
EXTENSION = exactly(
    alias=TEXT,
    name=TEXT,
    namespace=TEXT,
    description=TEXT,
    updated=TIME,
    links={"type": "array", "maxItems": 0},
)
VERSION_LINK = {
    **exactly(
        rel={"enum": ["self", "describedby"]}, href=TEXT, type={"const": "text/html"}
    ),
    "required": ["rel", "href"],
}
VERSION = {
    "id": {"type": "string", "pattern": r"^v[12]\.[01]$"},
    "status": {"enum": ["CURRENT", "SUPPORTED"]},
    "version": {"enum": ["", "2.35"]},
    "min_version": {"enum": ["", "2.1"]},
    "updated": TIME,
    "links": many(VERSION_LINK),
}
VERSION_DOCUMENT = exactly(
    version=exactly(**VERSION, **{"media-types": many(exactly(base=TEXT, type=TEXT))})
)

FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    503: "serviceUnavailable",
}

ID = r"[^/]+"
ANSWERS: dict[tuple[str, str, int], Schema | None] = {
    ("GET", "/", 200): exactly(versions=many(exactly(**VERSION))),
    ("GET", "/v1.1/?", 200): VERSION_DOCUMENT,
    ("GET", "/v2/?", 200): VERSION_DOCUMENT,
    ("GET", "/v2.1/?", 200): VERSION_DOCUMENT,
    ("GET", "os-floating-ips", 200): exactly(floating_ips=many(FLOATING_IP)),
    ("POST", "os-floating-ips", 200): exactly(floating_ip=FLOATING_IP),
    ("GET", f"os-floating-ips/{ID}", 200): exactly(floating_ip=FLOATING_IP),
    ("DELETE", f"os-floating-ips/{ID}", 202): None,
    ("GET", "os-floating-ip-pools", 200): exactly(
        floating_ip_pools=many(exactly(name=TEXT))
    ),
    ("GET", "servers", 200): {
        **exactly(servers=many(SERVER_NAME), servers_links=NEXT),
        "required": ["servers"],
    },
    ("GET", "servers/detail", 200): {
        **exactly(servers=many(SERVER), servers_links=NEXT),
        "required": ["servers"],
    },
    ("POST", "servers", 202): exactly(server=SERVER_CREATED),
    ("GET", f"servers/{ID}", 200): exactly(server=SERVER),
    ("DELETE", f"servers/{ID}", 204): None,
    ("POST", f"servers/{ID}/action", 202): None,
    ("GET", f"servers/{ID}/ips", 200): exactly(
        addresses=exactly(private=many(PLAIN_ADDRESS))
    ),
    ("GET", f"servers/{ID}/ips/private", 200): exactly(private=many(PLAIN_ADDRESS)),
    ("GET", f"servers/{ID}/os-interface", 200): exactly(
        interfaceAttachments=many(INTERFACE)
    ),
    ("GET", f"os-quota-sets/{ID}", 200): exactly(quota_set=exactly(id=TEXT, **QUOTAS)),
    ("GET", f"os-quota-sets/{ID}/defaults", 200): exactly(
        quota_set=exactly(id=TEXT, **QUOTAS)
    ),
    ("GET", f"os-quota-sets/{ID}/detail", 200): exactly(
        quota_set=exactly(id=TEXT, **USES)
    ),
    ("PUT", f"os-quota-sets/{ID}", 200): exactly(quota_set=exactly(**QUOTAS)),
    ("DELETE", f"os-quota-sets/{ID}", 202): None,
    ("GET", "limits", 200): exactly(limits=LIMITS),
    ("GET", "os-floating-ips-bulk", 200): exactly(floating_ip_info=many(INFO)),
    ("POST", "os-floating-ips-bulk", 200): exactly(floating_ips_bulk_create=BULK),
    ("PUT", "os-floating-ips-bulk/delete", 200): exactly(floating_ips_bulk_delete=TEXT),
    ("GET", "extensions", 200): exactly(extensions=many(EXTENSION)),
    ("GET", f"extensions/{ID}", 200): exactly(extension=EXTENSION),
}
"""By method, path and status; None is an answer with nothing in it."""

RESOURCES = "os-|servers|limits|extensions"
MOUNT = re.compile(rf"^/v2(\.1)?/(?:(?!{RESOURCES})[^/]+/)?(?={RESOURCES})")
CHECKER = FormatChecker(["ipv4", "ipv6"])


def is_of_compute(path: str) -> bool:
    return (
        path in ("/", "/v1.1", "/v1.1/")
        or re.match(r"/v2(\.1)?(/|$)", path) is not None
    )


async def check_compute_answer(response: httpx.Response) -> None:
    """Fail for an answer that a strict client refuses; an event hook of httpx's."""
    path = response.request.url.path
    if not is_of_compute(path):
        return
    await response.aread()
    check_headers(path, response.headers)
    if response.request.method == "HEAD":
        assert response.content == b""
    elif response.status_code >= 400:
        assert response.headers["content-type"] == "application/json"
        check_fault(response.status_code, response.json())
    else:
        check_success(response)


def check_headers(path: str, headers: httpx.Headers) -> None:
    for name in ("x-openstack-request-id", "x-compute-request-id"):
        assert re.fullmatch("req-[0-9a-f-]{36}", headers[name])
    new, old = "openstack-api-version", "x-openstack-nova-api-version"
    if re.match(r"/v2\.1(/|$)", path):
        assert headers[new] == f"compute {headers[old]}"
        assert {new, old} <= set(headers["vary"].lower().split(", "))
    else:
        assert not {new, old} & headers.keys()


def check_fault(status: int, document: Any) -> None:
    name = FAULTS.get(status, "computeFault")
    members: dict[str, Any] = {"code": {"const": status}, "message": TEXT}
    if status == 429:
        members["retryAfter"] = {"type": "integer", "minimum": 0}
    fault = exactly(**members)
    Draft202012Validator(exactly(**{name: fault})).validate(document)


def check_success(response: httpx.Response) -> None:
    schema = schema_of(response)
    if schema is None:
        assert response.content == b""
        return
    assert response.headers["content-type"] == "application/json"
    Draft202012Validator(schema, format_checker=CHECKER).validate(response.json())


def schema_of(response: httpx.Response) -> Schema | None:
    request = response.request
    resource = MOUNT.sub("", request.url.path)
    for (method, pattern, status), schema in ANSWERS.items():
        said = (method, status) == (request.method, response.status_code)
        if said and re.fullmatch(pattern, resource):
            return schema
    raise AssertionError(f"{request.method} {resource}: {response.status_code}")
