"""Today's clients on the network face, with a real Keystone and its catalog.

Source: CONTRACT 3 and 5; the issue of the network face.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.keystone.cloud import Keystone
from tests.clients.network.cloud import Cloud, Tenant

ROOTS = ("/networking", "")
"""What a catalog may have as the network endpoint: clients add the version."""


@pytest.fixture(scope="module")
def cloud(keystone: Keystone, folder: Path) -> Iterator[Cloud]:
    with Cloud.running(keystone, folder / "network-cloud") as cloud:
        yield cloud


@pytest.fixture(params=ROOTS)
def catalog(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[str]:
    with cloud.catalog(request.param):
        yield request.param


@pytest.fixture
def joe(cloud: Cloud, catalog: str) -> Tenant:
    return cloud.tenant()


def test_openstack_creates_describes_tags_and_deletes(joe: Tenant) -> None:
    web = joe.server("web")
    port = joe.port(web)

    made = joe.openstack_json(
        *("floating", "ip", "create", "public", "--port", port["id"]),
        *("--fixed-ip-address", port["fixed_ips"][0]["ip_address"]),
        *("--floating-ip-address", "203.0.113.77"),
        *("--description", "the shop", "--tag", "blue"),
    )
    listed = joe.openstack_json("floating", "ip", "list", "--long")
    shown = joe.openstack_json("floating", "ip", "show", "203.0.113.77")
    joe.openstack("floating", "ip", "unset", "--port", "203.0.113.77")
    unset = joe.openstack_json("floating", "ip", "show", made["id"])
    joe.openstack(
        *("floating", "ip", "set", "--port", port["id"]),
        *("--description", "the other shop", "--tag", "red", made["id"]),
    )
    again = joe.openstack_json("floating", "ip", "show", made["id"])
    joe.openstack("floating", "ip", "unset", "--all-tag", made["id"])
    untagged = joe.openstack_json("floating", "ip", "show", made["id"])
    joe.openstack("floating", "ip", "delete", "203.0.113.77")

    assert made["floating_ip_address"] == "203.0.113.77"
    assert made["description"] == "the shop"
    assert (made["status"], made["port_id"]) == ("ACTIVE", port["id"])
    assert [(each["ID"], each["Port"]) for each in listed] == [(made["id"], port["id"])]
    assert shown["id"] == made["id"]
    assert shown["tags"] == ["blue"]
    assert (unset["status"], unset["port_id"]) == ("DOWN", None)
    assert again["port_id"] == port["id"]
    assert again["description"] == "the other shop"
    assert again["tags"] == ["blue", "red"]
    assert untagged["tags"] == []
    assert joe.floatingips() == []


def test_openstack_lists_by_every_filter_of_its_own(joe: Tenant) -> None:
    web = joe.server("web")
    port = joe.port(web)
    one = joe.openstack_json(
        "floating", "ip", "create", "public", "--port", port["id"], "--tag", "a"
    )
    two = joe.openstack_json("floating", "ip", "create", "public")

    def listed(*options: str) -> list[str]:
        rows = joe.openstack_json("floating", "ip", "list", *options)
        return [row["ID"] for row in rows]

    assert listed() == [one["id"], two["id"]]
    assert listed("--port", port["id"]) == [one["id"]]
    assert listed("--status", "DOWN") == [two["id"]]
    assert listed("--network", "public") == [one["id"], two["id"]]
    assert listed("--network", "tiny") == []
    assert listed("--floating-ip-address", two["floating_ip_address"]) == [two["id"]]
    fixed_ip = port["fixed_ips"][0]["ip_address"]
    assert listed("--fixed-ip-address", fixed_ip) == [one["id"]]
    assert listed("--tags", "a") == [one["id"]]
    assert listed("--any-tags", "a,b") == [one["id"]]
    table = joe.openstack("floating", "ip", "list")
    assert two["floating_ip_address"] in table
    assert re.search(r"\+-+\+", table)


def test_openstack_puts_a_floating_ip_on_a_server_and_takes_it_off(
    joe: Tenant,
) -> None:
    web = joe.server("web")
    made = joe.openstack_json("floating", "ip", "create", "public")
    address = made["floating_ip_address"]

    joe.openstack("server", "add", "floating", "ip", "web", address)
    (added,) = joe.floatingips()
    joe.openstack("server", "remove", "floating", "ip", "web", address)
    (removed,) = joe.floatingips()

    assert added["port_details"]["device_id"] == web
    assert removed["port_id"] is None


def test_openstack_lists_networks_and_ports(joe: Tenant) -> None:
    web = joe.server("web")

    external = joe.openstack_json("network", "list", "--external")
    whole = joe.openstack_json("network", "list")
    shown = joe.openstack_json("network", "show", "public")
    subnets = joe.openstack_json("subnet", "list")
    ports = joe.openstack_json("port", "list", "--server", web)
    pools = joe.openstack("extension", "list", "--network")

    assert [each["Name"] for each in external] == ["public", "tiny"]
    assert [each["Name"] for each in whole] == ["private", "public", "tiny"]
    assert shown["router:external"] is True
    assert {each["Name"] for each in subnets} == {"private", "public", "tiny"}
    assert [each["ID"] for each in ports] == [joe.port(web)["id"]]
    assert "floatingip-pools" in pools


def test_openstack_says_what_was_wrong(joe: Tenant) -> None:
    tiny = joe.openstack_fails("floating", "ip", "create", "lost")
    unknown = joe.openstack_fails("floating", "ip", "show", "203.0.113.250")
    quota = joe.openstack_json("quota", "show", "--network", joe.project.id)
    elsewhere = joe.openstack_fails(
        "floating", "ip", "create", "public", "--floating-ip-address", "192.0.2.1"
    )

    assert "lost" in tiny
    assert "203.0.113.250" in unknown
    assert {"Resource": "floating_ips", "Limit": 10} in quota or any(
        10 in row.values() for row in quota
    )
    assert "address '192.0.2.1': is in no such pool." in elsewhere


SDK = """
import json, sys
import openstack
from openstack import exceptions
connection = openstack.connect(load_yaml_config=False)
network = connection.network
server, port = sys.argv[1:]
public = network.find_network("public")
made = network.create_ip(floating_network_id=public.id, port_id=port, description="x")
others = [network.create_ip(floating_network_id=public.id) for _ in range(4)]
said = {"created": made.status}
said["paged"] = len(list(network.ips(limit=2)))
said["found"] = network.find_ip(made.floating_ip_address).id == made.id
said["filtered"] = [ip.id for ip in network.ips(port_id=port)] == [made.id]
network.set_tags(made, ["a", "b"])
said["tags"] = network.get_ip(made.id).tags
said["tagged"] = len(list(network.ips(tags="a")))
network.update_ip(made, port_id=None)
said["off"] = network.get_ip(made.id).status
network.update_ip(made, port_id=port)
said["details"] = network.get_ip(made.id).port_details["device_id"] == server
try:
    network.update_ip(others[0], port_id=port)
