import math
import types

import keras_tuner
import numpy as np
import pytest

from keras_trainkit.search import dropout, edge_warnings, log_uniform
from keras_trainkit.search.engine.progress import own_values
from keras_trainkit.search.tuners.stage import Stage

from ..staged import STAGES, end, make_oracle, range_of, run, told


def valley(values):
    """The rate matters, with its best at 1e-2; the strength does not."""
    return (math.log10(values["rate"]) + 2) ** 2 / values["tuner/epochs"]


def stage_of(trial):
    return trial.hyperparameters.values["tuner/stage"]


def test_stages_have_their_trials_and_epochs(tmp_path):
    oracle = run(make_oracle(tmp_path), valley)
    trials = list(oracle.trials.values())
    assert [stage_of(trial) for trial in trials] == [1] * 16 + [2] * 8 + [3] * 4
    epochs = {
        stage_of(one): one.hyperparameters.values["tuner/epochs"] for one in trials
    }
    assert epochs == {1: 1, 2: 3, 3: 9}


def test_ranges_shrink_around_the_best_where_it_matters(tmp_path):
    oracle = run(make_oracle(tmp_path), valley)
    widths = []
    for stage in range(3):
        low, high = range_of(oracle, stage, "rate")
        assert low < 1e-2 < high
        widths.append(math.log10(high / low))
    assert widths[0] == pytest.approx(7)
    assert widths[1] < 0.5 * widths[0]
    assert widths[2] < 0.8 * widths[1]
    # What does not matter keeps most of its range.
    low, high = range_of(oracle, 1, "strength")
    assert math.log10(high / low) > 4


def test_first_stage_parts_every_range_evenly(tmp_path):
    oracle = run(make_oracle(tmp_path), valley, trials=16)
    for name, low, high in (("rate", -6, 1), ("strength", -7, 0)):
        logarithms = [
            math.log10(one.hyperparameters.values[name])
            for one in oracle.trials.values()
        ]
        counts = np.histogram(logarithms, bins=16, range=(low, high))[0]
        assert counts.tolist() == [1] * 16


def test_best_settings_run_again_in_the_next_stage(tmp_path):
    oracle = run(make_oracle(tmp_path), valley)
    first = sorted(oracle.trials_of(0), key=lambda trial: trial.score)
    carried = oracle.trials_of(1)[:2]
    assert [own_values(one) for one in carried] == [
        own_values(one) for one in first[:2]
    ]
    earlier = [one.hyperparameters.values["tuner/trial_id"] for one in carried]
    assert earlier == [one.trial_id for one in first[:2]]
    assert "tuner/trial_id" not in oracle.trials_of(1)[2].hyperparameters.values


@pytest.mark.parametrize("direction", ["min", "max"])
def test_range_goes_on_past_an_end_where_the_best_crowd(direction, tmp_path):
    sign = -1 if direction == "min" else 1
    oracle = make_oracle(tmp_path, direction=direction)
    run(oracle, lambda values: sign * math.log10(values["rate"]), trials=17)
    low, high = range_of(oracle, 1, "rate")
    assert high > 10
    assert low > 1e-4


def test_range_does_not_go_on_past_a_natural_end(tmp_path):
    def declare(hp):
        dropout(hp, "low")
        dropout(hp, "high")
        hp.Int("units", 1, 64)

    oracle = make_oracle(tmp_path, declare)
    run(oracle, lambda one: one["low"] - one["high"] + one["units"] / 64)
    for stage in (1, 2):
        assert range_of(oracle, stage, "low")[0] >= 0
        assert range_of(oracle, stage, "high")[1] < 1
        assert range_of(oracle, stage, "units")[0] >= 1
    for trial in oracle.trials.values():
        values = trial.hyperparameters.values
        assert 0 <= values["low"] < 1
        assert 0 <= values["high"] < 1
        assert values["units"] >= 1


def test_options_that_never_do_well_are_dropped(tmp_path):
    def declare(hp):
        hp.Choice("rule", ["bad", "good", "fair"])
        hp.Boolean("flag")
        hp.Fixed("fixed", 3)

    oracle = make_oracle(tmp_path, declare, stages=[Stage(30, 1), Stage(9, 2)])
    scores = {"bad": 3.0, "good": 1.0, "fair": 2.0}
    noise = iter(np.random.default_rng(0).random(100))
    run(oracle, lambda one: scores[one["rule"]] + next(noise))
    left = {hp.name: hp for hp in oracle.space_of(1)}
    assert left["rule"].values == ["good"]
    assert left["rule"].default == "good"
    tried = {one.hyperparameters.values["rule"] for one in oracle.trials_of(1)}
    assert tried == {"good"}
    assert {one.hyperparameters.values["flag"] for one in oracle.trials_of(1)} == {
        False,
        True,
    }


def test_conditional_hyperparameters_are_drawn_only_where_active(tmp_path):
    def declare(hp):
        hp.Choice("rule", ["sgd", "adam"])
        with hp.conditional_scope("rule", ["sgd"]):
            log_uniform(hp, "rate", 1e-3, 1e1)

    oracle = run(make_oracle(tmp_path, declare), lambda one: one.get("rate", 0.5))
    for trial in oracle.trials.values():
        values = trial.hyperparameters.values
        assert ("rate" in values) == (values["rule"] == "sgd")


