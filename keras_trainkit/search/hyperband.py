"""Hyperband: many short trainings, the best of which go on."""

from typing import Any

from keras_trainkit.search.engine import keras_tuner
from keras_trainkit.search.objective import read_objective
from keras_trainkit.search.oracle import DependableOracle
from keras_trainkit.search.tuner import DependableTuner


class HyperbandOracle(DependableOracle, keras_tuner.oracles.HyperbandOracle):
    """Draws trials at random and sends the best of each round on to more epochs."""

    course = ("max_epochs", "factor", "hyperband_iterations")

    def count_trials(self) -> int | None:
        """The trials of all rounds, if none fails."""
        trials = sum(
            self._get_size(bracket, place)
            for bracket in range(self._get_num_brackets())
            for place in range(self._get_num_rounds(bracket))
        )
        return int(self.hyperband_iterations * trials)


class Hyperband(DependableTuner):
    """Starts many trainings, stops most of them early and lets the best go on.

    A training that goes on does so from the weights **and the optimizer state** it
    stopped with, at its last epoch.

    Args:
        hypermodel: A function from hyperparameters to a compiled model, or a
            `keras_tuner.HyperModel`.
        objective: What to optimise; see `RandomSearch`.
        max_epochs: Epochs of the longest training, int >= 1.
        factor: One of so many trainings goes on, for so many times the epochs,
            int >= 2.
        hyperband_iterations: How often to run all brackets, int >= 1.
        seed: Seed of proposals and trainings, int >= 0; drawn and stored if `None`.
        hyperparameters: Search space to begin with or to override by.
        tune_new_entries: Whether hyperparameters that are not in `hyperparameters`
            are searched too.
        allow_new_entries: Whether the model may ask for such hyperparameters.
        max_retries_per_trial: How often a trial that raised an error runs again.
        max_consecutive_failed_trials: Failed trials in a row that end the search.
        **settings: Arguments of `DependableTuner`.

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
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 10,
        **settings: Any,
    ) -> None:
        oracle = HyperbandOracle(
            objective=read_objective(objective),
            max_epochs=max_epochs,
            factor=factor,
            hyperband_iterations=hyperband_iterations,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **settings)

    def run_trial(self, trial: Any, *fit_args: Any, **fit_kwargs: Any) -> Any:
        """Trains for the epochs of the trial's round."""
        values = trial.hyperparameters.values
        if "tuner/epochs" in values:
            fit_kwargs["epochs"] = values["tuner/epochs"]
            fit_kwargs["initial_epoch"] = values["tuner/initial_epoch"]
        return super().run_trial(trial, *fit_args, **fit_kwargs)

    def _build_hypermodel(self, hp: Any) -> Any:
        model = super()._build_hypermodel(hp)
        earlier = hp.values.get("tuner/trial_id")
        if earlier is not None:
            self._load_weights(model, earlier, last=True)
        return model
