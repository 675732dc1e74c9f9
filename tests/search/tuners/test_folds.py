import keras_tuner
import numpy as np
import pandas
import pytest
import tensorflow as tf

from keras_trainkit.search.engine.outcome import Outcome
from keras_trainkit.search.tuners.folds import Folds, fold_outcome


def test_every_row_validates_once_and_never_trains_then():
    x = np.arange(23)
    folds = Folds((x, x * 2), {}, 5)
    validated = []
    for fold in range(5):
        args, kwargs = folds.fit_arguments(fold, {"batch_size": 4, "x": x})
        assert args == ()
        assert kwargs["batch_size"] == 4
        held_out, targets = kwargs["validation_data"]
        np.testing.assert_array_equal(targets, held_out * 2)
        np.testing.assert_array_equal(kwargs["y"], kwargs["x"] * 2)
        assert sorted([*kwargs["x"], *held_out]) == x.tolist()
        assert len(held_out) in (4, 5)
        validated += held_out.tolist()
    assert sorted(validated) == x.tolist()


def test_folds_take_nested_data_and_weights():
    x = {"a": tf.range(6), "b": np.zeros((6, 2))}
    y = [pandas.Series(range(6)), np.ones(6)]
    folds = Folds((x,), {"y": y, "sample_weight": np.arange(6)}, 2)
    _, kwargs = folds.fit_arguments(0, {})
    assert kwargs["x"]["b"].shape == (3, 2)
    np.testing.assert_array_equal(kwargs["sample_weight"], kwargs["x"]["a"])
    held_out, targets, weights = kwargs["validation_data"]
    np.testing.assert_array_equal(targets[0], held_out["a"])
    np.testing.assert_array_equal(weights, held_out["a"])


def test_seed_decides_the_folds():
    x = np.arange(40)
    folds = Folds((x,), {}, 4)
    parts = []
    for seed in (0, 0, 1):
        folds.deal(seed)
        parts.append(folds.fit_arguments(0, {})[1]["x"].tolist())
    first, same, other = parts
    assert first == same
    assert first != other


def test_fold_outcome_is_the_mean_with_each_fold_beside_it():
    objective = keras_tuner.Objective("val_loss", "min")
    outcomes = [
        Outcome({"val_loss": 1.0, "loss": 2.0}, 3),
        Outcome({"val_loss": 2.0, "loss": 4.0}, 5),
    ]
    mean = fold_outcome(outcomes, objective)
    expected = {"val_loss": 1.5, "loss": 3.0}
    expected |= {"val_loss_fold_1": 1.0, "val_loss_fold_2": 2.0}
    assert mean == expected
    assert mean.step == 4


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((np.zeros(4), np.zeros(3)), {}, r"one length, 2 rows.*lengths=\[3, 4\]"),
        ((np.zeros(1),), {}, "2 rows at least"),
        ((), {}, "`x` and `y` must be arrays"),
        ((tf.data.Dataset.range(4),), {}, "`x` and `y` must be arrays"),
        ((np.zeros(4), np.zeros(4), 32), {}, "no more than x and y by position"),
        ((np.zeros(4),), {"validation_data": (1, 2)}, "`validation_data` must be left"),
    ],
)
def test_folds_name_a_bad_argument(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        Folds(args, kwargs, 2)
