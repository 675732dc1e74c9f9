import math

import keras_tuner
import pytest

from ..oracles import make_oracle, search


def rates():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-6, 1e1, sampling="log")
    return hp


def diverges_above_a_tenth(trial):
    rate = trial.hyperparameters.values["rate"]
    if rate > 0.1:
        raise ValueError("diverged")
    return (math.log10(rate) + 3) ** 2 + 0.1


def proposals(directory, scored, **settings):
    settings = {"max_trials": 12, "num_initial_points": 5, **settings}
    oracle = make_oracle("bayesian", directory, hyperparameters=rates(), **settings)
    search(oracle, scored)
    return oracle, [
        trial.hyperparameters.values["rate"] for trial in oracle.trials.values()
    ]


def test_search_keeps_away_from_what_diverged(tmp_path):
    oracle, values = proposals(tmp_path, diverges_above_a_tenth)
    random = sum(trial.status == "FAILED" for trial in oracle.trials.values())
    assert sum(value > 0.1 for value in values[-5:]) == 0
    assert random >= 1
    assert (
        abs(math.log10(oracle.get_best_trials()[0].hyperparameters["rate"]) + 3) < 0.5
    )


def test_one_huge_score_does_not_blind_the_search(tmp_path):
    def huge(trial):
        rate = trial.hyperparameters.values["rate"]
        return 1e30 if rate > 0.1 else (math.log10(rate) + 3) ** 2 + 0.1

    _, values = proposals(tmp_path, huge, max_trials=10)
    assert min(abs(math.log10(value) + 3) for value in values[6:]) < 0.3


def test_tuners_at_work_are_kept_apart(tmp_path):
    oracle, _ = proposals(tmp_path, diverges_above_a_tenth, max_trials=6)
    oracle.max_trials = 9
    running = [oracle.create_trial(name).hyperparameters["rate"] for name in "abc"]
    assert len({round(math.log10(value), 1) for value in running}) == 3


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_gives_the_same_proposals(seed, tmp_path):
    runs = [
        proposals(tmp_path / name, diverges_above_a_tenth, max_trials=7, seed=seed)[1]
        for name in "ab"
    ]
    assert runs[0] == runs[1]
