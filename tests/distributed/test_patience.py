"""Waiting ends when all is done, when nothing moves, and when nobody is left."""

import pytest

from keras_trainkit.distributed import patience
from keras_trainkit.distributed.patience import wait_patiently


@pytest.fixture
def clock(monkeypatch):
    """A clock that each look moves on by a second."""
    now = [0.0]
    monkeypatch.setattr(patience.time, "monotonic", lambda: now[0])
    return now


def looks(clock, counts):
    rest = iter(counts)

    def look():
        clock[0] += 1.0
        return next(rest)

    return look


def test_what_moves_may_take_as_long_as_it_likes(clock):
    checks = []
    look = looks(clock, [*range(20), None])
    wait_patiently(look, lambda: checks.append(1), 3.0, "Nothing", "a step")
    assert len(checks) == 20


@pytest.mark.parametrize("counts", [[0] * 9, [0, 1, 2, 2, 2, 2, 2, 2, 2]], ids=str)
def test_what_stands_still_is_given_up_after_the_patience(clock, counts):
    look = looks(clock, counts)
    with pytest.raises(RuntimeError, match=r"No part came for 3 seconds.*or a part"):
        wait_patiently(look, lambda: None, 3.0, "No part came", "a part")
    still = counts.index(counts[-1]) + 1  # the second in which it last moved
    assert clock[0] == still + 4.0


def test_whom_the_check_misses_ends_the_wait(clock):
    def check():
        raise RuntimeError("All workers are lost.")

    with pytest.raises(RuntimeError, match="All workers"):
        wait_patiently(looks(clock, [0]), check, 3.0, "Nothing", "a step")
