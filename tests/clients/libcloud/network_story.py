"""The story of a user through Apache Libcloud with `api_version` 2.2, Neutron's API."""

import os

from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

ENV = os.environ
driver = get_driver(Provider.OPENSTACK)(
    ENV["OS_USERNAME"],
    ENV["OS_PASSWORD"],
    ex_force_auth_url=ENV["OS_AUTH_URL"].removesuffix("/v3"),
    ex_force_auth_version="3.x_password",
    ex_tenant_name=ENV["OS_PROJECT_NAME"],
    ex_domain_name="Default",
    ex_force_service_region=ENV["OS_REGION_NAME"],
    api_version="2.2",
)


def main() -> None:
    """Allocate, attach, detach and release."""
    pools = {pool.name: pool for pool in driver.ex_list_floating_ip_pools()}
    assert set(pools) == {"public", "tiny"}
    pool = pools["public"]
    made = pool.create_floating_ip()
    assert [ip.id for ip in pool.list_floating_ips()] == [made.id]
    assert [ip.id for ip in driver.ex_list_floating_ips()] == [made.id]
    assert driver.ex_get_floating_ip(made.ip_address).id == made.id

    (node,) = driver.list_nodes()
    assert driver.ex_attach_floating_ip_to_node(node, made)
    attached = driver.ex_get_floating_ip(made.ip_address)
    assert attached.get_node_id() == node.id
    assert attached.get_pool().name == "public"
    assert driver.ex_detach_floating_ip_from_node(node, made)
    assert made.delete()
    assert pool.list_floating_ips() == []
    networks = sorted(each.name for each in driver.ex_list_networks())
    assert networks == ["private", "public", "tiny"]


if __name__ == "__main__":
    main()
