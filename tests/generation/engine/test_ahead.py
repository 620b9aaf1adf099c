"""Items made ahead in a thread: in order, bounded, and never a thread or an error left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from generation.engine.channel import ahead


def counted(made: list[int], most: int, *, fails_at: int = -1) -> Iterator[int]:
    try:
        for number in range(most):
            if number == fails_at:
                raise ValueError("broken")
            made.append(number)
            yield number
    finally:
        made.append(-1)  # it was closed


def test_all_items_come_in_order() -> None:
    assert list(ahead(counted([], 50), size=3)) == list(range(50))
    assert list(ahead(iter(()))) == []


def test_no_more_is_made_than_may_wait() -> None:
    made: list[int] = []
    with closing(ahead(counted(made, 50), size=3)) as items:
        assert next(items) == 0
        threading.Event().wait(0.1)
        assert len(made) <= 5


def test_what_goes_wrong_is_raised_where_it_is_taken() -> None:
    items = ahead(counted([], 50, fails_at=7))

    with pytest.raises(ValueError, match="broken"):
        list(items)


def test_leaving_early_stops_the_thread_and_closes_the_source() -> None:
    made: list[int] = []
    before = threading.active_count()

    for number in ahead(counted(made, 10_000), size=2):
        if number == 5:
            break

    assert threading.active_count() == before
    assert made[-1] == -1
    assert len(made) < 20
