"""One real Keystone for all; `make test-clients` makes its venv."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.cloud import Cloud
from tests.clients.keystone.cloud import Keystone


@pytest.fixture(scope="session")
def keystone(folder: Path) -> Iterator[Keystone]:
    with Keystone.running(folder / "keystone") as keystone:
        yield keystone


@pytest.fixture(scope="session")
def cloud(keystone: Keystone, folder: Path) -> Iterator[Cloud]:
    with Cloud.running(keystone, folder / "cloud") as cloud:
        yield cloud
