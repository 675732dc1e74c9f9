"""Hyperband: many short trainings, the best of which go on."""

from functools import partial
from typing import Any

from keras_trainkit.search.engine.keras_tuner import HyperbandRounds
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.tuners.tuner import DependableTuner


class HyperbandOracle(DependableOracle, HyperbandRounds):
    """Draws trials at random and sends the best of each round on to more epochs."""

    course = ("max_epochs", "factor", "hyperband_iterations")

    def count_trials(self) -> int | None:
        """The trials of all rounds, if none fails."""
        return int(self.hyperband_iterations * self.trials_an_iteration())


class Hyperband(DependableTuner):
    """Starts many trainings, stops most of them early and lets the best go on.

    A training that goes on does so from the weights **and the optimizer state** it
    stopped with, at its last epoch.

    Args:
        hypermodel: A function from hyperparameters to a compiled model.
        objective: What to optimise; see `DependableTuner`.
        max_epochs: Epochs of the longest training, int >= 1.
        factor: One of so many trainings goes on, for so many times the epochs,
            int >= 2.
        hyperband_iterations: How often to run all brackets, int >= 1.
        **settings: Arguments of `DependableTuner`, such as `seed` and `directory`.

    Example:
        ```python
        tuner = Hyperband(build_model, "val_loss", max_epochs=27, seed=0)
        tuner.search(x, y, validation_split=0.2)
        ```

    Reference:
        [Li et al., 2018, algorithm 1](https://jmlr.org/papers/v18/16-558.html)
    """

    continues_trials = True

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_epochs: int = 100,
        factor: int = 3,
        hyperband_iterations: int = 1,
        **settings: Any,
    ) -> None:
        oracle = partial(
            HyperbandOracle,
            max_epochs=max_epochs,
            factor=factor,
            hyperband_iterations=hyperband_iterations,
        )
        super().__init__(oracle, hypermodel, objective, **settings)

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> Any:
        """Trains for the epochs of the trial's round."""
        values = trial.hyperparameters.values
        if "tuner/epochs" in values:
            fit_kwargs["epochs"] = values["tuner/epochs"]
            fit_kwargs["initial_epoch"] = values["tuner/initial_epoch"]
        return super().run_trial(trial, *fit_args, **fit_kwargs)

    def build_model(self, hp: Any) -> Any:
        """Builds a model, with the last weights of the trial that it goes on from."""
        model = super().build_model(hp)
        earlier = hp.values.get("tuner/trial_id")
        if earlier is not None:
            self._load_weights(model, earlier, last=True)
        return model
