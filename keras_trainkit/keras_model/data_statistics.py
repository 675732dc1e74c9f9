"""What inputs say of their targets before any model is asked."""

import math
from typing import Any

import keras
import numpy as np

_NEIGHBOURS = 5
_PERMUTATIONS = 100
_FEWEST_EXAMPLES = 30
_MOST_FEATURES = 4096


def neighbours_alike(x: Any, targets: Any) -> float:
    """Says whether examples whose inputs are alike have targets that are alike.

    Moran's I over the five nearest other examples, by Euclidean distance between
    standardised inputs, in deviations from what permuted targets give. It needs no
    model: where it is large, labels belong to their inputs, whatever a training made
    of them. Where it is small, nothing is known: nearest examples need not be alike
    in what matters, e.g. numbers of words.

    Args:
        x: Inputs, an array or a structure of arrays with the examples first; those
            that are not floating are left out.
        targets: Shape `(examples,)` or `(examples, …)`. Numbers of classes as they
            are: whole numbers of at most 50 kinds are taken for classes.

    Returns:
        Dimensionless: within -3 ... 3 by chance; NaN if there are fewer than 30
        examples, no floating inputs, or nothing varies.

    Reference:
        [Moran, 1950, Notes on continuous stochastic phenomena](https://doi.org/10.2307/2332142)
    """
    inputs = [np.asarray(part) for part in keras.tree.flatten(x)]
    inputs = [part for part in inputs if part.dtype.kind == "f" and part.size]
    targets = np.asarray(targets)
    rows = len(targets)
    if not inputs or rows < _FEWEST_EXAMPLES or targets.dtype.kind not in "biuf":
        return math.nan
    points = np.concatenate([part.reshape(rows, -1) for part in inputs], axis=1)
    points = points[:, :: -(-points.shape[1] // _MOST_FEATURES)]
    points = _standardised(points.astype(np.float64))
    values = _standardised(_one_hot(targets).reshape(rows, -1).astype(np.float64))
    if not (points.size and values.size):
        return math.nan
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares - 2.0 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argpartition(distances, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]

    def likeness(some: np.ndarray) -> float:
        return float((some * some[nearest].mean(axis=1)).mean())

    random = np.random.default_rng(0)
    chance = [likeness(values[random.permutation(rows)]) for _ in range(_PERMUTATIONS)]
    spread = float(np.std(chance))
    if not spread > 0:
        return math.nan
    return (likeness(values) - float(np.mean(chance))) / spread


def persistence_answers(x: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Answers that repeat what the inputs hold already, e.g. the value before.

    Args:
        x: Inputs. Of series, shape `(examples, times, features)`, the last time is
            repeated; of tables, shape `(examples, features)`, each column in turn.
        shape: Of the answers, `(examples, …)`.

    Returns:
        Arrays of that shape; none if `x` is another structure, or answers hold more
        than one value an example that the last time does not hold.
    """
    parts = keras.tree.flatten(x)
    if len(parts) != 1:
        return []
    inputs = np.asarray(parts[0])
    if inputs.dtype.kind != "f" or inputs.ndim not in (2, 3):
        return []
    last = inputs if inputs.ndim == 2 else inputs[:, -1]
    size = math.prod(shape[1:])
    if size == 1:
        return [last[:, place].reshape(shape) for place in range(last.shape[1])]
    if inputs.ndim == 3 and size == last.shape[1]:
        return [last.reshape(shape)]
    return []


def _standardised(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1, of those that vary and are finite."""
    with np.errstate(all="ignore"):
        spread = values.std(axis=0)
        keep = np.isfinite(spread) & (spread > 0)
        return (values[:, keep] - values[:, keep].mean(axis=0)) / spread[keep]


def _one_hot(targets: np.ndarray) -> np.ndarray:
    if targets.size != len(targets):
        return targets
    flat = targets.reshape(-1)
    if not np.isfinite(flat).all() or (flat != np.round(flat)).any():
        return flat
    kinds = np.unique(flat)
    return flat if len(kinds) > 50 else flat[:, None] == kinds
