"""KerasTuner as this room knows it: all that it does not make public, in one file.

KerasTuner is no longer developed, but its classes are those that users have and
subclass. What is private there has a name of ours here, so that one page tells what
another version of it could break.
"""

from typing import Any

import numpy as np

try:
    import keras_tuner
    import tensorboard  # noqa: F401  KerasTuner needs it and does not say so
    from keras_tuner import HyperParameters
    from keras_tuner.engine.hyperparameters import (
        Boolean,
        Choice,
        Fixed,
        Float,
        HyperParameter,
        Int,
    )
    from keras_tuner.engine.hyperparameters import (
        deserialize as hyperparameter_from_config,
    )
    from keras_tuner.engine.hyperparameters import serialize as hyperparameter_config
    from keras_tuner.engine.trial import Trial, TrialStatus
    from keras_tuner.engine.tuner import maybe_distribute as distributed_by
except ImportError as error:
    raise ImportError(
        "keras_trainkit.search needs KerasTuner and TensorBoard: "
        "pip install keras_trainkit[search]. "
        f"Missing: {error.name}"
    ) from error

__all__ = [
    "Boolean",
    "Choice",
    "EngineOracle",
    "EngineTuner",
    "Fixed",
    "Float",
    "GaussianOracle",
    "HyperParameter",
    "HyperParameters",
    "HyperbandRounds",
    "Int",
    "Trial",
    "TrialStatus",
    "distributed_by",
    "hyperparameter_config",
    "hyperparameter_from_config",
    "keras_tuner",
]


class EngineOracle(keras_tuner.Oracle):
    """KerasTuner's oracle, with names for what is private there."""

    def random_values(self) -> dict[str, Any] | None:
        """Values drawn at random, not tried before; `None` if there seem none left."""
        raise NotImplementedError

    def save_trial(self, trial: Any) -> None:
        """Writes the file of a trial."""
        raise NotImplementedError

    def start_seed(self, seed: int) -> None:
        """Takes a seed; KerasTuner itself takes 0 for none."""
        self.seed = self._seed_state = seed

    def open_project(self, directory: str, name: str) -> None:
        """Says where the project's files are."""
        self._set_project_dir(directory, name)

    @property
    def project_path(self) -> str:
        """The project's directory."""
        return self._project_dir

    @property
    def state_path(self) -> str:
        """The file of the oracle."""
        return self._get_oracle_fname()

    def trial_directory(self, trial_id: str) -> str:
        """The directory of a trial, which is made."""
        return self._get_trial_dir(trial_id)

    @property
    def waiting(self) -> list[str]:
        """The trials that wait to run again."""
        return self._retry_queue

    @waiting.setter
    def waiting(self, trial_ids: list[str]) -> None:
        self._retry_queue = trial_ids

    @property
    def times_run(self) -> dict[str, int]:
        """How often each trial has ended, 0 if it never did."""
        return self._run_times

    def tried(self, values: dict[str, Any]) -> bool:
        """Whether a trial with these values exists."""
        return self._duplicate(values)

    def remember_values(self, trial: Any) -> None:
        """Takes the values of a trial as tried."""
        self._record_values(trial)

    def check_reported(self, metrics: Any) -> None:
        """Raises a `ValueError` unless the objective is among the metrics."""
        self._check_objective_found(metrics)

    def _random_values(self) -> dict[str, Any] | None:
        return self.random_values()

    def _save_trial(self, trial: Any) -> None:
        self.save_trial(trial)


class HyperbandRounds(keras_tuner.oracles.HyperbandOracle):
    """KerasTuner's Hyperband, which can say how many trials it has."""

    def trials_an_iteration(self) -> int:
        """Trials of all rounds of all brackets, if none fails."""
        return sum(
            self._get_size(bracket, place)
            for bracket in range(self._get_num_brackets())
            for place in range(self._get_num_rounds(bracket))
        )


class GaussianOracle(keras_tuner.oracles.BayesianOptimizationOracle):
    """KerasTuner's Bayesian search; what its process learns from can be replaced."""

    def start_process(self) -> None:
        """Makes the Gaussian process anew, from the present seed."""
        self.gpr = self._make_gpr()

    def draw_from(self, generator: np.random.Generator) -> None:
        """Takes the generator of the places where the search for the best begins."""
        self._random_state = generator

    def searched_space(self) -> list[Any]:
        """The hyperparameters that have more than one value."""
        return self._nonfixed_space()

    def known_points(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of the trials, `(trials, hyperparameters)`, and scores to minimise."""
        return super()._vectorize_trials()

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        return self.known_points()

    def _make_gpr(self) -> Any:
        process = super()._make_gpr()
        process.random_state %= 2**32  # scikit-learn takes no larger seed
        return process


class EngineTuner(keras_tuner.Tuner):
    """KerasTuner's tuner, with names for what is private there."""

    @property
    def is_worker(self) -> bool:
        """Whether this process asks a chief for its trials."""
        return self._is_worker()

    def find_space(self) -> None:
        """Finds the hyperparameters that the hypermodel declares."""
        super()._populate_initial_space()

    def build_model(self, hp: Any) -> Any:
        """Builds the model of some hyperparameters."""
        return super()._build_hypermodel(hp)

    def build_afresh(self, hp: Any) -> Any:
        """Clears Keras' session, builds a model and checks it."""
        return super()._try_build(hp)

    def build_and_fit(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Trains a new model of a trial once."""
        return super()._build_and_fit_model(trial, *args, **kwargs)

    def copies_of(self, callbacks: Any) -> list[Any]:
        """Copies of callbacks, for one training."""
        return self._deepcopy_callbacks(callbacks)

    def build_config_path(self, trial_id: str) -> str:
        """The file that tells how a trial's model was built."""
        return self._get_build_config_fname(trial_id)

    def _populate_initial_space(self) -> None:
        self.find_space()

    def _build_hypermodel(self, hp: Any) -> Any:
        return self.build_model(hp)

    def _try_build(self, hp: Any) -> Any:
        return self.build_afresh(hp)

    def _build_and_fit_model(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        return self.build_and_fit(trial, *args, **kwargs)
