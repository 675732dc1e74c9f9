"""Random search."""

from typing import Any

from keras_trainkit.search.engine import keras_tuner
from keras_trainkit.search.objective import read_objective
from keras_trainkit.search.oracle import DependableOracle
from keras_trainkit.search.tuner import DependableTuner


class RandomOracle(DependableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws each trial from the space at random."""


class RandomSearch(DependableTuner):
    """Tries hyperparameters drawn at random, in log space where the space says so.

    Better than a grid when few of the hyperparameters matter, for every trial tries
    a new value of each.

    Args:
        hypermodel: A function from hyperparameters to a compiled model, or a
            `keras_tuner.HyperModel`.
        objective: What to optimise: a metric's name if the metric knows whether more
            of it is better, `(name, "min" or "max")`, a `keras_tuner.Objective`, a
            list of these, or `None` if `fit` returns one number to minimise.
        max_trials: Number of trials, int >= 1.
        seed: Seed of proposals and trainings, int >= 0; drawn and stored if `None`.
        hyperparameters: Search space to begin with or to override by.
        tune_new_entries: Whether hyperparameters that are not in `hyperparameters`
            are searched too.
        allow_new_entries: Whether the model may ask for such hyperparameters.
        max_retries_per_trial: How often a trial that raised an error runs again.
        max_consecutive_failed_trials: Failed trials in a row that end the search.
        **settings: Arguments of `DependableTuner`, such as `directory`,
            `project_name`, `overwrite`, `executions_per_trial`, `on_changed_space`.

    Example:
        ```python
        tuner = RandomSearch(build_model, "val_accuracy", max_trials=20, seed=0)
        tuner.search(x, y, epochs=3, validation_split=0.2)
        trials_frame(tuner)
        ```

    Reference:
        [Bergstra & Bengio, 2012](https://jmlr.org/papers/v13/bergstra12a.html)
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int = 10,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 10,
        **settings: Any,
    ) -> None:
        oracle = RandomOracle(
            objective=read_objective(objective),
            max_trials=max_trials,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **settings)
