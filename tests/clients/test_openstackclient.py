"""The last `openstack` command that uses the compute API for floating IPs."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.cloud import POOL, RANGES, TINY, Cloud, Tenant
from tests.clients.venvs import run


@pytest.fixture(scope="module", autouse=True)
def catalog(cloud: Cloud) -> Iterator[None]:
    with cloud.catalog("/v2.1"):
        yield


@pytest.fixture
def joe(cloud: Cloud) -> Tenant:
    return cloud.tenant()


def openstack(tenant: Tenant, *words: str) -> Any:
    """Return what a command answers, which has to succeed."""
    done = run("openstackclient", "openstack", *words, "-f", "json", env=tenant.env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def silent(tenant: Tenant, *words: str) -> None:
    """Give a command that has nothing to say if all is well."""
    done = run("openstackclient", "openstack", *words, env=tenant.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def refused(tenant: Tenant, *words: str) -> str:
    """Return what a command says that has to fail."""
    done = run("openstackclient", "openstack", *words, env=tenant.env)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_the_story_of_a_user(joe: Tenant) -> None:
    web, db = joe.server("web"), joe.server("db")

    pools = openstack(joe, "floating", "ip", "pool", "list")
    made = openstack(joe, "floating", "ip", "create", POOL)
    ip, id = made["ip"], made["id"]

    assert pools == [{"Name": name} for name in sorted(RANGES)]
    assert made == {
        "id": id,
        "ip": ip,
        "fixed_ip": None,
        "instance_id": None,
        "pool": POOL,
    }
    assert openstack(joe, "floating", "ip", "show", id) == made

    silent(joe, "server", "add", "floating", "ip", "web", ip)
    (listed,) = openstack(joe, "floating", "ip", "list")
    assert listed.pop("Fixed IP Address").startswith("10.0.")
    assert listed == {
        "ID": id,
        "Floating IP Address": ip,
        "Server": web,
        "Pool": POOL,
    }
    shown = openstack(joe, "server", "show", "web")
    assert shown["status"] == "ACTIVE"
    assert shown["addresses"]["private"][-1] == ip

    silent(joe, "server", "add", "floating", "ip", db, ip)
    (moved,) = openstack(joe, "floating", "ip", "list")
    assert moved["Server"] == db
    silent(joe, "server", "remove", "floating", "ip", "db", ip)
    (free,) = openstack(joe, "floating", "ip", "list")
    assert free["Server"] is None

    silent(joe, "floating", "ip", "delete", id)
    assert openstack(joe, "floating", "ip", "list") == []
    silent(joe, "server", "delete", "web")
    assert [each["Name"] for each in openstack(joe, "server", "list")] == ["db"]


def test_a_fixed_ip_is_chosen(joe: Tenant) -> None:
    joe.server("web")
    (fixed_ip,) = openstack(joe, "server", "show", "web")["addresses"]["private"]
    ip = joe.floating_ip()["ip"]
    words = ("server", "add", "floating", "ip", "web", ip, "--fixed-ip-address")

    silent(joe, *words, fixed_ip)
    wrong = refused(joe, *words, "192.0.2.1")

    assert wrong.startswith("BadRequestException: 400")
    assert "192.0.2.1" in wrong
    assert openstack(joe, "server", "show", "web")["addresses"] == {
        "private": [fixed_ip, ip]
    }


def test_servers_of_the_draft_are_listed_and_shown(joe: Tenant) -> None:
    joe.drafted_server("old")

    (listed,) = openstack(joe, "server", "list")
    shown = openstack(joe, "server", "show", "old")

    assert listed["Name"] == "old"
    assert shown["flavor"] == "none"


def test_refusals_arrive_as_its_own_exceptions(cloud: Cloud, joe: Tenant) -> None:
    web, theirs = joe.server("web"), cloud.stranger.server("theirs")
    foreign = cloud.stranger.floating_ip()
    own = joe.floating_ip()
    nobody = str(uuid4())
    add = ("server", "add", "floating", "ip")
    remove = ("server", "remove", "floating", "ip")

    for words, says in (
        (("floating", "ip", "create", TINY), f"pool '{TINY}': no address is free"),
        (("floating", "ip", "create", "nowhere"), "there is no such pool"),
        (("floating", "ip", "show", nobody), f"Floating IP '{nobody}'"),
        (("floating", "ip", "show", foreign["id"]), f"Floating IP '{foreign['id']}'"),
        (("floating", "ip", "show", own["ip"]), f"Floating IP '{own['ip']}'"),
        ((*add, web, "192.0.2.1"), "Floating IP '192.0.2.1' was not found"),
        ((*add, web, foreign["ip"]), f"Floating IP '{foreign['ip']}' was not found"),
    ):
        said = refused(joe, *words)
        assert "NotFoundException: 404" in said, words
        assert says in said, words
    undeleted = refused(joe, "floating", "ip", "delete", nobody)
    assert "1 of 1 floating_ips failed to delete" in undeleted
    assert f"Floating IP '{nobody}' was not found" in undeleted
    assert "No Server found" in refused(joe, *add, theirs, own["ip"])
    assert "ConflictException: 409" in refused(joe, *remove, web, own["ip"])
    second = joe.floating_ip()
    silent(joe, *add, web, own["ip"])
    occupied = refused(joe, *add, web, second["ip"])
    assert "BadRequestException: 400" in occupied
    assert "has another floating IP" in occupied
    cloud.limit(joe, 2)
    over_quota = refused(joe, "floating", "ip", "create", POOL)
    assert "ForbiddenException: 403" in over_quota
    assert "may hold 2 floating IPs" in over_quota
