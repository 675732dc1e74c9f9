"""Searches in stages without a model: an oracle, and a score made from the values."""

import json

import keras_tuner

from keras_trainkit.search import log_uniform
from keras_trainkit.search.tuners.coarse_to_fine_oracle import CoarseToFineOracle
from keras_trainkit.search.tuners.stage import Stage

STAGES = (Stage(16, epochs=1), Stage(8, epochs=3), Stage(4, epochs=9))


def rate_and_strength(hp):
    log_uniform(hp, "rate", 1e-6, 1e1)
    log_uniform(hp, "strength", 1e-7, 1e0)


def make_oracle(
    directory, declare=rate_and_strength, stages=STAGES, direction="min", **settings
):
    """An oracle as its tuner leaves it when a program starts, also again."""
    space = keras_tuner.HyperParameters()
    declare(space)
    oracle = CoarseToFineOracle(
        stages,
        objective=keras_tuner.Objective("val_loss", direction),
        hyperparameters=space,
        **{"seed": 0, **settings},
    )
    oracle.open_project(str(directory), "p")
    oracle.declare_space()
    if (directory / "p" / "oracle.json").exists():
        oracle.reload()
    return oracle


def end(oracle, trial, score):
    """Ends a trial with `score(values)`; one that raises makes it fail."""
    trial = type(trial).from_state(json.loads(json.dumps(trial.get_state())))
    try:
        value = score(trial.hyperparameters.values)
        oracle.update_trial(trial.trial_id, {"val_loss": value})
        trial.status = "COMPLETED"
    except ValueError as error:
        trial.status, trial.message = "FAILED", str(error)
    oracle.end_trial(trial)


def run(oracle, score, trials=None):
    """Runs the search to its end, or so many trials of it."""
    while trials is None or trials > 0:
        trial = oracle.create_trial("tuner0")
        if trial.status != "RUNNING":
            break
        end(oracle, trial, score)
        trials = None if trials is None else trials - 1
    return oracle


def told(oracle):
    """What two searches must agree in."""
    return [
        (trial.trial_id, trial.hyperparameters.values, trial.score, trial.status)
        for trial in oracle.trials.values()
    ]


def range_of(oracle, stage, name):
    (hp,) = [one for one in oracle.space_of(stage) if one.name == name]
    return hp.min_value, hp.max_value
