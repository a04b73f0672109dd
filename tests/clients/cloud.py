"""A small cloud: the real Keystone, the service behind it, and its projects.

with Cloud.running(keystone, folder) as cloud, cloud.catalog("/v2.1"):
    joe = cloud.tenant()
    server = joe.server("web")
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.clients.keystone.cloud import REGION, Keystone, Project, User
from tests.service import Service, serving

POOL, TINY = "public", "tiny"
"""A pool with room, and one whose only address is taken."""

RANGES = {POOL: "203.0.113.0/24", TINY: "198.51.100.7"}


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user of the cloud, in a project that nobody else is in."""

    user: User
    project: Project
    auth_url: str
    service_url: str
    token: str

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

    def ask(self, method: str, path: str, document: object = None) -> Any:
        """Send a request that has to succeed, and return what it answers."""
        answer = httpx.request(
            method,
            f"{self.service_url}{path}",
            json=document,
            headers={"X-Auth-Token": self.token},
            timeout=20,
        )
        assert answer.is_success, answer.text
        return answer.json()

    def server(self, name: str) -> str:
        """Create a server as the least of clients does, and return its id."""
        asked = {"name": name, "imageRef": "cirros", "flavorRef": "1"}
        made = self.ask("POST", "/v2.1/servers", {"server": asked})
        server_id: str = made["server"]["id"]
        return server_id

    def drafted_server(self, name: str) -> None:
        """Register a server by the draft, without all that Nova's clients know."""
        self.ask("POST", "/servers", {"server": {"name": name}})

    def floating_ip(self, pool: str = POOL) -> dict[str, Any]:
        """Allocate a floating IP."""
        made = self.ask("POST", "/v2.1/os-floating-ips", {"pool": pool})
        floating_ip: dict[str, Any] = made["floating_ip"]
        return floating_ip


class Cloud:
    """The service with `auth=keystone`, its pools, and what is in the catalog."""

    def __init__(self, keystone: Keystone, service: Service) -> None:
        self.keystone = keystone
        self.service = service
        self.admin = self.tenant("admin")
        for pool, ip_range in RANGES.items():
            asked = {"floating_ips_bulk_create": {"ip_range": ip_range, "pool": pool}}
            self.admin.ask("POST", "/v2.1/os-floating-ips-bulk", asked)
        self.stranger = self.tenant()
        self.stranger.floating_ip(TINY)

    @classmethod
    @contextmanager
    def running(cls, keystone: Keystone, folder: Path) -> Iterator[Self]:
        """Start the service in a folder."""
        env = keystone.settings(*keystone.service_user())
        with serving(folder, **env) as service:
            yield cls(keystone, service)

    @contextmanager
    def catalog(self, path: str, network: str | None = None) -> Iterator[None]:
        """Put the service into the catalog as the compute API, and nothing else.

        With a path for the network API, this and Keystone are there as well.
        """
        compute = f"{self.service.url}{path}"
        if network is None:
            ids = [self.keystone.endpoint("compute", compute)]
        else:
            ids = [
                self.keystone.endpoint("compute", compute, "nova"),
                self.keystone.endpoint(
                    "network", f"{self.service.url}{network}", "neutron"
                ),
                self.keystone.endpoint("identity", self.keystone.url, "keystone"),
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
        token = self.keystone.token(user, project)
        return Tenant(user, project, self.keystone.url, self.service.url, token)

    def limit(self, tenant: Tenant, floating_ips: int) -> None:
        """Let a project hold so many floating IPs."""
        asked = {"quota_set": {"floating_ips": floating_ips}}
        self.admin.ask("PUT", f"/v2.1/os-quota-sets/{tenant.project.id}", asked)
