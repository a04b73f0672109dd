"""A real Keystone with all that a cloud needs: projects, users, roles, a catalog.

with Keystone.running(folder) as keystone:
    project = keystone.project("demo")
    joe = keystone.user("joe")
    keystone.grant(joe, project, "member")
    token = keystone.token(joe, project)
"""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.clients.keystone.process import PASSWORD, PATIENCE, Process

REGION = "RegionOne"
DOMAIN = "default"
"""The id of the domain whose name is `Default`."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Project:
    """A project of the default domain."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """A user of the default domain, with the password of the day."""

    id: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class Credential:
    """An application credential: what a user hands to a program."""

    id: str
    secret: str


class Keystone:
    """Its admin's view, over HTTP; `process` can be frozen, killed and started."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._http = httpx.Client(
            base_url=self.url, timeout=PATIENCE, auth=_Admin(f"{self.url}/auth/tokens")
        )
        self._roles: dict[str, str] = {}

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *, expiration: int = 3600) -> Iterator[Self]:
        """Start one of its own in a folder; its tokens last `expiration` seconds."""
        process = Process(folder, expiration=expiration)
        process.prepare()
        try:
            process.start()
            keystone = cls(process)
            with closing(keystone._http):
                yield keystone
        finally:
            if process.runs:
                process.kill()

    @property
    def url(self) -> str:
        """What clients call OS_AUTH_URL."""
        return f"{self.process.root}/v3"

    # Things of a cloud.

    def project(self, name: str) -> Project:
        """Create a project."""
        made = self._create("project", {"name": name, "domain_id": DOMAIN})
        return Project(made["id"], name)

    def user(self, name: str) -> User:
        """Create a user, with a password that is nobody else's."""
        password = uuid4().hex
        asked = {"name": name, "domain_id": DOMAIN, "password": password}
        return User(self._create("user", asked)["id"], name, password)

    def role(self, name: str) -> str:
        """Return the id of a role, which is created if there is none of that name."""
        if not self._roles:
            listed = self._http.get("/roles").raise_for_status().json()["roles"]
            self._roles = {role["name"]: role["id"] for role in listed}
        if name not in self._roles:
            self._roles[name] = self._create("role", {"name": name})["id"]
        return self._roles[name]

    def grant(self, user: User, project: Project, *roles: str) -> None:
        """Give a user roles in a project."""
        for role in roles:
            self._on_role("PUT", f"projects/{project.id}", user, role)

    def take_back(self, user: User, project: Project, role: str) -> None:
        """Take a role in a project from a user."""
        self._on_role("DELETE", f"projects/{project.id}", user, role)

    def grant_on_domain(self, user: User, role: str) -> None:
        """Give a user a role in the default domain."""
        self._on_role("PUT", f"domains/{DOMAIN}", user, role)

    def _on_role(self, method: str, target: str, user: User, role: str) -> None:
        path = f"/{target}/users/{user.id}/roles/{self.role(role)}"
        self._http.request(method, path).raise_for_status()

    def member(self, name: str, project: Project, *roles: str) -> User:
        """Create a user with roles in a project; `member` if none is named."""
        user = self.user(name)
        self.grant(user, project, *(roles or ("member",)))
        return user

    def settings(self, user: User, project: Project) -> dict[str, str]:
        """Return the environment that lets the service use this Keystone."""
        return {
            "FLOATING_IPS_AUTH": "keystone",
            "FLOATING_IPS_KEYSTONE_URL": self.url,
            "FLOATING_IPS_KEYSTONE_USERNAME": user.name,
            "FLOATING_IPS_KEYSTONE_PASSWORD": user.password,
            "FLOATING_IPS_KEYSTONE_PROJECT_NAME": project.name,
        }

    def service_user(self) -> tuple[User, Project]:
        """Create a user who may validate tokens, in a project of its own."""
        project = self.project(f"service-{uuid4().hex[:8]}")
        return self.member(f"floating-ips-{project.name}", project, "service"), project

    def change_password(self, user: User) -> User:
        """Change a user's password, which revokes all of their tokens."""
        changed = User(user.id, user.name, uuid4().hex)
        self._change(user, {"password": changed.password})
        return changed

    def disable(self, user: User) -> None:
        """Disable a user, which revokes all of their tokens."""
        self._change(user, {"enabled": False})

    def enable(self, user: User) -> None:
        """Let a user log in again."""
        self._change(user, {"enabled": True})

    def _change(self, user: User, asked: Json) -> None:
        self._http.patch(f"/users/{user.id}", json={"user": asked}).raise_for_status()

    def endpoint(self, kind: str, url: str, name: str | None = None) -> str:
        """Put a service into the catalog, and return the endpoint's id.

        `url` is as catalogs have it: `$(project_id)s` stands for the project.
        """
        service = self._create("service", {"type": kind, "name": name or kind})
        if not self._http.get(f"/regions/{REGION}").is_success:
            self._create("region", {"id": REGION})
        asked = {
            "service_id": service["id"],
            "interface": "public",
            "region_id": REGION,
            "url": url,
        }
        made: str = self._create("endpoint", asked)["id"]
        return made

    def remove_endpoint(self, endpoint_id: str) -> None:
        """Take an endpoint out of the catalog, with its service, which would stay."""
        endpoint: Json = self._http.get(f"/endpoints/{endpoint_id}").json()["endpoint"]
        service_id = endpoint["service_id"]
        self._http.delete(f"/services/{service_id}").raise_for_status()

    def _create(self, kind: str, asked: Json) -> Json:
        answer = self._http.post(f"/{kind}s", json={kind: asked})
        assert answer.is_success, (answer.status_code, answer.text)
        made: Json = answer.json()[kind]
        return made

    # Tokens.

    def token(self, user: User, project: Project) -> str:
        """Issue a token of a user, scoped to a project."""
        return self._issue(user, {"project": {"id": project.id}})

    def tokens(self, user: User, project: Project, count: int) -> list[str]:
        """Issue so many tokens of a user in a project within a moment."""
        return self.process.mint(user.id, project.id, str(count))

    def unscoped(self, user: User) -> str:
        """Issue a token that proves who, and no more."""
        return self._issue(user, "unscoped")

    def on_domain(self, user: User) -> str:
        """Issue a token scoped to the default domain."""
        return self._issue(user, {"domain": {"id": DOMAIN}})

    def on_system(self) -> str:
        """Issue a token of the admin scoped to the system."""
        return self._issue(_ADMIN, {"system": {"all": True}})

    def credential(
        self,
        user: User,
        project: Project,
        *,
        seconds: float = 3600,
        rules: list[Json] | None = None,
    ) -> Credential:
        """Create an application credential; its tokens end when it does."""
        expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
        asked: Json = {
            "name": uuid4().hex,
            "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        }
        if rules is not None:
            asked["access_rules"] = rules
        answer = self._http.post(
            f"/users/{user.id}/application_credentials",
            json={"application_credential": asked},
            headers={"X-Auth-Token": self.token(user, project)},
        )
        assert answer.is_success, (answer.status_code, answer.text)
        made = answer.json()["application_credential"]
        return Credential(made["id"], made["secret"])

    def token_of(self, credential: Credential) -> str:
        """Issue a token of an application credential."""
        asked = {"id": credential.id, "secret": credential.secret}
        return self._post_auth(
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": asked,
                }
            }
        )

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        headers = {"X-Subject-Token": token}
        self._http.delete("/auth/tokens", headers=headers).raise_for_status()

    def describe(self, token: str) -> httpx.Response:
        """Ask Keystone itself about a token."""
        return self._http.get("/auth/tokens", headers={"X-Subject-Token": token})

    def _issue(self, user: User, scope: Json | str) -> str:
        return self._post_auth(_by_password(user, scope))

    def _post_auth(self, auth: Json) -> str:
        answer = self._http.post("/auth/tokens", json={"auth": auth}, auth=_NOBODY)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.headers["X-Subject-Token"]


_ADMIN = User("", "admin", PASSWORD)
_NOBODY = httpx.Auth()


def _by_password(user: User, scope: Json | str) -> Json:
    who = {"name": user.name, "domain": {"id": DOMAIN}, "password": user.password}
    identity = {"methods": ["password"], "password": {"user": who}}
    return {"identity": identity, "scope": scope}


class _Admin(httpx.Auth):
    """The admin's token, renewed when Keystone refuses it."""

    def __init__(self, url: str) -> None:
        scope = {"project": {"name": "admin", "domain": {"id": DOMAIN}}}
        auth = {"auth": _by_password(_ADMIN, scope)}
        self._log_in = httpx.Request("POST", url, json=auth)
        self._token = ""

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        if "X-Auth-Token" in request.headers:
            yield request
            return
        request.headers["X-Auth-Token"] = self._token
        answer = yield request
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            answer = yield self._log_in
            self._token = answer.headers["X-Subject-Token"]
            request.headers["X-Auth-Token"] = self._token
            yield request
