"""Requests of several monitors become one that serves all."""

import dataclasses

import pytest

from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.instruments.loss import Loss
from keras_trainkit.recording.request import Request


@dataclasses.dataclass(frozen=True)
class Looking(Instrument):
    channel: str = "updates"


UPDATES, LAYERS, RARE = Looking(), Looking("layers"), Looking("rare")


def joined(one, other):
    """Joins in both orders, which must not matter but for the instruments' order."""
    left, right = one.join(other), other.join(one)
    assert set(left.instruments) == set(right.instruments)
    assert dataclasses.replace(left, instruments=()) == dataclasses.replace(
        right, instruments=()
    )
    return left


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(4, 6, 2), (3, 5, 1), (5, 5, 5), ("auto", 7, 7), ("auto", "auto", "auto")],
)
def test_the_finest_rhythm_hits_every_step_that_was_asked_for(one, other, expected):
    both = joined(Request.of([UPDATES], one), Request.of([UPDATES], other))
    assert both.channels == {"updates": expected}
    assert both.instruments == (UPDATES,)


def test_channels_keep_their_rhythms_side_by_side():
    both = joined(Request.of([UPDATES, Loss()], 4), Request.of([RARE], 9))
    assert both.channels == {"rare": 9, "updates": 4}
    assert set(both.instruments) == {UPDATES, RARE, Loss()}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(16, 64, 64), (16, None, None), (None, None, None)],
)
def test_the_larger_sample_serves_both(one, other, expected):
    both = joined(
        Request.of([UPDATES, LAYERS], entries=one, sample=one),
        Request.of([UPDATES, LAYERS], entries=other, sample=other),
    )
    assert both.entries == expected
    assert both.sample == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("auto", 8, 8), ("auto", "auto", "auto"), ("auto", None, None)],
)
def test_a_number_takes_the_place_of_auto(one, other, expected):
    requests = [Request.of([LAYERS], sample=sample) for sample in (one, other)]
    assert joined(*requests).sample == expected


def test_sizes_of_who_does_not_look_are_not_asked():
    looks = Request.of([LAYERS], layers=frozenset({"a"}), sample=8)
    both = joined(looks, Request.of([UPDATES], entries=4))
    assert (both.layers, both.sample, both.entries) == (frozenset({"a"}), 8, 4)


def test_layers_are_those_of_both_and_all_of_them_if_one_wants_all():
    some = Request.of([LAYERS], layers=frozenset({"a"}))
    more = Request.of([LAYERS], layers=frozenset({"b"}))
    assert joined(some, more).layers == {"a", "b"}
    assert joined(some, Request.of([LAYERS])).layers is None


def test_the_smaller_share_of_the_time_is_kept_to():
    one, other = Request.of([], overhead=0.01), Request.of([], overhead=0.2)
    assert joined(one, other).overhead == 0.01
