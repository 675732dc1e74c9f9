"""An optimizer on one weight, started anew as often as is wanted."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import Optimizer

from keras_trainkit.testbed.batch import Batch
from keras_trainkit.testbed.grading import LIMIT


class Descent:
    """Runs an optimizer over problems, in one compiled loop.

    Args:
        optimizer: The optimizer, not yet built; it belongs to this object.
        size: Elements of the weight.
    """

    def __init__(self, optimizer: Optimizer, size: int) -> None:
        self.optimizer = optimizer
        self.weight = keras.Variable(np.zeros(size), dtype="float64", name="x")
        optimizer.build([self.weight])
        self._kept = [(one, one.numpy()) for one in optimizer.variables]

    def start(self, x: Any) -> None:
        """Puts the weight at a point, and the optimizer's state at its beginning."""
        self.weight.assign(x)
        for variable, value in self._kept:
            variable.assign(value)

    def step(self, gradient: Any) -> None:
        """Makes one update."""
        self.optimizer.apply([gradient], [self.weight])

    def finish(self) -> Any:
        """Returns the last point, averaged if the optimizer averages."""
        self.optimizer.finalize_variable_values([self.weight])
        return tf.convert_to_tensor(self.weight)


def together(optimizer: Optimizer, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Runs an element-wise optimizer over all problems and seeds at once.

    Args:
        optimizer: The optimizer, not yet built.
        batch: The problems.

    Returns:
        The last expected values, and whether each run stayed finite, both of shape
        `(problems, seeds)`.
    """
    descent = Descent(optimizer, int(batch.start.shape[0]))
    descent.start(batch.start)

    @tf.function(jit_compile=False)
    def descend() -> Any:
        valid = tf.fill([len(batch.problems), len(batch.seeds)], True)
        for step in tf.range(batch.steps):
            seen = batch.see(tf.convert_to_tensor(descent.weight), step)
            valid = valid & (seen.values <= LIMIT)
            descent.step(seen.gradients)
        return valid

    valid = descend()
    last = batch.score(descent.finish())
    return batch.in_order(last), batch.in_order(valid)


def one_by_one(
    make: Callable[[], Optimizer],
    batch: Batch,
    report: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Runs an optimizer over one problem and one seed after the other.

    For rules in which an element's step depends on other elements, and for those
    that fail on some problems.

    Args:
        make: Makes the optimizer.
        batch: The problems.
        report: Called with the number of problems done.

    Returns:
        As from `together`, and what was raised, by index of the problem.
    """
    shape = len(batch.problems), len(batch.seeds)
    last, valid = np.full(shape, np.nan), np.full(shape, False)
    failures: dict[int, str] = {}
    done = 0
    for block, members in zip(batch.blocks, batch.members, strict=True):
        descend, descent = _descending(make(), block, batch.steps)
        for place, index in enumerate(members):
            for seed in range(shape[1]):
                try:
                    valid[index, seed] = descend(tf.constant(place), tf.constant(seed))
                    x = tf.reshape(descent.finish(), [1, 1, -1])
                    score = block.at(tf.constant(place), tf.constant(seed)).score(x)
                    last[index, seed] = score[0, 0]
                except Exception as error:
                    failures[index] = said(error)
                    break
            done += 1
            report(done)
    return last, valid, failures


def said(error: Exception) -> str:
    """Returns the kind of an error and the one line that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if lines[0] == "in user code:":  # AutoGraph puts the story before the words
        return lines[-1]
    if lines[0] == "Graph execution error:":  # and so do graphs
        lines = [line for line in lines if not line.startswith("[[")][-1:]
    return f"{type(error).__name__}: {lines[0]}"


def _descending(
    optimizer: Optimizer, block: Any, steps: int
) -> tuple[Callable[[Any, Any], Any], Descent]:
    dimensions = int(block.start.shape[2])
    descent = Descent(optimizer, dimensions)

    @tf.function(jit_compile=False)
    def descend(problem: Any, seed: Any) -> Any:
        part = block.at(problem, seed)
        descent.start(tf.reshape(part.start, [dimensions]))
        valid = tf.constant(True)
        for step in tf.range(steps):
            x = tf.reshape(tf.convert_to_tensor(descent.weight), [1, 1, dimensions])
            seen = part.see(x, step)
            valid = valid & (seen.values[0, 0] <= LIMIT)
            descent.step(tf.reshape(seen.gradients, [dimensions]))
        return valid

    return descend, descent
