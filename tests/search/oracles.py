"""Searches without a model: an oracle, and a score made from the values."""

import keras_tuner

from keras_trainkit.search.tuners.bayesian_optimization import BayesianOracle
from keras_trainkit.search.tuners.coarse_to_fine_oracle import CoarseToFineOracle
from keras_trainkit.search.tuners.grid_search import GridOracle
from keras_trainkit.search.tuners.hyperband import HyperbandOracle
from keras_trainkit.search.tuners.random_search import RandomOracle
from keras_trainkit.search.tuners.stage import Stage

ORACLES = {
    "random": (RandomOracle, {"max_trials": 6}),
    "bayesian": (BayesianOracle, {"max_trials": 6, "num_initial_points": 4}),
    "hyperband": (HyperbandOracle, {"max_epochs": 3, "factor": 3}),
    "grid": (GridOracle, {"points": 3}),
    "coarse_to_fine": (
        CoarseToFineOracle,
        {"stages": (Stage(5, epochs=1), Stage(3, epochs=2))},
    ),
}


def space():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-4, 1e0, sampling="log")
    hp.Choice("units", [1, 3])
    return hp


def make_oracle(kind, directory, hyperparameters=None, **settings):
    oracle_class, arguments = ORACLES[kind]
    oracle = oracle_class(
        objective=keras_tuner.Objective("val_loss", "min"),
        hyperparameters=hyperparameters or space(),
        **{"seed": 0, **arguments, **settings},
    )
    oracle.open_project(str(directory), "p")
    oracle.declare_space()
    return oracle


def opened(kind, directory, **settings):
    """As a tuner does when its program starts: on from what is stored."""
    oracle = make_oracle(kind, directory, **settings)
    if (directory / "p" / "oracle.json").exists():
        oracle.reload()
    return oracle


def score(trial):
    values = trial.hyperparameters.values
    return (values["rate"] - 0.01) ** 2 + 0.1 * values["units"]


def search(oracle, scored=score, tuner_id="tuner0"):
    """Runs a search to its end; `scored` gives a score or raises."""
    while (trial := oracle.create_trial(tuner_id)).status == "RUNNING":
        trial = copy_of(trial)
        try:
            oracle.update_trial(trial.trial_id, {"val_loss": scored(trial)}, step=1)
            trial.status = "COMPLETED"
        except ValueError as error:
            trial.status, trial.message = "INVALID", str(error)
        oracle.end_trial(trial)
    return trial.status


def copy_of(trial):
    return type(trial).from_state(trial.get_state())


def told(oracle):
    """What two searches must agree in."""
    return [
        (trial.trial_id, trial.hyperparameters.values, trial.score, trial.status)
        for trial in oracle.trials.values()
    ], oracle.end_order
