from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

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
