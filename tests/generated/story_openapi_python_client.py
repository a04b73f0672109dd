"""The user story through the client that openapi-python-client makes.

python story_openapi_python_client.py URL PROJECT RANGE
"""

import sys
from http import HTTPStatus
from typing import Any

# Generated a moment ago, so there is nothing that types could be read from.
from floating_ips_client import (  # type: ignore[import-not-found]
    AuthenticatedClient,
    models,
)
from floating_ips_client.api.floating_ips import (  # type: ignore[import-not-found]
    allocate_floating_ip,
    associate_floating_ip,
    disassociate_floating_ip,
    list_floating_ips,
    release_floating_ip,
    show_floating_ip,
)
from floating_ips_client.api.health import (  # type: ignore[import-not-found]
    livez,
    readyz,
)
from floating_ips_client.api.pools import (  # type: ignore[import-not-found]
    create_floating_ips_bulk,
    delete_floating_ips_bulk,
    list_floating_ip_pools,
    list_floating_ips_bulk,
)
from floating_ips_client.api.quotas import (  # type: ignore[import-not-found]
    show_quota_set,
    update_quota_set,
)
from floating_ips_client.api.servers import (  # type: ignore[import-not-found]
    list_servers,
    register_server,
    remove_server,
    show_server,
)

URL, PROJECT, RANGE = sys.argv[1:]


def client_of(user: str) -> Any:
    return AuthenticatedClient(
        base_url=URL,
        token=f"{user}:{PROJECT}",
        prefix="",
        auth_header_name="X-Auth-Token",
        raise_on_unexpected_status=True,
    )


def register(client: Any) -> Any:
    asked = models.RegisterBody(server=models.RegisterServer(name="web"))
    server = register_server.sync(client=client, body=asked).server
    assert show_server.sync(server.id, client=client).server == server
    assert list_servers.sync(client=client).servers == [server]
    return server


def allocate(client: Any) -> Any:
    pools = list_floating_ip_pools.sync(client=client).floating_ip_pools
    assert "public" in [pool.name for pool in pools]
    asked = models.AllocateBody(pool="public")
    answer = allocate_floating_ip.sync_detailed(client=client, body=asked)
    assert answer.headers["etag"]
    floating_ip = answer.parsed.floating_ip
    assert floating_ip.fixed_ip is None
    assert floating_ip.instance_id is None
    return floating_ip


def associate(client: Any, floating_ip: Any, server: Any) -> None:
    fixed_ip = server.addresses.private[0].addr
    address = models.AssociateAddress(fixed_ip=fixed_ip)
    body = models.AssociateBody(associate_address=address)
    done = associate_floating_ip.sync_detailed(floating_ip.id, client=client, body=body)
    assert done.status_code == HTTPStatus.ACCEPTED
    shown = show_floating_ip.sync(floating_ip.id, client=client).floating_ip
    assert (shown.fixed_ip, shown.instance_id) == (fixed_ip, server.id)
    public = show_server.sync(server.id, client=client).server.addresses.public
    assert [each.addr for each in public] == [floating_ip.ip]


def disassociate(client: Any, floating_ip: Any) -> None:
    done = disassociate_floating_ip.sync_detailed(floating_ip.id, client=client)
    assert done.status_code == HTTPStatus.ACCEPTED
    shown = show_floating_ip.sync(floating_ip.id, client=client).floating_ip
    assert shown == floating_ip


def page_through(client: Any, first: Any) -> None:
    second = allocate_floating_ip.sync(client=client).floating_ip
    page = list_floating_ips.sync_detailed(client=client, limit=1)
    assert page.parsed.floating_ips == [first]
    assert 'rel="next"' in page.headers["link"]
    rest = list_floating_ips.sync(client=client, marker=first.id)
    assert rest.floating_ips == [second]
    release_floating_ip.sync_detailed(second.id, client=client)


def be_refused(client: Any, admin: Any, floating_ip: Any) -> None:
    quota = models.QuotaSetBody(quota_set=models.QuotaSetUpdate(floating_ips=1))
    assert update_quota_set.sync(PROJECT, client=admin, body=quota).quota_set.id
    assert show_quota_set.sync(PROJECT, client=client).quota_set.floating_ips == 1
    refused = allocate_floating_ip.sync(client=client)
    assert isinstance(refused, models.ForbiddenFault)
    assert refused.forbidden.code == 403
    address = models.AssociateAddress(fixed_ip="192.0.2.1")
    body = models.AssociateBody(associate_address=address)
    unknown = associate_floating_ip.sync(floating_ip.id, client=client, body=body)
    assert isinstance(unknown, models.ItemNotFoundFault)
    assert "192.0.2.1" in unknown.item_not_found.message


def release(client: Any, floating_ip: Any, server: Any) -> None:
    done = release_floating_ip.sync_detailed(floating_ip.id, client=client)
    assert done.status_code == HTTPStatus.ACCEPTED
    gone = show_floating_ip.sync(floating_ip.id, client=client)
    assert isinstance(gone, models.ItemNotFoundFault)
    assert list_floating_ips.sync(client=client).floating_ips == []
    done = remove_server.sync_detailed(server.id, client=client)
    assert done.status_code == HTTPStatus.ACCEPTED


def operate(admin: Any) -> None:
    asked = models.BulkCreate(ip_range=RANGE, pool=PROJECT)
    body = models.BulkCreateBody(floating_ips_bulk_create=asked)
    created = create_floating_ips_bulk.sync(client=admin, body=body)
    assert created.floating_ips_bulk_create.pool == PROJECT
    infos = list_floating_ips_bulk.sync(client=admin).floating_ip_info
    assert PROJECT in {info.pool for info in infos}
    gone = delete_floating_ips_bulk.sync(
        client=admin, body=models.BulkDeleteBody(ip_range=RANGE)
    )
    assert gone.floating_ips_bulk_delete == RANGE


def tell(client: Any, admin: Any) -> None:
    assert livez.sync(client=client).status == "alive"
    assert readyz.sync(client=client).status == "ready"
    server, floating_ip = register(client), allocate(client)
    associate(client, floating_ip, server)
    disassociate(client, floating_ip)
    page_through(client, floating_ip)
    be_refused(client, admin, floating_ip)
    release(client, floating_ip, server)
    operate(admin)


with client_of("joe") as joe, client_of("admin") as the_admin:
    tell(joe, the_admin)
