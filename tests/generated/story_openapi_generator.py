"""The user story through the Python client that openapi-generator makes.

python story_openapi_generator.py URL PROJECT RANGE
"""

import sys
from collections.abc import Callable
from typing import Any

import floating_ips_sdk as sdk  # type: ignore[import-not-found]  # just generated

URL, PROJECT, RANGE = sys.argv[1:]


class Client:
    """One caller, and the classes of all operations."""

    def __init__(self, user: str) -> None:
        configuration = sdk.Configuration(
            host=URL, api_key={"token": f"{user}:{PROJECT}"}
        )
        api = sdk.ApiClient(configuration)
        self.floating_ips = sdk.FloatingIpsApi(api)
        self.servers = sdk.ServersApi(api)
        self.pools = sdk.PoolsApi(api)
        self.quotas = sdk.QuotasApi(api)
        self.health = sdk.HealthApi(api)


def refusal(operation: Callable[..., Any], *arguments: object, **headers: str) -> Any:
    """Call an operation that is refused, and return how."""
    try:
        operation(*arguments, **headers)
    except sdk.ApiException as refused:
        return refused
    raise AssertionError("it was not refused")


def register(client: Client) -> Any:
    asked = sdk.RegisterBody(server=sdk.RegisterServer(name="web"))
    server = client.servers.register_server(asked).server
    assert client.servers.show_server(server.id).server == server
    assert client.servers.list_servers().servers == [server]
    return server


def allocate(client: Client) -> Any:
    pools = client.pools.list_floating_ip_pools().floating_ip_pools
    assert "public" in [pool.name for pool in pools]
    answer, again = (
        client.floating_ips.allocate_floating_ip_with_http_info(
            idempotency_key="first", allocate_body=sdk.AllocateBody(pool="public")
        )
        for _ in range(2)
    )
    assert answer.headers["etag"] == again.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.data == answer.data
    floating_ip = answer.data.floating_ip
    assert floating_ip.fixed_ip is None
    assert floating_ip.instance_id is None
    return floating_ip


def associate(client: Client, floating_ip: Any, server: Any) -> None:
    fixed_ip = server.addresses.private[0].addr
    address = sdk.AssociateAddress(fixed_ip=fixed_ip)
    body = sdk.AssociateBody(associate_address=address)
    client.floating_ips.associate_floating_ip(floating_ip.id, body)
    shown = client.floating_ips.show_floating_ip(floating_ip.id).floating_ip
    assert (shown.fixed_ip, shown.instance_id) == (fixed_ip, server.id)
    public = client.servers.show_server(server.id).server.addresses.public
    assert [each.addr for each in public] == [floating_ip.ip]


def disassociate(client: Client, floating_ip: Any) -> None:
    stale = refusal(
        client.floating_ips.disassociate_floating_ip, floating_ip.id, if_match='"1"'
    )
    assert stale.data.compute_fault.code == 412
    client.floating_ips.disassociate_floating_ip(floating_ip.id, if_match='"2"')
    shown = client.floating_ips.show_floating_ip(floating_ip.id)
    assert shown.floating_ip == floating_ip


def page_through(client: Client, first: Any) -> None:
    second = client.floating_ips.allocate_floating_ip().floating_ip
    page = client.floating_ips.list_floating_ips_with_http_info(limit=1)
    assert page.data.floating_ips == [first]
    assert 'rel="next"' in page.headers["link"]
    rest = client.floating_ips.list_floating_ips(marker=first.id)
    assert rest.floating_ips == [second]
    client.floating_ips.release_floating_ip(second.id)


def be_refused(client: Client, admin: Client, floating_ip: Any) -> None:
    quota = sdk.QuotaSetBody(quota_set=sdk.QuotaSetUpdate(floating_ips=1))
    assert admin.quotas.update_quota_set(PROJECT, quota).quota_set.floating_ips == 1
    assert client.quotas.show_quota_set(PROJECT).quota_set.floating_ips == 1
    refused = refusal(client.floating_ips.allocate_floating_ip)
    assert refused.data.forbidden.code == 403
    address = sdk.AssociateAddress(fixed_ip="192.0.2.1")
    body = sdk.AssociateBody(associate_address=address)
    unknown = refusal(client.floating_ips.associate_floating_ip, floating_ip.id, body)
    assert "192.0.2.1" in unknown.data.item_not_found.message


def release(client: Client, floating_ip: Any, server: Any) -> None:
    client.floating_ips.release_floating_ip(floating_ip.id)
    assert client.floating_ips.list_floating_ips().floating_ips == []
    gone = refusal(client.floating_ips.show_floating_ip, floating_ip.id)
    assert gone.data.item_not_found.code == 404
    client.servers.remove_server(server.id)
    assert client.servers.list_servers().servers == []


def operate(admin: Client) -> None:
    asked = sdk.BulkCreate(ip_range=RANGE, pool=PROJECT)
    body = sdk.BulkCreateBody(floating_ips_bulk_create=asked)
    created = admin.pools.create_floating_ips_bulk(body)
    assert created.floating_ips_bulk_create.pool == PROJECT
    infos = admin.pools.list_floating_ips_bulk().floating_ip_info
    assert PROJECT in {info.pool for info in infos}
    gone = admin.pools.delete_floating_ips_bulk(sdk.BulkDeleteBody(ip_range=RANGE))
    assert gone.floating_ips_bulk_delete == RANGE


def tell() -> None:
    client, admin = Client("joe"), Client("admin")
    assert client.health.livez().status == "alive"
    assert client.health.readyz().status == "ready"
    server, floating_ip = register(client), allocate(client)
    associate(client, floating_ip, server)
    disassociate(client, floating_ip)
    page_through(client, floating_ip)
    be_refused(client, admin, floating_ip)
    release(client, floating_ip, server)
    operate(admin)


tell()
