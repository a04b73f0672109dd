"""A plugin of pytest that keeps the tests in which Postgres itself has a part."""

import pytest

WITHOUT_ITS_PART = {"test_docs.py", "test_negotiation.py", "test_openapi.py"}
"""Files whose tests need a whole application, and little of its database."""

OF_THE_SERVICE = (
    "test_the_readmes_story_on_a_demo",
    "test_data_is_kept_across_orderly_restarts",
    "test_kill_9_of_postgres_under_load_loses_nothing",
    "test_400_requests_cancelled_at_random_moments_leak_no_connection",
)
"""Tests that start a service of their own, with a Postgres of the version."""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Drop the others."""
    kept = [item for item in items if _is_about_postgres(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _is_about_postgres(item: pytest.Item) -> bool:
    if item.name.startswith(OF_THE_SERVICE):
        return True
    fixtures = getattr(item, "fixturenames", ())
    return "postgres" in fixtures and item.path.name not in WITHOUT_ITS_PART