except exceptions.ConflictException as refusal:
    said["conflict"] = refusal.message
try:
    network.update_ip(made, if_revision=99, description="y")
except exceptions.PreconditionFailedException as refusal:
    said["stale"] = refusal.message
for ip in [made, *others]:
    network.delete_ip(ip)
said["left"] = len(list(network.ips()))
said["lost"] = network.find_ip(made.id)
said["networks"] = [n.name for n in network.networks(is_router_external=True)]
said["subnets"] = sorted(s.name for s in network.subnets())
said["ports"] = [p.id for p in network.ports(device_id=server)] == [port]
print(json.dumps(said))
"""


def test_openstacksdk_uses_the_network_proxy(joe: Tenant) -> None:
    web = joe.server("web")
    port = joe.port(web)["id"]

    said = joe.python(SDK, web, port)

    conflict, stale = said.pop("conflict"), said.pop("stale")
    assert "has another floating IP" in conflict
    assert "If-Match" in stale
    assert said == {
        "created": "ACTIVE",
        "paged": 5,
        "found": True,
        "filtered": True,
        "tags": ["a", "b"],
        "tagged": 1,
        "off": "DOWN",
        "details": True,
        "left": 0,
        "lost": None,
        "networks": ["public", "tiny"],
        "subnets": ["private", "public", "tiny"],
        "ports": True,
    }


CLOUD_LAYER = """
import json, sys
import openstack
connection = openstack.connect(load_yaml_config=False)
server = connection.get_server(sys.argv[1])
said = {"pools": sorted(p["name"] for p in connection.get_external_networks())}
made = connection.create_floating_ip(network="public")
said["created"] = made.status
said["listed"] = [ip.id for ip in connection.list_floating_ips()] == [made.id]
said["got"] = connection.get_floating_ip(made.id).floating_ip_address
said["searched"] = len(connection.search_floating_ips(filters={"attached": False}))
said["available"] = connection.available_floating_ip(network="public").id == made.id
connection.add_ip_list(server, [made.floating_ip_address], wait=True, timeout=20)
said["attached"] = connection.get_floating_ip(made.id).port_details["device_id"]
said["detached"] = connection.detach_ip_from_server(server.id, made.id)
said["deleted"] = connection.delete_floating_ip(made.id)
auto = connection.add_auto_ip(server, wait=True, timeout=20)
said["auto"] = auto in [ip.floating_ip_address for ip in connection.list_floating_ips()]
for ip in connection.list_floating_ips():
    connection.delete_floating_ip(ip.id)
