"""Bayesian optimization with a Gaussian process."""

import warnings
from functools import partial
from typing import Any

import numpy as np

from keras_trainkit.search.engine.keras_tuner import GaussianOracle, TrialStatus
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.tuners.tuner import DependableTuner


class BayesianOracle(DependableOracle, GaussianOracle):
    """Proposes where a Gaussian process expects the best trials.

    KerasTuner leaves failed trials out and gives the process a 0.0 for infinity,
    which is better than any loss. Here a failed trial stands as bad as the worst
    that completed, and scores far out count as no worse than six times the way from
    the best to the median: one loss of 1e30 must not make all others look the same.
    """

    course = ("num_initial_points", "alpha", "beta")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.start_process()  # with the seed, also if it is 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Values for a trial; see `keras_tuner.Oracle.populate_space`."""
        # Its own generator for each trial: nothing to store for a resume.
        self.draw_from(np.random.default_rng([len(self.trials), 0, self.seed]))
        with warnings.catch_warnings():
            # The fit says when a length scale sits at its bound, trial after trial.
            warnings.simplefilter("ignore")
            return super().populate_space(trial_id)

    def known_points(self) -> tuple[np.ndarray, np.ndarray]:
        """Places and scores of the trials that ended or run."""
        sign = -1.0 if self.objective.direction == "max" else 1.0
        space = self.searched_space()
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
        hypermodel: A function from hyperparameters to a compiled model.
        objective: What to optimise; see `DependableTuner`.
        max_trials: Number of trials, int >= 1.
        num_initial_points: Random trials to begin with; three a hyperparameter if
            `None`.
        alpha: Noise expected in the scores, added to the kernel's diagonal, > 0.
        beta: How much uncertain places are preferred, >= 0.
        **settings: Arguments of `DependableTuner`, such as `seed` and `directory`.

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
        **settings: Any,
    ) -> None:
        oracle = partial(
            BayesianOracle,
            max_trials=max_trials,
            num_initial_points=num_initial_points,
            alpha=alpha,
            beta=beta,
        )
        super().__init__(oracle, hypermodel, objective, **settings)


def _place(hp: Any, trial_hp: Any) -> float:
    """Where a trial's value lies between the ends of its range, from 0 to 1."""
    active = trial_hp.is_active(hp) and hp.name in trial_hp.values
    value = trial_hp.values[hp.name] if active else hp.default
    return hp.value_to_prob(value)


def _within_reach(scores: np.ndarray) -> np.ndarray:
    best, median = float(np.nanmin(scores)), float(np.nanmedian(scores))
    return np.minimum(scores, best + 6.0 * (median - best)) if median > best else scores
