"""A plugin of pytest that keeps the tests in which Postgres itself has a part."""

import pytest

ITS_PART = {
    "test_allocation.py",
    "test_association.py",
    "test_attributes.py",
    "test_batch.py",
    "test_check.py",
    "test_claiming.py",
    "test_compare_and_set.py",
    "test_fleets.py",
    "test_history.py",
    "test_history_api.py",
    "test_holds.py",
    "test_idempotency.py",
    "test_migrations.py",
    "test_network_floatingips.py",
    "test_peers_bugs.py",
    "test_quarantine.py",
    "test_quota_shares.py",
    "test_races.py",
    "test_servers.py",
}
"""Files about what the ledger's statements, locks and constraints do."""

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
    return "postgres" in fixtures and item.path.name in ITS_PART
