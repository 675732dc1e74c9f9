"""How good a prediction is, example by example, so that differences pair up."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.arguments import received

_EPSILON = 1e-7  # as Keras clips probabilities


class Score(NamedTuple):
    """A measure of predictions.

    Args:
        name: Its name.
        each: From targets and predictions to a number for each example.
        larger_is_better: Whether it is to be large.
    """

    name: str
    each: Callable[[Any, Any], np.ndarray]
    larger_is_better: bool


def find_score(metric: Any, kind: str, target: np.ndarray, units: int) -> Score:
    """Returns the measure that the user means.

    Args:
        metric: "accuracy", "log_loss", "squared_error", "absolute_error"; a function
            of targets and predictions that returns a loss for each example, to be
            small; or `None`: accuracy, or squared error for values.
        kind: What is predicted; see `Ensemble.kinds`.
        target: The targets, from which an unknown kind is guessed.
        units: Size of the last axis of the predictions.

    Raises:
        ValueError: If the metric is unknown or does not suit what is predicted.
    """
    if callable(metric):
        name = getattr(metric, "__name__", type(metric).__name__)
        return Score(
            str(name), lambda y, p: _mean_rest(np.asarray(metric(y, p))), False
        )
    kind = known_kind(kind, target, units)
    if metric is None:
        metric = "squared_error" if kind == "values" else "accuracy"
    scores = {
        "accuracy": Score("accuracy", lambda y, p: _hits(y, p, kind), True),
        "log_loss": Score("log_loss", lambda y, p: _log_loss(y, p, kind), False),
        "squared_error": Score("squared_error", lambda y, p: _error(y, p, 2), False),
        "absolute_error": Score("absolute_error", lambda y, p: _error(y, p, 1), False),
    }
    if not isinstance(metric, str) or metric not in scores:
        words = ", ".join(repr(name) for name in scores)
        raise ValueError(
            f"`metric` must be one of {words}, or a function. "
            + received("metric", metric)
        )
    if kind == "values" and metric in ("accuracy", "log_loss"):
        raise ValueError(
            "`metric` must be 'squared_error', 'absolute_error' or a function where "
            f"members predict values. {received('metric', metric)}"
        )
    return scores[metric]


def known_kind(kind: str, target: np.ndarray, units: int) -> str:
    """Returns "classes", "labels" or "values", guessed from the targets if unknown."""
    if kind != "unknown":
        return kind
    if units == 1:
        return "labels" if set(np.unique(target)) <= {0, 1} else "values"
    whole = np.issubdtype(target.dtype, np.integer)
    one_hot = target.shape[-1] == units and target.ndim > 1
    if one_hot:
        sums = target.reshape(-1, units).sum(axis=-1)
        return "classes" if np.allclose(sums, 1) and target.min() >= 0 else "values"
    return "classes" if whole else "values"


def class_numbers(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Returns targets as numbers of classes, whichever form they have.

    Args:
        target: Numbers of classes, with or without a last axis of 1, or one-hot.
        predicted: Probabilities, shape `(..., classes)`.
    """
    if target.ndim == predicted.ndim:
        if target.shape[-1] == predicted.shape[-1]:
            return target.argmax(axis=-1)
        target = target[..., 0]
    return target.astype(np.int64)


def check_classes(target: np.ndarray, predicted: np.ndarray) -> None:
    """Refuses numbers of classes that the members have no unit for.

    Args:
        target: The targets, in any form of `class_numbers`.
        predicted: Probabilities, shape `(..., classes)`.

    Raises:
        ValueError: If there are any.
    """
    numbers, classes = class_numbers(target, predicted), predicted.shape[-1]
    beyond = np.unique(numbers[(numbers < 0) | (numbers >= classes)])
    if len(beyond):
        raise ValueError(
            f"`y` must hold classes from 0 to {classes - 1}, as the members have "
            f"{classes} units. {received('classes', beyond[:5].tolist())}"
        )


def _hits(target: np.ndarray, predicted: np.ndarray, kind: str) -> np.ndarray:
    if kind == "labels":
        right = (predicted > 0.5) == (_like(target, predicted) > 0.5)
    else:
        right = predicted.argmax(axis=-1) == class_numbers(target, predicted)
    return _mean_rest(right.astype(np.float64))


def _log_loss(target: np.ndarray, predicted: np.ndarray, kind: str) -> np.ndarray:
    p = np.clip(predicted.astype(np.float64), _EPSILON, 1 - _EPSILON)
    if kind == "labels":
        t = _like(target, predicted)
        return _mean_rest(-(t * np.log(p) + (1 - t) * np.log(1 - p)))
    if target.ndim == p.ndim and target.shape[-1] == p.shape[-1]:
        return _mean_rest(-(target * np.log(p)).sum(axis=-1))
    chosen = class_numbers(target, p)[..., None]
    return _mean_rest(-np.log(np.take_along_axis(p, chosen, axis=-1))[..., 0])


def _error(target: np.ndarray, predicted: np.ndarray, power: int) -> np.ndarray:
    difference = predicted.astype(np.float64) - _like(target, predicted)
    return _mean_rest(np.abs(difference) ** power)


def _like(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Returns targets in the shape of the predictions, without broadcasting."""
    return np.asarray(target, np.float64).reshape(predicted.shape)


def _mean_rest(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)
