"""Stories of a user through Apache Libcloud with `api_version` 1.1, Nova's API.

python story.py user
python story.py refusals FOREIGN_ID FOREIGN_IP
python story.py quota
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from libcloud.common.exceptions import (
    BaseHTTPError,
)
from libcloud.compute.drivers.openstack import (
    OpenStack_1_1_FloatingIpAddress,
)
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
    ex_force_service_type="compute",
    ex_force_service_name="compute",
    api_version="1.1",
)


def node(name: str) -> Any:
    (found,) = [each for each in driver.list_nodes() if each.name == name]
    return found


def user() -> None:
    pools = driver.ex_list_floating_ip_pools()
    assert [pool.name for pool in pools] == ["public", "tiny"]
    assert {each.name for each in driver.list_nodes()} == {"web", "db", "old"}
    anywhere = driver.ex_create_floating_ip()
    made = driver.ex_create_floating_ip("public")
    also = pools[0].create_floating_ip()
    listed = {each.id for each in driver.ex_list_floating_ips()}
    assert listed == {anywhere.id, made.id, also.id}

    assert driver.ex_attach_floating_ip_to_node(node("web"), made)
    assert node("web").public_ips == [made.ip_address]
    (private,) = node("web").private_ips
    assert private.startswith("10.0.")
    assert driver.ex_get_floating_ip(made.ip_address).node_id == node("web").id
    assert driver.ex_attach_floating_ip_to_node(node("db"), made)
    assert (node("web").public_ips, node("db").public_ips) == ([], [made.ip_address])
    assert driver.ex_detach_floating_ip_from_node(node("db"), made)
    assert node("db").public_ips == []

    for floating_ip in (anywhere, made, also):
        assert driver.ex_delete_floating_ip(floating_ip)
    assert driver.ex_list_floating_ips() == []
    assert driver.ex_get_floating_ip(made.ip_address) is None
    assert driver.destroy_node(node("old"))
    assert {each.name for each in driver.list_nodes()} == {"web", "db"}


def raised_by(work: Callable[[], object]) -> Any:
    try:
        answer = work()
    except BaseHTTPError as error:
        return error
    raise AssertionError(f"not refused: {answer}")


def refused(status: int, work: Callable[[], object], says: str) -> None:
    error = raised_by(work)
    assert error.code == status, error
    assert says in error.message, error


def refusals(foreign_id: str, foreign_ip: str) -> None:
    web, own = node("web"), driver.ex_create_floating_ip()
    attach = driver.ex_attach_floating_ip_to_node
    detach = driver.ex_detach_floating_ip_from_node
    refused(404, lambda: driver.ex_create_floating_ip("tiny"), "no address is free")
    refused(404, lambda: driver.ex_create_floating_ip("nowhere"), "no such pool")
    for address in ("192.0.2.1", foreign_ip):
        says = f"Floating IP '{address}' was not found"
        refused(404, lambda: attach(web, address), says)  # noqa: B023
        refused(404, lambda: detach(web, address), says)  # noqa: B023
    foreign = OpenStack_1_1_FloatingIpAddress(
        foreign_id, foreign_ip, None, driver=driver
    )
    refused(404, lambda: driver.ex_delete_floating_ip(foreign), foreign_id)
    refused(409, lambda: detach(web, own), "is not associated with server")
    attach(web, own)
    second = driver.ex_create_floating_ip()
    refused(400, lambda: attach(web, second), "has another floating IP")


def quota() -> None:
    refused(403, driver.ex_create_floating_ip, "may hold 2 floating IPs")


STORIES: dict[str, Callable[..., None]] = {
    "user": user,
    "refusals": refusals,
    "quota": quota,
}
STORIES[sys.argv[1]](*sys.argv[2:])
