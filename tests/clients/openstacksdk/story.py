"""Stories of a user through openstacksdk, whose cloud is in the environment.

python story.py user SERVER OTHER_SERVER
python story.py refusals SERVER FOREIGN_SERVER FOREIGN_ID FOREIGN_IP
python story.py quota
"""

import sys
from collections.abc import Callable
from uuid import uuid4

import openstack
from openstack import exceptions

cloud = openstack.connect()
assert not cloud.has_service("network")


def floating(server_id: str) -> list[str]:
    """The floating IPs of a server, as its addresses tell them."""
    return [
        each["addr"]
        for each in cloud.get_server(server_id).addresses["private"]
        if each["OS-EXT-IPS:type"] == "floating"
    ]


def user(web: str, db: str) -> None:
    assert [pool["name"] for pool in cloud.list_floating_ip_pools()] == [
        "public",
        "tiny",
    ]
    anywhere = cloud.create_floating_ip()
    made = cloud.create_floating_ip("public")
    ip = made["floating_ip_address"]
    assert not made["attached"]
    listed = {each["id"] for each in cloud.list_floating_ips()}
    assert listed == {anywhere["id"], made["id"]}

    cloud.add_ip_list(cloud.get_server(web), [ip], wait=True, timeout=30)
    server = cloud.get_server(web)
    assert server.public_v4 == ip
    attached = cloud.get_floating_ip(made["id"])
    assert attached["attached"]
    assert attached["fixed_ip_address"] == server.private_v4
    assert cloud.available_floating_ip()["id"] == anywhere["id"]
    cloud.detach_ip_from_server(web, made["id"])
    assert floating(web) == []

    fixed_ip = cloud.get_server(web).private_v4
    cloud.compute.add_floating_ip_to_server(web, ip, fixed_address=fixed_ip)
    assert floating(web) == [ip]
    cloud.compute.add_floating_ip_to_server(db, ip)
    assert (floating(web), floating(db)) == ([], [ip])
    cloud.compute.remove_floating_ip_from_server(db, ip)
    assert floating(db) == []

    assert cloud.delete_floating_ip(made["id"])
    assert not cloud.delete_floating_ip(made["id"])
    assert cloud.get_floating_ip(made["id"]) is None
    assert cloud.delete_floating_ip(anywhere["id"])
    assert cloud.list_floating_ips() == []
    servers(web, db)


def servers(web: str, db: str) -> None:
    made = cloud.compute.create_server(name="more", image_id="i", flavor_id="f")
    made = cloud.compute.wait_for_server(made, wait=30)
    assert made.status == "ACTIVE"
    assert made.addresses["private"]
    ids = {made.id, web, db}
    for found in (cloud.compute.servers(), cloud.compute.servers(limit=1)):
        assert ids <= {each.id for each in found}
    assert cloud.compute.find_server("more").id == made.id
    (port,) = cloud.compute.server_interfaces(made)
    assert port.fixed_ips[0]["ip_address"] == made.addresses["private"][0]["addr"]
    cloud.compute.delete_server(made)
    cloud.compute.wait_for_delete(made, wait=30)
    refused(exceptions.NotFoundException, lambda: cloud.compute.get_server(made.id))


def raised_by(work: Callable[[], object]) -> Exception:
    try:
        answer = work()
    except exceptions.SDKException as error:
        refusal: Exception = error
        return refusal
    raise AssertionError(f"not refused: {answer}")


def refused(kind: type[Exception], work: Callable[[], object], says: str = "") -> None:
    error = raised_by(work)
    assert type(error) is kind, error
    assert says in str(error), error


def refusals(web: str, theirs: str, foreign_id: str, foreign_ip: str) -> None:
    add = cloud.compute.add_floating_ip_to_server
    remove = cloud.compute.remove_floating_ip_from_server
    not_found = exceptions.NotFoundException
    own = cloud.create_floating_ip()["floating_ip_address"]
    refused(
        not_found,
        lambda: cloud.create_floating_ip("tiny"),
        "pool 'tiny': no address is free",
    )
    refused(not_found, lambda: cloud.create_floating_ip("nowhere"), "no such pool")
    for address in ("192.0.2.1", foreign_ip):
        refused(not_found, lambda: add(web, address), f"Floating IP '{address}'")  # noqa: B023
        refused(not_found, lambda: remove(web, address), f"Floating IP '{address}'")  # noqa: B023
    for server in (str(uuid4()), theirs):
        refused(not_found, lambda: add(server, own), f"Server '{server}'")  # noqa: B023
        refused(not_found, lambda: cloud.compute.get_server(server))  # noqa: B023
    assert not cloud.delete_floating_ip(foreign_id)
    assert cloud.get_floating_ip(foreign_id) is None
    refused(exceptions.BadRequestException, lambda: add(web, ""), "address ''")
    refused(exceptions.ConflictException, lambda: remove(web, own), "not associated")
    add(web, own)
    second = cloud.create_floating_ip()["floating_ip_address"]
    refused(
        exceptions.BadRequestException,
        lambda: add(web, second),
        "has another floating IP",
    )


def quota() -> None:
    refused(
        exceptions.ForbiddenException, cloud.create_floating_ip, "may hold 2 floating"
    )


STORIES: dict[str, Callable[..., None]] = {
    "user": user,
    "refusals": refusals,
    "quota": quota,
}
STORIES[sys.argv[1]](*sys.argv[2:])
