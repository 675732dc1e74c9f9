"""The best that plain gradient descent does, by which all rules are judged."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.testbed.batch import Batch
from keras_trainkit.testbed.grading import LIMIT, scores

RATES = np.logspace(-10, 0, 34)
"""The constant rates that are tried on each problem."""

# Elements times steps of the runs side by side: a bound on the memory of their noise.
_ELEMENTS = 4e6


def best_descent(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Returns score and rate of the best constant rate for each problem.

    Args:
        batch: The problems.

    Returns:
        Scores, NaN where every rate diverged, and rates; shape `(problems,)`.
    """
    seeds, size = len(batch.seeds), int(batch.start.shape[0])
    together = int(np.clip(_ELEMENTS / (size * batch.steps), 1, len(RATES)))
    descend = _descending(batch.repeated(together), together)
    found = {}
    for first in range(0, len(RATES), together):
        first = min(first, len(RATES) - together)  # all shapes alike: one trace
        last, valid = descend(RATES[first : first + together])
        for part in range(together):
            runs = np.s_[:, part * seeds : (part + 1) * seeds]
            found[first + part] = scores(last[runs], valid[runs]).values
    table = np.array([found[index] for index in range(len(RATES))])
    place = np.argmin(np.where(np.isnan(table), np.inf, table), axis=0)
    return table[place, np.arange(table.shape[1])], RATES[place]


def _descending(
    batch: Batch, sets: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Makes what descends with a rate for each set of seeds.

    It returns the last values, and which runs stayed finite.
    """

    @tf.function(jit_compile=False)
    def descend(rate: Any) -> tuple[Any, Any]:
        x, valid = batch.start, tf.fill([len(batch.problems), len(batch.seeds)], True)
        for step in tf.range(batch.steps):
            seen = batch.see(x, step)
            valid = valid & (seen.values <= LIMIT)
            x -= rate * seen.gradients
        return batch.score(x), valid

    def ordered(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        each: Any = np.repeat(rates, len(batch.seeds) // sets)
        last, valid = descend(batch.spread(each))
        return batch.in_order(last), batch.in_order(valid)

    return ordered
