"""Numbers are checked, schedules are kept; both come back from a config."""

import keras
import numpy as np
import pytest

from keras_trainkit.optimizers.hyperparameter import (
    check_hyperparameter,
    deserialized,
    serialized,
    value_at,
)
from keras_trainkit.schedules import Linear


class Doubled(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that Keras knows only if it is told of it."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate * 2.0**step

    def get_config(self):
        return {"rate": self.rate}


def test_numbers_become_floats_and_schedules_stay():
    found = check_hyperparameter("rate", np.int64(1), 0, 1)
    assert found == 1.0
    assert type(found) is float
    schedule = Linear(0.0, 9.0, steps=2)
    assert check_hyperparameter("rate", schedule, 0, 1) is schedule
    assert check_hyperparameter("rate", max, 0, 1) is max


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (-0.5, {"minimum": 0}),
        (1.5, {"maximum": 1}),
        (0, {"minimum": 0, "open_minimum": True}),
        (1, {"maximum": 1, "open_maximum": True}),
        ("0.1", {}),
        (True, {}),
        (float("nan"), {}),
    ],
    ids=str,
)
def test_a_number_out_of_range_is_named(value, options):
    with pytest.raises(ValueError, match="`decay` must be a finite number"):
        check_hyperparameter("decay", value, **options)


def test_ends_of_the_range_belong_to_it_unless_it_is_open():
    assert check_hyperparameter("decay", 0, 0, 1, open_maximum=True) == 0.0
    assert check_hyperparameter("decay", 1, 0, 1, open_minimum=True) == 1.0


def test_a_number_is_stored_as_it_is_and_a_schedule_by_its_config():
    assert serialized(0.5) == deserialized(0.5) == 0.5
    stored = serialized(Linear(1.0, 3.0, steps=4))
    assert isinstance(stored, dict)
    back = deserialized(stored)
    assert [float(value_at(back, step)) for step in (0, 2, 9)] == [1.0, 2.0, 3.0]


def test_a_schedule_of_ones_own_comes_back_with_its_class():
    back = deserialized(serialized(Doubled(0.5)), {"Doubled": Doubled})
    assert isinstance(back, Doubled)
    assert float(value_at(back, 3)) == 4.0


def test_a_callable_that_is_no_schedule_is_called_without_the_step():
    assert float(value_at(lambda: 0.25, 7)) == 0.25
    assert value_at(0.1, 7) == 0.1
