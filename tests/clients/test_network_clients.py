"""Today's clients on the network face, with a real Keystone and its catalog.

Source: CONTRACT 3 and 5; the issue of the network face.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.cloud import Cloud, Tenant
from tests.clients.venvs import HERE, run, tell

ROOT = "/networking"


@pytest.fixture
def catalog(cloud: Cloud) -> Iterator[None]:
    with cloud.catalog("/v2.1", ROOT):
        yield


@pytest.fixture
def joe(cloud: Cloud, catalog: None) -> Tenant:
    return cloud.tenant()


def silent(tenant: Tenant, *words: str) -> str:
    """Give a command that has to succeed, and return what it prints."""
    done = run("network", "openstack", *words, env=tenant.env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def openstack(tenant: Tenant, *words: str) -> Any:
    """Return what a command answers, which has to succeed."""
    return json.loads(silent(tenant, *words, "-f", "json"))


def refused(tenant: Tenant, *words: str) -> str:
    """Return what a command says that has to fail."""
    done = run("network", "openstack", *words, env=tenant.env)
    assert done.returncode == 1, done.stdout
    return done.stderr


def floatingips(tenant: Tenant) -> Any:
    return tenant.ask("GET", "/v2.0/floatingips")["floatingips"]


def port_of(tenant: Tenant, server_id: str) -> Any:
    (port,) = tenant.ask("GET", f"/v2.0/ports?device_id={server_id}")["ports"]
    return port


@pytest.mark.timeout(600)
def test_openstack_creates_describes_tags_and_deletes(joe: Tenant) -> None:
    port = port_of(joe, joe.server("web"))

    made = openstack(
        joe,
        *("floating", "ip", "create", "public", "--port", port["id"]),
        *("--fixed-ip-address", port["fixed_ips"][0]["ip_address"]),
        *("--floating-ip-address", "203.0.113.77"),
        *("--description", "the shop", "--tag", "blue"),
    )
    silent(joe, "floating", "ip", "unset", "--port", "203.0.113.77")
    unset = openstack(joe, "floating", "ip", "show", made["id"])
    silent(
        joe,
        *("floating", "ip", "set", "--port", port["id"]),
        *("--description", "the other shop", "--tag", "red", made["id"]),
    )
    again = openstack(joe, "floating", "ip", "show", "203.0.113.77")
    silent(joe, "floating", "ip", "unset", "--all-tag", made["id"])
    (untagged,) = floatingips(joe)
    silent(joe, "floating", "ip", "delete", "203.0.113.77")

    assert made["floating_ip_address"] == "203.0.113.77"
    assert made["description"] == "the shop"
    assert made["tags"] == ["blue"]
    assert (made["status"], made["port_id"]) == ("ACTIVE", port["id"])
    assert (unset["status"], unset["port_id"]) == ("DOWN", None)
    assert again["port_id"] == port["id"]
    assert again["description"] == "the other shop"
    assert again["tags"] == ["blue", "red"]
    assert untagged["tags"] == []
    assert floatingips(joe) == []


@pytest.mark.timeout(600)
def test_openstack_lists_by_every_filter_of_its_own(joe: Tenant) -> None:
    port = port_of(joe, joe.server("web"))
    one = openstack(
        joe, "floating", "ip", "create", "public", "--port", port["id"], "--tag", "a"
    )
    two = openstack(joe, "floating", "ip", "create", "public")

    def listed(*options: str) -> list[str]:
        rows = openstack(joe, "floating", "ip", "list", *options)
        return [row["ID"] for row in rows]

    assert listed() == [one["id"], two["id"]]
    assert listed("--port", port["id"], "--status", "ACTIVE") == [one["id"]]
    assert listed("--network", "public", "--status", "DOWN") == [two["id"]]
    assert listed("--network", "tiny") == []
    assert listed("--floating-ip-address", two["floating_ip_address"]) == [two["id"]]
    fixed_ip = port["fixed_ips"][0]["ip_address"]
    assert listed("--fixed-ip-address", fixed_ip) == [one["id"]]
    assert listed("--tags", "a", "--any-tags", "a,b") == [one["id"]]
    table = silent(joe, "floating", "ip", "list", "--long")
    assert two["floating_ip_address"] in table
    assert re.search(r"\+-+\+", table)


@pytest.mark.timeout(600)
def test_openstack_puts_a_floating_ip_on_a_server_and_takes_it_off(
    joe: Tenant,
) -> None:
    web = joe.server("web")
    address = joe.floating_ip()["ip"]

    silent(joe, "server", "add", "floating", "ip", "web", address)
    (added,) = floatingips(joe)
    silent(joe, "server", "remove", "floating", "ip", "web", address)
    (removed,) = floatingips(joe)

    assert added["port_details"]["device_id"] == web
    assert removed["port_id"] is None


@pytest.mark.timeout(600)
def test_openstack_lists_networks_and_ports(joe: Tenant) -> None:
    web = joe.server("web")

    external = openstack(joe, "network", "list", "--external")
    shown = openstack(joe, "network", "show", "public")
    ports = openstack(joe, "port", "list", "--server", web)
    extensions = openstack(joe, "extension", "list", "--network")
    quota = openstack(joe, "quota", "show", "--network", joe.project.id)

    assert [each["Name"] for each in external] == ["public", "tiny"]
    assert shown["router:external"] is True
    assert [each["ID"] for each in ports] == [port_of(joe, web)["id"]]
    assert "floatingip-pools" in {each["Alias"] for each in extensions}
    assert {"Resource": "floating_ips", "Limit": 10} in quota


@pytest.mark.timeout(600)
def test_openstack_says_what_was_wrong(joe: Tenant) -> None:
    lost = refused(joe, "floating", "ip", "create", "lost")
    unknown = refused(joe, "floating", "ip", "show", str(uuid4()))
    elsewhere = refused(
        joe, "floating", "ip", "create", "public", "--floating-ip-address", "192.0.2.1"
    )
    empty = refused(joe, "floating", "ip", "create", "tiny")

    assert "lost" in lost
    assert "No FloatingIP found" in unknown
    assert "address '192.0.2.1': is in no such pool." in elsewhere
    assert "pool 'tiny': no address is free." in empty


@pytest.mark.timeout(600)
def test_openstacksdk_uses_the_network_proxy(joe: Tenant) -> None:
    web = joe.server("web")

    tell("network", "proxy", web, port_of(joe, web)["id"], env=joe.env)


@pytest.mark.timeout(600)
def test_openstacksdk_uses_its_cloud_layer_as_it_comes(joe: Tenant) -> None:
    joe.server("web")

    tell("network", "cloud_layer", "web", env=joe.env)


@pytest.mark.timeout(600)
def test_libcloud_with_neutrons_api_version(joe: Tenant) -> None:
    joe.server("web")

    story = HERE / "libcloud" / "network_story.py"
    done = run("libcloud", "python", story, env=joe.env)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_bare_root_will_do_for_who_looks_for_no_version(cloud: Cloud) -> None:
    with cloud.catalog("/v2.1", ""):
        joe = cloud.tenant()
        web = joe.server("web")

        tell("network", "proxy", web, port_of(joe, web)["id"], env=joe.env)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/", "/v2.0", "/v2.0/"])
def test_keystoneauth_finds_the_version_of_each_api(cloud: Cloud, path: str) -> None:
    url = cloud.service.url
    root = f"{url}{ROOT}" if path.startswith(ROOT) else url

    with cloud.catalog("/v2.1", path):
        wanted = f"{root}/v2.0", f"{url}/v2.1"
        tell("network", "endpoints", *wanted, env=cloud.tenant().env)
