"""Other requests each time, by the seed that pytest is given."""

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from app.settings import Settings
from tests.machine.rules import machine_over

OTHERS_EACH_TIME = hypothesis_settings(
    max_examples=20,
    stateful_step_count=50,
    deadline=None,
    database=None,
    phases=[Phase.generate],
)


@pytest.mark.timeout(900)
def test_the_ledger_is_what_its_model_says(settings: Settings) -> None:
    with machine_over(settings) as machine:
        run_state_machine_as_test(machine, settings=OTHERS_EACH_TIME)
