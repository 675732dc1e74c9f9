"""Random search."""

from functools import partial
from typing import Any

from keras_trainkit.search.engine.keras_tuner import keras_tuner
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.tuners.tuner import DependableTuner


class RandomOracle(DependableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Draws each trial from the space at random."""


class RandomSearch(DependableTuner):
    """Tries hyperparameters drawn at random, in log space where the space says so.

    Better than a grid when few of the hyperparameters matter, for every trial tries
    a new value of each.

    Args:
        hypermodel: A function from hyperparameters to a compiled model.
        objective: What to optimise; see `DependableTuner`.
        max_trials: Number of trials, int >= 1.
        **settings: Arguments of `DependableTuner`, such as `seed` and `directory`.

    Example:
        ```python
        tuner = RandomSearch(build_model, "val_accuracy", max_trials=20, seed=0)
        tuner.search(x, y, epochs=3, validation_split=0.2)
        tk.search.trials_frame(tuner)
        ```

    Reference:
        [Bergstra & Bengio, 2012](https://jmlr.org/papers/v13/bergstra12a.html)
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int = 10,
        **settings: Any,
    ) -> None:
        oracle = partial(RandomOracle, max_trials=max_trials)
        super().__init__(oracle, hypermodel, objective, **settings)
