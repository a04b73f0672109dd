"""Apache Libcloud with `api_version` 1.1; the stories run in a venv of its own."""

from collections.abc import Iterator

import pytest

from tests.clients.cloud import Cloud
from tests.clients.venvs import tell


@pytest.fixture(scope="module", params=["/v2.1", "/v2/$(project_id)s"], autouse=True)
def catalog(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[None]:
    with cloud.catalog(request.param):
        yield


def test_the_story_of_a_user(cloud: Cloud) -> None:
    joe = cloud.tenant()
    joe.server("web")
    joe.server("db")
    joe.drafted_server("old")

    tell("libcloud", "user", env=joe.env)


def test_refusals_arrive_as_its_own_exceptions(cloud: Cloud) -> None:
    joe = cloud.tenant()
    joe.server("web")
    foreign = cloud.stranger.floating_ip()

    tell("libcloud", "refusals", foreign["id"], foreign["ip"], env=joe.env)
    cloud.limit(joe, 2)
    tell("libcloud", "quota", env=joe.env)
