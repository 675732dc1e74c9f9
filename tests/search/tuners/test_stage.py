"""Stages are checked one by one and as a list."""

import pytest

from keras_trainkit.search.tuners.stage import WIDE_TO_LONG, Stage, check_stages

ONE = Stage(3, epochs=1)


def test_stages_come_as_a_tuple_and_by_default_go_from_wide_to_long():
    assert check_stages([ONE, ONE]) == (ONE, ONE)
    assert check_stages((ONE,)) == (ONE,)
    found = check_stages(None)
    assert found is WIDE_TO_LONG
    assert sorted(found, key=lambda stage: stage.epochs) == list(found)
    assert sorted(found, key=lambda stage: -stage.trials) == list(found)


@pytest.mark.parametrize("stages", [[], (), ONE, [ONE, (3, 1)], {ONE}, "one"], ids=str)
def test_what_is_no_list_of_stages_is_named(stages):
    with pytest.raises(ValueError, match="`stages` must be a list of one or more"):
        check_stages(stages)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"trials": 0}, "trials"),
        ({"epochs": 0}, "epochs"),
        ({"keep": 0.0}, "keep"),
        ({"keep": 1.5}, "keep"),
        ({"carry": -1}, "carry"),
    ],
)
def test_a_number_out_of_range_is_named(wrong, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        Stage(**{"trials": 1, "epochs": 1, "keep": 1.0, "carry": 0, **wrong})
