"""Bayesian optimization with a Gaussian process."""

import warnings
from typing import Any

import numpy as np

from keras_trainkit.search.engine import keras_tuner
from keras_trainkit.search.objective import read_objective
from keras_trainkit.search.oracle import DependableOracle, TrialStatus
from keras_trainkit.search.tuner import DependableTuner


class BayesianOracle(DependableOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Proposes where a Gaussian process expects the best trials.

    KerasTuner leaves failed trials out and gives the process a 0.0 for infinity,
    which is better than any loss. Here a failed trial stands as bad as the worst
    that completed, and scores far out count as no worse than six times the way from
    the best to the median: one loss of 1e30 must not make all others look the same.
    """

    course = ("num_initial_points", "alpha", "beta")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.gpr = self._make_gpr()  # with the seed, also if it is 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values for a trial; see `keras_tuner.Oracle.populate_space`."""
        # Its own generator for each trial: nothing to store for a resume.
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        with warnings.catch_warnings():
            # The fit says when a length scale sits at its bound, trial after trial.
            warnings.simplefilter("ignore")
            return super().populate_space(trial_id)

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        sign = -1.0 if self.objective.direction == "max" else 1.0
        space = self._nonfixed_space()
        points: list[list[float]] = []
        scores: list[float] = []
        running: list[int] = []
        failed: list[int] = []
        for trial in self.trials.values():
            if trial.status == TrialStatus.COMPLETED:
                scores.append(sign * trial.score)
            elif trial.status in (TrialStatus.FAILED, TrialStatus.RUNNING):
                group = failed if trial.status == TrialStatus.FAILED else running
                group.append(len(points))
                scores.append(np.nan)
            else:
                continue
            points.append([_place(hp, trial.hyperparameters) for hp in space])
        x, y = np.array(points), np.array(scores)
        y = _within_reach(y)
        y[failed] = np.nanmax(y)
        if running:
            known = np.isfinite(y)
            self.gpr.fit(x[known], y[known])
            mean, deviation = self.gpr.predict(x[running], return_std=True)
            # Pessimistic, so that no other tuner is sent to the same place.
            y[running] = mean + deviation
        return x, y


class BayesianOptimization(DependableTuner):
    """Learns from the trials so far where better ones are to be expected.

    Worth its own time (about a second a proposal) when a trial takes a minute or
    more. Needs SciPy and scikit-learn.

    Args:
        hypermodel: A function from hyperparameters to a compiled model, or a
            `keras_tuner.HyperModel`.
        objective: What to optimise; see `RandomSearch`.
        max_trials: Number of trials, int >= 1.
        num_initial_points: Random trials to begin with; three a hyperparameter if
            `None`.
        alpha: Noise expected in the scores, added to the kernel's diagonal, > 0.
        beta: How much uncertain places are preferred, >= 0.
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
        tuner = BayesianOptimization(build_model, "val_loss", max_trials=40, seed=0)
        tuner.search(x, y, epochs=5, validation_split=0.2)
        ```

    Reference:
        [Srinivas et al., 2010](https://arxiv.org/abs/0912.3995)
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: Any = None,
        max_trials: int = 10,
        num_initial_points: int | None = None,
        alpha: float = 1e-4,
        beta: float = 2.6,
        seed: int | None = None,
        hyperparameters: Any = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 10,
        **settings: Any,
    ) -> None:
        oracle = BayesianOracle(
            objective=read_objective(objective),
            max_trials=max_trials,
            num_initial_points=num_initial_points,
            alpha=alpha,
            beta=beta,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
        )
        super().__init__(oracle, hypermodel, **settings)


def _place(hp: Any, trial_hp: Any) -> float:
    """Where a trial's value lies between the ends of its range, from 0 to 1."""
    active = trial_hp.is_active(hp) and hp.name in trial_hp.values
    value = trial_hp.values[hp.name] if active else hp.default
    return hp.value_to_prob(value)


def _within_reach(scores: np.ndarray) -> np.ndarray:
    best, median = float(np.nanmin(scores)), float(np.nanmedian(scores))
    return np.minimum(scores, best + 6.0 * (median - best)) if median > best else scores
