"""The best that plain gradient descent does, by which all rules are judged."""

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
    found: list[np.ndarray] = []
    while len(found) < len(RATES):
        rates = RATES[len(found) : len(found) + together]
        last, valid = _descend(batch.repeated(len(rates)), np.repeat(rates, seeds))
        for part in range(len(rates)):
            runs = np.s_[:, part * seeds : (part + 1) * seeds]
            found.append(scores(last[runs], valid[runs]).values)
    table = np.array(found)
    place = np.argmin(np.where(np.isnan(table), np.inf, table), axis=0)
    return table[place, np.arange(table.shape[1])], RATES[place]


def _descend(batch: Batch, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Descends with a rate for each seed; returns last values and who stayed finite."""
    rate = batch.spread(rates)

    @tf.function(jit_compile=False)
    def descend() -> tuple[Any, Any]:
        x, valid = batch.start, tf.fill([len(batch.problems), len(rates)], True)
        for step in tf.range(batch.steps):
            seen = batch.see(x, step)
            valid = valid & (seen.values <= LIMIT)
            x -= rate * seen.gradients
        return batch.score(x), valid

    last, valid = descend()
    return batch.in_order(last), batch.in_order(valid)
