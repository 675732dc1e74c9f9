import keras_tuner
import pytest

from keras_trainkit.search.tuners.grid_search import grid_values
from tests.tolerances import FLOAT64

from ..oracles import make_oracle, search


def test_range_without_a_step_gives_even_points_with_both_ends():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-5, 1e-1, sampling="log")
    hp.Float("dropout", 0.0, 0.5)
    hp.Int("units", 16, 256, sampling="log")
    rate, dropout, units = (grid_values(each, 5) for each in hp.space)
    assert rate == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], rel=FLOAT64)
    assert (rate[0], rate[-1]) == (1e-5, 1e-1)
    assert dropout == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.5], rel=FLOAT64)
    assert (units[0], units[-1]) == (16, 256)
    assert units == sorted(units)


def test_values_that_can_be_counted_are_taken_as_they_are():
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["b", "a"])
    hp.Int("layers", 1, 3)
    hp.Float("rate", 1e-3, 1e-1, step=10, sampling="log")
    hp.Boolean("bias")
    hp.Fixed("width", 7)
    hp.Float("same", 2.0, 2.0)
    kind, layers, rate, bias, width, same = (grid_values(each) for each in hp.space)
    assert kind == ["b", "a"]
    assert layers == [1, 2, 3]
    assert rate == pytest.approx([1e-3, 1e-2, 1e-1], rel=FLOAT64)
    assert sorted(bias) == [False, True]
    assert width == [7]
    assert same == [2.0]


def test_combinations_come_in_order_the_last_one_fastest(tmp_path):
    oracle = make_oracle("grid", tmp_path)
    assert oracle.count_trials() == 6
    search(oracle)
    values = [trial.hyperparameters.values for trial in oracle.trials.values()]
    rates = [1e-4, 1e-2, 1.0]
    assert [each["rate"] for each in values] == pytest.approx(
        [rate for rate in rates for _ in range(2)]
    )
    assert [each["units"] for each in values] == [1, 3] * 3


def test_inactive_hyperparameters_make_no_combinations(tmp_path):
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        hp.Int("layers", 1, 3)
    oracle = make_oracle("grid", tmp_path, hyperparameters=hp)
    search(oracle, lambda trial: 1.0)
    values = [trial.hyperparameters.values for trial in oracle.trials.values()]
    assert values == [
        {"kind": "plain"},
        *({"kind": "deep", "layers": layers} for layers in (1, 2, 3)),
    ]


def test_hyperparameter_that_a_trial_brings_is_combined_with_all(tmp_path):
    def brings(trial):
        trial.hyperparameters.Choice("late", [0, 1])
        return 1.0

    oracle = make_oracle("grid", tmp_path, points=2)
    search(oracle, brings)
    seen = [
        tuple(trial.hyperparameters.values.values()) for trial in oracle.trials.values()
    ]
    assert len(seen) == len(set(seen)) == 2 * 2 * 2
