"""From what a training returns to one set of metrics that an oracle can rank by."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np

from keras_trainkit.search.engine.keras_tuner import keras_tuner

_LOSSES = ("loss", "val_loss")


class Outcome(dict):
    """The metrics of a training at its best epoch.

    Args:
        metrics: Values by name, the objective among them.
        step: The best epoch, int >= 0.
    """

    def __init__(self, metrics: Mapping[str, float], step: int = 0) -> None:
        super().__init__(metrics)
        self.step = step


def read_outcome(results: Any, objective: Any) -> Outcome:
    """Reads whatever `fit` or `run_trial` may return.

    Args:
        results: A Keras `History`, a number, a dictionary of metrics, or a list of
            these (their mean).
        objective: The `keras_tuner.Objective` of the search.

    Returns:
        The metrics, finite in the objective.

    Raises:
        keras_tuner.errors.FatalError: If the results do not hold the objective.
        keras_tuner.errors.FailedTrialError: If the objective or the loss is NaN or
            infinite, with the epoch and the value.
    """
    if isinstance(results, Outcome):
        return results
    if isinstance(results, list) and results:
        parts = [read_outcome(part, objective) for part in results]
        names = [name for name in parts[0] if all(name in part for part in parts)]
        return Outcome(
            {name: float(np.mean([part[name] for part in parts])) for name in names},
            int(np.mean([part.step for part in parts])),
        )
    if isinstance(results, keras.callbacks.History):
        return _best_epoch(results.history, objective)
    if isinstance(results, Mapping):
        _check_names(results, objective)
        metrics = {name: float(value) for name, value in results.items()}
        metrics.setdefault(objective.name, float(objective.get_value(metrics)))
        check_finite(metrics, objective)
        return Outcome(metrics)
    if isinstance(results, Real):
        metrics = {objective.name: float(results)}
        check_finite(metrics, objective)
        return Outcome(metrics)
    raise keras_tuner.errors.FatalTypeError(
        "A training must return a History, a number, a dictionary of metrics or a "
        f"list of these. Received: {results!r}"
    )


def choose_execution(outcomes: Sequence[Outcome], objective: Any) -> int:
    """The execution that stands for its trial: the median, the worse of two.

    The mean of several executions is a score that no saved model has; the median is
    that of a model that exists.
    """
    sign = -1.0 if objective.direction == "max" else 1.0
    scores = [sign * outcome[objective.name] for outcome in outcomes]
    return int(np.argsort(scores, kind="stable")[len(scores) // 2])


def check_finite(
    logs: Mapping[str, Any], objective: Any, epoch: int | None = None
) -> None:
    """Fails the trial if its objective or its loss is NaN or infinite."""
    names = {objective.name, *getattr(objective, "name_to_direction", ()), *_LOSSES}
    for name in sorted(names.intersection(logs)):
        if not math.isfinite(logs[name]):
            when = "" if epoch is None else f" in epoch {epoch + 1}"
            raise keras_tuner.errors.FailedTrialError(
                f"Training diverged: {name} is {float(logs[name])}{when}."
            )


def _best_epoch(history: Mapping[str, Sequence[float]], objective: Any) -> Outcome:
    _check_names(history, objective)
    count = min((len(values) for values in history.values()), default=0)
    epochs = [
        {name: float(values[epoch]) for name, values in history.items()}
        for epoch in range(count)
    ]
    if not epochs:
        raise keras_tuner.errors.FatalValueError(
            "A training must run at least one epoch. Received an empty history."
        )
    check_finite(epochs[-1], objective, count - 1)
    best = None
    for epoch, metrics in enumerate(epochs):
        value = float(objective.get_value(metrics))
        metrics[objective.name] = value
        if math.isfinite(value) and (
            best is None or objective.better_than(value, epochs[best][objective.name])
        ):
            best = epoch
    assert best is not None  # the last one is finite
    return Outcome(epochs[best], best)


def _check_names(metrics: Mapping[str, Any], objective: Any) -> None:
    if not objective.has_value(metrics):
        wanted = list(getattr(objective, "name_to_direction", [objective.name]))
        raise keras_tuner.errors.FatalValueError(
            f"The objective {wanted} must be among what a training reports. "
            f"Received: {sorted(metrics)}"
        )
