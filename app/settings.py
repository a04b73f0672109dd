"""What an operator can set, with units and bounds.

Every name here is an environment variable with the prefix FLOATING_IPS_, but for
DATABASE_URL. Settings are read where the process starts and handed down from there.
"""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

POOL_NAME = r"^[A-Za-z0-9._-]{1,64}$"
"""What the name of a pool looks like; `null`, which XML needs, is no name."""

KEYSTONE_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d+)?(/[\w.~-]+)*/v3", re.ASCII
)

DATABASE_SCHEMES = ("postgresql", "postgres")


def is_pool_name(text: str) -> bool:
    """Tell whether a pool may have this name."""
    return re.fullmatch(POOL_NAME, text) is not None and text != "null"


class Settings(BaseSettings):
    """Read once, where the process starts, and handed down from there."""

    model_config = SettingsConfigDict(
        env_prefix="FLOATING_IPS_",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    database_password_file: Path | None = Field(
        default=None,
        description="File with the password for DATABASE_URL, if that has none.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="Postgres to use; without it `serve` starts one of its own.",
    )
    database_pool_size: int = Field(
        default=16, ge=1, le=200, description="Connections per worker."
    )
    pg_bindir: Path | None = Field(
        default=None, description="Folder with `postgres` and `initdb` to embed."
    )
    auth: Literal["noauth", "keystone"] | None = Field(
        default=None,
        description="How callers are known, `noauth` or `keystone`; must be chosen "
        "where DATABASE_URL is set.",
    )
    allow_insecure: bool = Field(
        default=False, description="Let `noauth` listen beyond the loopback address."
    )
    keystone_url: str | None = Field(
        default=None,
        validate_default=True,
        description="Where the Identity API is: http(s)://…/v3.",
    )
    keystone_username: str | None = Field(
        default=None,
        validate_default=True,
        description="The service's own user; its role `service` or `admin` lets it "
        "look at tokens.",
    )
    keystone_password_file: Path | None = Field(
        default=None, description="File with the password of that user."
    )
    keystone_password: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="The password itself, if it is in no file.",
    )
    keystone_project_name: str | None = Field(
        default=None,
        validate_default=True,
        description="The project that the service's user acts in.",
    )
    keystone_user_domain_name: str = Field(
        default="Default", min_length=1, description="The domain of that user."
    )
    keystone_project_domain_name: str = Field(
        default="Default", min_length=1, description="The domain of that project."
    )
    keystone_cache_seconds: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="How long a token is believed without asking Keystone again; a "
        "revoked one is refused after that.",
    )
    keystone_timeout: int = Field(
        default=2_000,
        ge=100,
        le=60_000,
        description="Milliseconds that Keystone may take for an answer.",
    )
    default_pool: str = Field(
        default="public",
        pattern=POOL_NAME,
        description="The pool that is meant where a request names none.",
    )
    default_quota: int = Field(
        default=10,
        ge=-1,
        le=2**31 - 1,
        description="Floating IPs of a project without a quota of its own; "
        "-1 is no limit.",
    )
    auto_associate: bool = Field(
        default=False,
        description="Give each new server a floating IP of the default pool at once.",
    )
    fixed_range: IPv4Network | IPv6Network = Field(
        default=IPv4Network("10.0.0.0/16"),
        description="Where a member's servers get their fixed IPs.",
    )
    sweep_interval: int = Field(
        default=5,
        ge=1,
        le=3600,
        description="Seconds between looks for what is due: quarantines and holds that "
        "are over, and answers too old to keep.",
    )
    lock_timeout: int = Field(
        default=2_000, ge=1, le=60_000, description="Milliseconds to wait for a row."
    )
    request_timeout: int = Field(
        default=2_500,
        ge=100,
        le=60_000,
        description="Milliseconds that a request may spend on the database.",
    )
    concurrency: int = Field(
        default=2048,
        ge=1,
        le=100_000,
        description="Requests under way at once, of each worker; further ones are "
        "refused with 503.",
    )
    project_concurrency: int = Field(
        default=1024,
        ge=1,
        le=100_000,
        description="The same of one project, with 429.",
    )
    allocation_rate: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Floating IPs that one project may allocate in a minute, of each "
        "worker; without it, there is no limit.",
    )
    client_timeout: int = Field(
        default=10_000,
        ge=100,
        le=600_000,
        description="Milliseconds that a client may take to send a request whole, and "
        "to take more of an answer.",
    )
    trust_proxy: bool = Field(
        default=False,
        description="Make links of X-Forwarded-Proto, -Host and -Prefix; only behind a "
        "proxy that sets them.",
    )
    metrics_from: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        description="The networks, with commas between them, whose clients may read "
        "/metrics.",
    )
    drain: int = Field(
        default=0,
        ge=0,
        le=60,
        description="Seconds to go on serving, while /readyz refuses, once told to "
        "stop; for balancers. Of one worker, not of several.",
    )
    idempotency_retention: int = Field(
        default=24,
        ge=1,
        le=8_760,
        description="Hours that an answer is kept for its Idempotency-Key, at least.",
    )
    history_retention: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days that an interval of history is kept after its end; without "
        "it, for ever.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is logged."
    )

    @field_validator("database_url")
    @classmethod
    def _with_password(cls, url: str | None, info: ValidationInfo) -> str | None:
        """Add the password to the URL: a secret file keeps it out of the environment.

        Raises ValueError, OSError.
        """
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in DATABASE_SCHEMES:
            raise ValueError("must begin with postgresql://")
        file: Path | None = info.data.get("database_password_file")
        if file is None:
            return url
        user, _, hosts = parts.netloc.rpartition("@")
        if not user or ":" in user:
            return url
        password = quote(file.read_text().strip("\r\n"), safe="")
        return parts._replace(netloc=f"{user}:{password}@{hosts}").geturl()

    @field_validator("metrics_from", mode="before")
    @classmethod
    def _networks(cls, given: object) -> object:
        """Divide a text at its commas."""
        if not isinstance(given, str):
            return given
        return [part.strip() for part in given.split(",")]

    @field_validator("keystone_url")
    @classmethod
    def _an_identity_api(cls, url: str | None) -> str | None:
        """Return the URL without a slash at its end.

        Raises ValueError.
        """
        if url is None:
            return None
        url = url.rstrip("/")
        if not KEYSTONE_URL.fullmatch(url) or urlsplit(url).port == 0:
            raise ValueError("must be http(s)://…/v3, with no user, query or fragment")
        return url

    @field_validator("keystone_password")
    @classmethod
    def _one_password(
        cls, password: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        """Read the password out of its file, if it is there.

        Raises ValueError, OSError.
        """
        file: Path | None = info.data.get("keystone_password_file")
        if file is None:
            return password
        if password is not None:
            raise ValueError("is set, and so is its file: one of them will do")
        return SecretStr(file.read_text().strip("\r\n")) or None

    @field_validator(
        "keystone_url",
        "keystone_username",
        "keystone_password",
        "keystone_project_name",
    )
    @classmethod
    def _complete(
        cls, value: str | SecretStr | None, info: ValidationInfo
    ) -> str | SecretStr | None:
        """Ask for all that Keystone takes, if it is chosen.

        Raises ValueError.
        """
        if info.data.get("auth") == "keystone" and not value:
            raise ValueError("must be set where FLOATING_IPS_AUTH is keystone")
        return value

    @field_validator("default_pool")
    @classmethod
    def _a_pools_name(cls, name: str) -> str:
        if not is_pool_name(name):
            raise ValueError("must not be null")
        return name
