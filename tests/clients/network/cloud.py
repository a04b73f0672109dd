"""A small cloud with a network service: Keystone, the service, its catalog."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.clients.keystone.cloud import REGION, Keystone, Project, User
from tests.service import Service, serving

RANGES = {"public": "203.0.113.0/24", "tiny": "198.51.100.7"}
"""The pools, one with a single address."""

VENV = Path(__file__).parents[3] / ".venv-clients" / "network"
BIN = Path(os.environ.get("CLIENTS", VENV.parent)).absolute() / "network" / "bin"
"""The venv of the clients, which `make test-clients` makes."""

Json = Any


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user of the cloud, in a project that nobody else is in."""

    user: User
    project: Project
    auth_url: str
    http: httpx.Client
    """The service's root, with a token of the user."""

    @property
    def env(self) -> dict[str, str]:
        """What OpenStack's clients read of their environment."""
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": self.user.name,
            "OS_PASSWORD": self.user.password,
            "OS_PROJECT_NAME": self.project.name,
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": REGION,
        }

    def server(self, name: str) -> str:
        """Create a server, and return its id."""
        asked = {"name": name, "imageRef": "cirros", "flavorRef": "1"}
        answer = self.http.post("/v2.1/servers", json={"server": asked})
        assert answer.status_code == 202, answer.text
        server_id: str = answer.json()["server"]["id"]
        return server_id

    def port(self, server_id: str) -> Json:
        """Return the port of a server."""
        listed = self.http.get("/v2.0/ports", params={"device_id": server_id})
        (port,) = listed.json()["ports"]
        return port

    def floatingips(self) -> list[Json]:
        """Return what the project holds, as the service says."""
        listed: list[Json] = self.http.get("/v2.0/floatingips").json()["floatingips"]
        return listed

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the venv to its end, as this user."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME")}
        return subprocess.run(  # noqa: S603
            [str(BIN / program), *arguments],
            env=kept | self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def openstack(self, *arguments: str) -> str:
        """Run the `openstack` command, and return what it prints."""
        done = self.run("openstack", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def openstack_json(self, *arguments: str) -> Json:
        """Run the `openstack` command, and read what it prints as JSON."""
        return json.loads(self.openstack(*arguments, "-f", "json"))

    def openstack_fails(self, *arguments: str) -> str:
        """Run the `openstack` command, and return what it complains of."""
        done = self.run("openstack", *arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def python(self, script: str, *arguments: str) -> Json:
        """Run a script with the clients' libraries; what it prints is JSON."""
        done = self.run("python", "-c", script, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class Cloud:
    """The service with `auth=keystone`, and what is in the catalog."""

    def __init__(self, keystone: Keystone, service: Service, stack: ExitStack) -> None:
        self._stack = stack
        self.keystone = keystone
        self.service = service
        self.admin = self.tenant("admin")
        for pool, ip_range in RANGES.items():
            asked = {"ip_range": ip_range, "pool": pool}
            self.admin.http.post(
                "/os-floating-ips-bulk", json={"floating_ips_bulk_create": asked}
            ).raise_for_status()

    @classmethod
    @contextmanager
    def running(cls, keystone: Keystone, folder: Path) -> Iterator[Self]:
        """Start the service in a folder."""
        user, project = keystone.service_user()
        env = {
            "FLOATING_IPS_AUTH": "keystone",
            "FLOATING_IPS_KEYSTONE_URL": keystone.url,
            "FLOATING_IPS_KEYSTONE_USERNAME": user.name,
            "FLOATING_IPS_KEYSTONE_PASSWORD": user.password,
            "FLOATING_IPS_KEYSTONE_PROJECT_NAME": project.name,
        }
        with serving(folder, **env) as service, ExitStack() as stack:
            yield cls(keystone, service, stack)

    @contextmanager
    def catalog(self, network: str) -> Iterator[None]:
        """Put the service into the catalog: the compute API, and the network API."""
        ids = [
            self.keystone.endpoint(kind, f"{self.service.url}{path}")
            for kind, path in {"compute": "/v2.1", "network": network}.items()
        ]
        try:
            yield
        finally:
            for endpoint_id in ids:
                self.keystone.remove_endpoint(endpoint_id)

    def tenant(self, role: str = "member") -> Tenant:
        """Make a user in a project of its own."""
        project = self.keystone.project(uuid4().hex[:12])
        user = self.keystone.member(uuid4().hex[:12], project, role)
        http = httpx.Client(
            base_url=self.service.url,
            headers={"X-Auth-Token": self.keystone.token(user, project)},
            timeout=20,
        )
        self._stack.enter_context(http)
        return Tenant(user, project, self.keystone.url, http)
