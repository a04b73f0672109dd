"""One stack for all tests: building and starting it takes most of the time."""

import os
from collections.abc import Iterator

import pytest

from tests.containers.stack import Stack, running


@pytest.fixture(scope="session")
def new_stack() -> Iterator[Stack]:
    """The stack before its first start."""
    if os.geteuid() != 0:
        pytest.fail("A Docker engine of our own needs root.")
    with running() as stack:
        yield stack


@pytest.fixture(scope="session")
def seconds_to_start(new_stack: Stack) -> float:
    return new_stack.up()


@pytest.fixture
def stack(new_stack: Stack, seconds_to_start: float) -> Stack:
    """The stack, up and healthy."""
    new_stack.wait_for_health("healthy", 30)
    return new_stack