said["left"] = len(connection.list_floating_ips())
said["again"] = connection.delete_floating_ip(made.id)
print(json.dumps(said))
"""


def test_openstacksdk_uses_its_cloud_layer_as_it_comes(joe: Tenant) -> None:
    web = joe.server("web")

    said = joe.python(CLOUD_LAYER, web)

    assert said.pop("got").startswith("203.0.113.")
    assert said == {
        "pools": ["public", "tiny"],
        "created": "DOWN",
        "listed": True,
        "searched": 1,
        "available": True,
        "attached": web,
        "detached": True,
        "deleted": True,
        "auto": True,
        "left": 0,
        "again": False,
    }


LIBCLOUD = """
import json, os, sys
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider
env = os.environ
driver = get_driver(Provider.OPENSTACK)(
    env["OS_USERNAME"], env["OS_PASSWORD"],
    ex_force_auth_url=env["OS_AUTH_URL"], ex_force_auth_version="3.x_password",
    ex_tenant_name=env["OS_PROJECT_NAME"], ex_domain_name="Default",
    ex_force_service_region=env["OS_REGION_NAME"],
)
said = {"pools": sorted(p.name for p in driver.ex_list_floating_ip_pools())}
(pool,) = [p for p in driver.ex_list_floating_ip_pools() if p.name == "public"]
made = pool.create_floating_ip()
said["listed"] = [ip.id for ip in pool.list_floating_ips()] == [made.id]
said["all"] = [ip.id for ip in driver.ex_list_floating_ips()] == [made.id]
said["got"] = driver.ex_get_floating_ip(made.ip_address).id == made.id
(node,) = driver.list_nodes()
said["attached"] = driver.ex_attach_floating_ip_to_node(node, made)
said["node"] = driver.ex_get_floating_ip(made.ip_address).node_id == node.id
said["detached"] = driver.ex_detach_floating_ip_from_node(node, made)
said["deleted"] = made.delete()
said["left"] = len(pool.list_floating_ips())
said["networks"] = sorted(n.name for n in driver.ex_list_networks())
print(json.dumps(said))
"""


def test_libcloud_with_the_api_version_it_comes_with(joe: Tenant) -> None:
    joe.server("web")

    said = joe.python(LIBCLOUD)

    assert said == {
        "pools": ["public", "tiny"],
        "listed": True,
        "all": True,
        "got": True,
        "attached": True,
        "node": True,
        "detached": True,
        "deleted": True,
        "left": 0,
        "networks": ["private", "public", "tiny"],
    }


KEYSTONEAUTH = """
import json, sys
import openstack
session = openstack.connect(load_yaml_config=False).session
said = {}
for kind, version in (("network", "2"), ("compute", "2.1")):
    said[kind] = session.get_endpoint_data(
        service_type=kind, region_name="RegionOne", interface="public",
        min_version=version, max_version="2.latest", discover_versions=True,
    ).url
print(json.dumps(said))
"""


@pytest.mark.parametrize("path", ["/networking", "/networking/", "/v2.0", "/v2.0/"])
def test_keystoneauth_finds_the_version_of_each_api(cloud: Cloud, path: str) -> None:
    with cloud.catalog(path):
        said = cloud.tenant().python(KEYSTONEAUTH)

    root = "/networking" if "networking" in path else ""
    assert said["network"].rstrip("/") == f"{cloud.service.url}{root}/v2.0"
    assert said["compute"].rstrip("/") == f"{cloud.service.url}/v2.1"
