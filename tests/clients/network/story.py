"""Stories of a user through openstacksdk as it comes, with a network service.

python story.py proxy SERVER PORT
python story.py cloud_layer SERVER
python story.py endpoints NETWORK_URL COMPUTE_URL
"""

import sys
from collections.abc import Callable

import openstack
from openstack import exceptions

connection = openstack.connect(load_yaml_config=False)
network = connection.network


def proxy(server: str, port: str) -> None:
    """Create, list, find, tag, update and delete, as `connection.network` does."""
    public = network.find_network("public")
    made = network.create_ip(
        floating_network_id=public.id, port_id=port, description="the shop"
    )
    others = [network.create_ip(floating_network_id=public.id) for _ in range(4)]
    assert made.status == "ACTIVE"
    assert made.port_details["device_id"] == server
    assert len(list(network.ips(limit=2))) == 5
    assert network.find_ip(made.floating_ip_address).id == made.id
    assert [ip.id for ip in network.ips(port_id=port)] == [made.id]

    network.set_tags(made, ["a", "b"])
    assert network.get_ip(made.id).tags == ["a", "b"]
    assert [ip.id for ip in network.ips(tags="a")] == [made.id]

    network.update_ip(made.id, port_id=None)
    assert network.get_ip(made.id).status == "DOWN"
    network.update_ip(made.id, port_id=port)
    assert network.get_ip(made.id).status == "ACTIVE"
    occupied = refusal(
        exceptions.ConflictException,
        lambda: network.update_ip(others[0].id, port_id=port),
    )
    assert "has another floating IP" in occupied
    stale = refusal(
        exceptions.PreconditionFailedException,
        lambda: network.update_ip(made.id, if_revision=99, description="x"),
    )
    assert "If-Match" in stale

    for ip in [made, *others]:
        network.delete_ip(ip.id)
    assert list(network.ips()) == []
    assert network.find_ip(made.id) is None
    external = [each.name for each in network.networks(is_router_external=True)]
    assert external == ["public", "tiny"]
    assert sorted(each.name for each in network.subnets()) == [
        "private",
        "public",
        "tiny",
    ]
    assert [each.id for each in network.ports(device_id=server)] == [port]


def refusal(kind: type[Exception], change: Callable[[], object]) -> str:
    """Return what a change is refused with."""
    try:
        change()
    except kind as refused:
        return str(refused)
    raise AssertionError("it was changed")


def cloud_layer(name: str) -> None:
    """Do the same as `connection` itself does, with its default configuration."""
    server = connection.get_server(name)
    pools = {each["name"] for each in connection.get_external_networks()}
    assert pools == {"public", "tiny"}

    made = connection.create_floating_ip(network="public")
    assert [ip.id for ip in connection.list_floating_ips()] == [made.id]
    address = connection.get_floating_ip(made.id).floating_ip_address
    assert connection.available_floating_ip(network="public").id == made.id
    connection.add_ip_list(server, [address], wait=True, timeout=60)
    attached = connection.get_floating_ip(made.id)
    assert attached.port_details["device_id"] == server.id
    assert connection.detach_ip_from_server(server.id, made.id)
    assert connection.delete_floating_ip(made.id)
    assert not connection.delete_floating_ip(made.id)

    connection.add_auto_ip(server, wait=True, timeout=60)
    (auto,) = connection.list_floating_ips()
    assert auto.port_details["device_id"] == server.id
    connection.delete_floating_ip(auto.id)
    assert connection.list_floating_ips() == []


def endpoints(network_url: str, compute_url: str) -> None:
    """Look for the versions of each API, as keystoneauth does if it is asked to."""
    for kind, wanted in (("network", network_url), ("compute", compute_url)):
        found = connection.session.get_endpoint_data(
            service_type=kind,
            region_name=connection.config.region_name,
            interface="public",
            min_version="2",
            max_version="2.latest",
            discover_versions=True,
        )
        assert found.url.rstrip("/") == wanted, (kind, found.url)


STORIES: dict[str, Callable[..., None]] = {
    "proxy": proxy,
    "cloud_layer": cloud_layer,
    "endpoints": endpoints,
}

if __name__ == "__main__":
    STORIES[sys.argv[1]](*sys.argv[2:])
