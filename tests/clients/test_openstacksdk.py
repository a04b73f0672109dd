"""openstacksdk, and a catalog without `network`; stories run in a venv of its own."""

import pytest

from tests.clients.cloud import Cloud
from tests.clients.venvs import tell


@pytest.mark.parametrize(
    "url",
    [
        "/v2.1",
        "/v2.1/",
        "/v2.1/$(project_id)s",
        "/v2/$(project_id)s",
        "",
        "/v1.1/$(project_id)s",
    ],
)
def test_the_story_of_a_user_by_whatever_url_is_in_the_catalog(
    cloud: Cloud, url: str
) -> None:
    joe = cloud.tenant()
    web, db = joe.server("web"), joe.server("db")
    joe.drafted_server("old")

    with cloud.catalog(url):
        tell("openstacksdk", "user", web, db, env=joe.env)


def test_refusals_arrive_as_its_own_exceptions(cloud: Cloud) -> None:
    joe = cloud.tenant()
    web, theirs = joe.server("web"), cloud.stranger.server("theirs")
    foreign = cloud.stranger.floating_ip()

    with cloud.catalog("/v2.1"):
        arguments = (web, theirs, foreign["id"], foreign["ip"])
        tell("openstacksdk", "refusals", *arguments, env=joe.env)
        cloud.limit(joe, 2)
        tell("openstacksdk", "quota", env=joe.env)
