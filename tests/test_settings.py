from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from app import serve
from app.main import create_app
from app.settings import Settings

PASSWORD = "p@s:/w%ö d"  # noqa: S105  # an odd one, for a test
FILE = "FLOATING_IPS_DATABASE_PASSWORD_FILE"


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{PASSWORD}\n")
    monkeypatch.setenv(FILE, str(path))
    return path


def test_a_password_from_a_file_is_put_into_the_url(secret: Path) -> None:
    settings = Settings(DATABASE_URL="postgresql://fip@db:5432/fip?ssl=true")

    url = make_url(settings.database_url or "")
    assert (url.username, url.password, url.host) == ("fip", PASSWORD, "db")
    assert url.query == {"ssl": "true"}


@pytest.mark.parametrize("url", ["postgresql://fip:own@db/fip", "postgresql:///fip"])
def test_a_url_with_a_password_or_without_a_user_stays(secret: Path, url: str) -> None:
    assert Settings(DATABASE_URL=url).database_url == url


def test_a_file_that_cannot_be_read_is_said(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILE, f"{secret}-not")

    with pytest.raises(OSError, match=quote("secret-not")):
        Settings(DATABASE_URL="postgresql://fip@db/fip")


def test_the_application_is_not_open_by_accident() -> None:
    with pytest.raises(ValueError, match="FLOATING_IPS_AUTH is not set"):
        create_app(Settings(DATABASE_URL="postgresql://fip@db/fip"))


@pytest.mark.parametrize("url", ["foo", "mysql://x@db/x", "sqlite:///x"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must begin with postgresql://"):
        Settings(DATABASE_URL=url)


def test_null_is_no_default_pool() -> None:
    with pytest.raises(ValidationError, match="must not be null"):
        Settings(default_pool="null")


KEYSTONE = {
    "AUTH": "keystone",
    "KEYSTONE_URL": "https://keystone.example.net:5000/v3",
    "KEYSTONE_USERNAME": "floating-ips",
    "KEYSTONE_PASSWORD": "secret",
    "KEYSTONE_PROJECT_NAME": "service",
}


@pytest.fixture
def keystone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in KEYSTONE.items():
        monkeypatch.setenv(f"FLOATING_IPS_{name}", value)
    return monkeypatch


def test_keystone_takes_five_settings_and_has_defaults_for_the_rest(
    keystone: pytest.MonkeyPatch,
) -> None:
    settings = Settings()

    assert settings.keystone_url == KEYSTONE["KEYSTONE_URL"]
    assert settings.keystone_user_domain_name == "Default"
    assert settings.keystone_project_domain_name == "Default"
    assert (settings.keystone_cache_seconds, settings.keystone_timeout) == (60, 2000)


@pytest.mark.parametrize("missing", [name for name in KEYSTONE if name != "AUTH"])
@pytest.mark.parametrize("empty", [True, False])
def test_keystone_with_something_missing_is_refused(
    keystone: pytest.MonkeyPatch, missing: str, empty: bool
) -> None:
    name = f"FLOATING_IPS_{missing}"
    keystone.setenv(name, "") if empty else keystone.delenv(name)

    with pytest.raises(ValidationError) as refused:
        Settings()

    (problem,) = refused.value.errors()
    assert problem["loc"] == (missing.lower(),)
    assert "must be set where FLOATING_IPS_AUTH is keystone" in problem["msg"]


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("http://127.0.0.1:5000/v3", "http://127.0.0.1:5000/v3"),
        ("http://[::1]:5000/v3/", "http://[::1]:5000/v3"),
        (
            "https://cloud.example.net/identity/v3/",
            "https://cloud.example.net/identity/v3",
        ),
    ],
)
def test_where_keystone_is_may_end_with_a_slash(
    keystone: pytest.MonkeyPatch, url: str, meant: str
) -> None:
    keystone.setenv("FLOATING_IPS_KEYSTONE_URL", url)

    assert Settings().keystone_url == meant


@pytest.mark.parametrize(
    "url",
    [
        "keystone:5000/v3",
        "ftp://keystone/v3",
        "http:///v3",
        "http://keystone",
        "http://keystone/v2.0",
        "http://keystone/v3/auth/tokens",
        "http://keystone/v3?a=b",
        "http://keystone/v3#a",
        "http://user:password@keystone/v3",
        "http://keystone:port/v3",
        "http://keystone:70000/v3",
        "http://[keystone]/v3",
        "http://[::1/v3",
        "http://[1:2]/v3",
        'http://keystone/"/v3',
        "http://key stone/v3",
        "http://keystone/v3\n",
    ],
)
def test_what_is_no_url_of_an_identity_api_is_refused(
    keystone: pytest.MonkeyPatch, url: str
) -> None:
    keystone.setenv("FLOATING_IPS_KEYSTONE_URL", url)

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert refused.value.errors()[0]["loc"] == ("keystone_url",)


def test_the_password_of_the_service_may_come_from_a_file(
    keystone: pytest.MonkeyPatch, secret: Path
) -> None:
    keystone.delenv("FLOATING_IPS_KEYSTONE_PASSWORD")
    keystone.setenv("FLOATING_IPS_KEYSTONE_PASSWORD_FILE", str(secret))

    password = Settings().keystone_password

    assert password is not None
    assert password.get_secret_value() == PASSWORD


def test_a_password_and_its_file_are_one_too_many(
    keystone: pytest.MonkeyPatch, secret: Path
) -> None:
    keystone.setenv("FLOATING_IPS_KEYSTONE_PASSWORD_FILE", str(secret))

    with pytest.raises(ValidationError, match="one of them will do"):
        Settings()


def test_an_empty_file_is_no_password(
    keystone: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("\n")
    keystone.delenv("FLOATING_IPS_KEYSTONE_PASSWORD")
    keystone.setenv("FLOATING_IPS_KEYSTONE_PASSWORD_FILE", str(tmp_path / "empty"))

    with pytest.raises(ValidationError, match="must be set where"):
        Settings()


def test_no_secret_is_shown_by_settings_or_their_refusal(
    keystone: pytest.MonkeyPatch,
) -> None:
    shown = repr(Settings())
    keystone.setenv("FLOATING_IPS_KEYSTONE_URL", "http://user:hunter2@keystone/v3")

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert "secret" not in shown
    assert "hunter2" not in str(refused.value)


def test_with_keystone_the_service_may_listen_anywhere(
    keystone: pytest.MonkeyPatch,
) -> None:
    serve.check_exposure(Settings(), "0.0.0.0")  # noqa: S104


@pytest.mark.parametrize("auth", ["noauth", None])
def test_without_keystone_it_may_not(auth: str | None) -> None:
    settings = Settings.model_validate({"auth": auth})

    with pytest.raises(serve.CannotServe, match="loopback"):
        serve.check_exposure(settings, "0.0.0.0")  # noqa: S104
