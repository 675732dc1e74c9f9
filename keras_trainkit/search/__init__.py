"""Searches for hyperparameters on KerasTuner that can be depended on."""

from keras_trainkit.search.bayesian_optimization import BayesianOptimization
from keras_trainkit.search.coarse_to_fine import CoarseToFine
from keras_trainkit.search.edges import edge_warnings
from keras_trainkit.search.grid_search import GridSearch
from keras_trainkit.search.hyperband import Hyperband
from keras_trainkit.search.oracle import DependableOracle
from keras_trainkit.search.page import report
from keras_trainkit.search.random_search import RandomSearch
from keras_trainkit.search.spaces import (
    StandardSpace,
    dropout,
    log_uniform,
    momentum,
    standard_space,
)
from keras_trainkit.search.stage import Stage
from keras_trainkit.search.trials import trials_frame
from keras_trainkit.search.tuner import DependableTuner

__all__ = [
    "BayesianOptimization",
    "CoarseToFine",
    "DependableOracle",
    "DependableTuner",
    "GridSearch",
    "Hyperband",
    "RandomSearch",
    "Stage",
    "StandardSpace",
    "dropout",
    "edge_warnings",
    "log_uniform",
    "momentum",
    "report",
    "standard_space",
    "trials_frame",
]
