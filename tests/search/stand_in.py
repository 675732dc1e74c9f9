"""A tuner of trials that were never run, for what only reads them."""

import math
import types

import keras_tuner
from keras_tuner.engine.trial import Trial


def space_of(declare):
    hp = keras_tuner.HyperParameters()
    declare(hp)
    return hp


def tuner_of(declare, rows, direction="min"):
    """A tuner whose oracle holds one ended trial a row.

    Args:
        declare: Function that declares the hyperparameters on `hp`.
        rows: Pairs of a dictionary of values and a score; a score that is not
            finite makes a failed trial.
        direction: "min" or "max".
    """
    space = space_of(declare)
    oracle = keras_tuner.oracles.RandomSearchOracle(
        keras_tuner.Objective("val_loss", direction), hyperparameters=space
    )
    for index, (values, score) in enumerate(rows):
        hp = space.copy()
        hp.values = dict(values)
        finite = math.isfinite(score)
        trial = Trial(hp, f"{index:04d}", "COMPLETED" if finite else "FAILED")
        trial.score = score if finite else None
        oracle.trials[trial.trial_id] = trial
    return types.SimpleNamespace(oracle=oracle)
