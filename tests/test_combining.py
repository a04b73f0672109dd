"""The order of those that go together, and what neighbours have of each other."""

import asyncio
from collections.abc import Sequence

import pytest
from asyncpg import IntegrityConstraintViolationError
from hypothesis import given
from hypothesis import strategies as st

from app.combining import MOST, Combiner
from app.errors import Busy, DatabaseUnavailable

PATIENCE = 60.0


class Recorder:
    """Runs that wait for a sign, and know what they were asked for."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, asked: Sequence[int]) -> list[int | None]:
        self.runs.append(list(asked))
        self.has_begun.set()
        await self.may_end.wait()
        return [each if each % 7 else None for each in asked]


async def in_time(combiner: Combiner[int, int], asked: int) -> asyncio.Task[int | None]:
    task = asyncio.create_task(combiner(asked))
    await asyncio.sleep(0)
    return task


async def test_one_that_comes_alone_goes_at_once() -> None:
    recorder = Recorder()
    recorder.may_end.set()

    assert await Combiner(recorder, PATIENCE)(1) == 1
    assert recorder.runs == [[1]]


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=3 * MOST))
def test_those_that_come_meanwhile_go_next_in_their_order(asked: list[int]) -> None:
    async def run() -> None:
        recorder = Recorder()
        combiner: Combiner[int, int] = Combiner(recorder, PATIENCE)
        tasks = [await in_time(combiner, each) for each in asked]
        await recorder.has_begun.wait()
        recorder.may_end.set()

        given = await asyncio.gather(*tasks)

        assert given == [each if each % 7 else None for each in asked]
        assert [each for run in recorder.runs for each in run] == asked
        assert all(len(run) <= MOST for run in recorder.runs)
        assert len(recorder.runs) <= 1 + -(-len(asked) // MOST)

    asyncio.run(run())


async def test_who_stops_waiting_before_its_turn_is_left_out() -> None:
    recorder = Recorder()
    combiner: Combiner[int, int] = Combiner(recorder, PATIENCE)
    first = await in_time(combiner, 1)
    await recorder.has_begun.wait()
    waiting = [await in_time(combiner, each) for each in (2, 3, 4)]

    waiting[1].cancel()
    first.cancel()
    await asyncio.sleep(0)
    recorder.may_end.set()

    assert await waiting[0] == 2
    assert await waiting[2] == 4
    assert recorder.runs == [[1], [2, 4]]


async def test_whose_turn_does_not_come_in_time_is_told_so() -> None:
    recorder = Recorder()
    combiner: Combiner[int, int] = Combiner(recorder, 0.05)
    first = await in_time(combiner, 1)
    await recorder.has_begun.wait()
    late = await in_time(combiner, 2)

    await asyncio.sleep(0.1)
    recorder.may_end.set()

    assert await first == 1
    with pytest.raises(Busy):
        await late
    assert recorder.runs == [[1]]


@pytest.mark.parametrize("error", [Busy(), IntegrityConstraintViolationError()])
async def test_what_was_left_undone_is_left_to_each_alone(error: Exception) -> None:
    async def fail(_: Sequence[int]) -> list[int | None]:
        raise error

    combiner: Combiner[int, int] = Combiner(fail, PATIENCE)

    assert await asyncio.gather(*map(combiner, range(5))) == [None] * 5


async def test_what_may_have_been_done_is_not_done_again() -> None:
    runs = 0

    async def fail(asked: Sequence[int]) -> list[int | None]:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise DatabaseUnavailable
        return list(asked)

    combiner: Combiner[int, int] = Combiner(fail, PATIENCE)
    lost = await asyncio.gather(*map(combiner, range(5)), return_exceptions=True)

    assert [type(each) for each in lost] == [DatabaseUnavailable] * 5
    assert await combiner(6) == 6
