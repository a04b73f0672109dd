"""Random requests against a model of the ledger; `make fuzz` does it for longer."""

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from app.settings import Settings
from tests.machine.rules import machine_over

ALWAYS_THE_SAME = hypothesis_settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    # What depends on who comes first cannot be shrunk.
    phases=[Phase.generate],
)


@pytest.mark.timeout(300)
def test_the_ledger_is_what_its_model_says(settings: Settings) -> None:
    with machine_over(settings) as machine:
        run_state_machine_as_test(machine, settings=ALWAYS_THE_SAME)