def test_two_of_one_name_keep_their_ranges(tmp_path):
    def declare(hp):
        hp.Choice("rule", ["sgd", "adam"])
        for rule, high in (("sgd", 1e1), ("adam", 1e-1)):
            with hp.conditional_scope("rule", [rule]):
                log_uniform(hp, "rate", 1e-5, high)

    oracle = run(make_oracle(tmp_path, declare), lambda one: one.get("rate", 0.1))
    assert [hp.max_value for hp in oracle.space_of(2)[1:]] == [1e1, 1e-1]


def test_failed_trials_count_as_the_worst(tmp_path):
    def score(values):
        if values["rate"] > 1e-1:
            raise ValueError("diverged")
        return -math.log10(values["rate"])

    oracle = run(make_oracle(tmp_path, max_consecutive_failed_trials=99), score)
    assert range_of(oracle, 1, "rate")[1] < 3
    assert range_of(oracle, 1, "rate")[0] > 1e-5


def test_stage_without_success_leaves_the_ranges(tmp_path):
    def fail(values):
        raise ValueError("always")

    oracle = run(make_oracle(tmp_path, max_consecutive_failed_trials=99), fail)
    assert len(oracle.trials) == 28
    for stage in (1, 2):
        assert range_of(oracle, stage, "rate") == (1e-6, 1e1)


@pytest.mark.parametrize("running", [False, True], ids=["between trials", "within one"])
def test_resume_at_any_trial_gives_the_same_search(running, tmp_path):
    whole = told(run(make_oracle(tmp_path / "whole"), valley))
    for stop in (1, 15, 16, 17, 24):
        directory = tmp_path / f"{stop}"
        oracle = run(make_oracle(directory), valley, trials=stop)
        if running:
            oracle.create_trial("tuner0")
        assert told(run(make_oracle(directory), valley)) == whole


def test_next_stage_waits_for_the_trials_of_another_worker(tmp_path):
    oracle = run(make_oracle(tmp_path / "two"), valley, trials=15)
    slow = oracle.create_trial("slow")
    assert oracle.create_trial("fast").status == "IDLE"
    end(oracle, slow, valley)
    assert stage_of(oracle.create_trial("fast")) == 2
    oracle = run(make_oracle(tmp_path / "two"), valley)
    assert told(oracle) == told(run(make_oracle(tmp_path / "one"), valley))


def test_seeds_give_searches_of_their_own(tmp_path):
    searches = [
        told(run(make_oracle(tmp_path / name, seed=seed), valley))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert searches[0] == searches[1]
    assert searches[0] != searches[2]


def test_stages_that_have_not_begun_may_change_on_resume(tmp_path):
    run(make_oracle(tmp_path), valley, trials=18)
    longer = (*STAGES[:2], Stage(6, 20), Stage(2, 40))
    oracle = run(make_oracle(tmp_path, stages=longer), valley)
    assert len(oracle.trials) == 32
    with pytest.raises(ValueError, match="`stages` must begin with those"):
        make_oracle(tmp_path, stages=(Stage(16, 2), *longer[1:]))


def test_changed_folds_are_an_error_on_resume(tmp_path):
    run(make_oracle(tmp_path), valley, trials=2)
    with pytest.raises(ValueError, match="folds"):
        make_oracle(tmp_path, folds=3)


def test_edge_warnings_judge_the_present_stage_in_its_own_range(tmp_path):
    stages = [Stage(30, 1), Stage(30, 2, carry=0)]
    oracle = make_oracle(tmp_path, stages=stages)
    tuner = types.SimpleNamespace(oracle=oracle)
    assert edge_warnings(tuner) == []
    run(oracle, lambda values: -math.log10(values["rate"]), trials=30)
    (finding,) = edge_warnings(tuner)
    assert finding.evidence["range"] == "1e-06 to 10"
    # The second stage has gone up, and its best lie at its lower end.
    run(oracle, valley)
    (finding,) = edge_warnings(tuner)
    low, high = range_of(oracle, 1, "rate")
    assert low > 1e-2
    assert finding.evidence["range"] == f"{low:.3g} to {high:.3g}"
    assert "lower end" in finding.message


def test_hyperparameter_found_during_the_search_is_drawn_as_declared(tmp_path):
    oracle = make_oracle(tmp_path)
    run(oracle, valley, trials=20)
    late = keras_tuner.HyperParameters()
    late.Float("late", 0.0, 1.0)
    oracle.update_space(late)
    run(oracle, valley)
    values = [
        trial.hyperparameters.values["late"]
        for trial in list(oracle.trials.values())[20:]
    ]
    assert len(set(values)) > 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "`trials` must be an integer >= 1. Received: trials=0"),
        ((1, 0), "`epochs` must be an integer >= 1"),
        ((1, 1, 0.0), "`keep` must be a finite number > 0 and <= 1"),
        ((1, 1, 0.5, -1), "`carry` must be an integer >= 0"),
    ],
)
def test_stage_names_a_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stage(*arguments)
