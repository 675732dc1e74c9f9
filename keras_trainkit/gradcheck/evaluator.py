"""Evaluates the terms of a problem at many perturbed points in one compiled call."""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.gradcheck.fingerprint import (
    branch_operations,
    fingerprint,
    has_hidden_branches,
)
from keras_trainkit.problems.gradient import terms_and_gradients
from keras_trainkit.problems.packing import Packing
from keras_trainkit.problems.problem import Problem

ONES = 0  # the row of the bank of directions that holds a one at every place
CHUNK = 2048  # evaluations a call: enough to hide its cost, few enough to report
LONG = 5.0  # seconds from which a progress bar is shown


@dataclasses.dataclass
class Jobs:
    """Directions, each restricted to an interval of the concatenated parameters.

    Args:
        start: First place of each interval, shape `(n,)`.
        end: One past its last place.
        row: Row of the bank of directions, `ONES` for a coordinate.
        scale: Factor that gives the direction the length one.
        size: Magnitude of the values perturbed; steps grow with it.
    """

    start: np.ndarray
    end: np.ndarray
    row: np.ndarray
    scale: np.ndarray
    size: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: Any) -> "Jobs":
        return Jobs(*(column[rows] for column in vars(self).values()))

    @property
    def single(self) -> np.ndarray:
        """Which jobs move one coordinate only."""
        return self.end - self.start == 1

    @staticmethod
    def join(parts: "list[Jobs]") -> "Jobs":
        """Returns all jobs of a list, in order."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return Jobs(*(np.concatenate(column) for column in columns))


class Evaluator:
    """Keeps one trace for coordinates, directions, intervals and noise probes.

    Args:
        problem: What to evaluate.
        directions: Rows of random directions to prepare, int >= 1.
        seed: Seed of the directions.
        progress: Whether long evaluations show a progress bar.
    """

    def __init__(
        self, problem: Problem, *, directions: int, seed: int, progress: bool
    ) -> None:
        self.problem = problem
        self.progress = progress
        self.packing = Packing(map(np.shape, problem.values), problem.kinds)
        self.shapes, self.sizes = self.packing.shapes, self.packing.sizes
        self.offsets, self.total = self.packing.offsets, self.packing.total
        self.flat = self.packing.pack(problem.values)
        random = np.random.default_rng(seed)
        signs = random.choice([-1.0, 1.0], (directions, self.total))
        sizes = random.uniform(0.5, 1.5, (directions, self.total))
        self.bank = np.concatenate([np.ones((1, self.total)), signs * sizes])
        self._bank = tf.constant(self.bank)
        self.branches: list[str] = []
        self.hidden_branches = False
        self.single_precision: list[str] = []
        self.connected: list[list[bool]] = []
        self._lifted = False

    @functools.cached_property
    def _value(self) -> Any:
        return _trace(self._terms_and_marks, self._point)

    @functools.cached_property
    def _mapped(self) -> Any:
        kinds = (tf.int64, tf.int64, tf.int32, tf.float64)
        jobs = [tf.TensorSpec([None], kind) for kind in kinds]
        return _trace(self._map, *jobs, self._point)

    @functools.cached_property
    def _gradient(self) -> Any:
        return _trace(self._backward, self._point)

    @property
    def _point(self) -> Any:
        return tf.TensorSpec([self.total], tf.float64)

    @property
    def stops(self) -> list[str]:
        """Names of the `stop_gradient`s in the graph, those in branches included."""
        definition = self._value.graph.as_graph_def()
        nodes = [*definition.node]
        for function in definition.library.function:
            nodes += function.node_def
        # The mean inside `tf.nn.moments` is stopped where its gradient is zero.
        return [
            node.name
            for node in nodes
            if node.op == "StopGradient" and "moments" not in node.name
        ]

    @property
    def double(self) -> bool:
        """Whether everything is computed in float64, lifted or not."""
        return self.problem.double or self._lifted

    def replace(self, value: Any, gradient: Any) -> None:
        """Puts double-precision twins in place of the traced functions."""
        self._value, self._gradient, self._lifted = value, gradient, True
        vars(self).pop("_mapped", None)

    def value(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the terms and the branch marks at the point itself."""
        terms, marks = self._value(tf.constant(self.flat))
        return terms.numpy(), marks.numpy()

    def gradient(self) -> np.ndarray:
        """Returns the analytic gradient of each term, shape `(terms, places)`."""
        return self.gradient_at(self.flat)

    def gradient_at(self, flat: np.ndarray) -> np.ndarray:
        """Returns the analytic gradient of each term at another point."""
        return self._gradient(tf.constant(flat)).numpy()

    def losses(self, jobs: Jobs, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Evaluates each job at each of its steps.

        Args:
            jobs: The directions, `n` of them.
            steps: Signed steps along them, shape `(n, m)`.

        Returns:
            Terms, shape `(n, m, terms)`, and marks, shape `(n, m, branches)`.
        """
        count = steps.shape[1]
        starts: Any = np.repeat(jobs.start, count)
        ends: Any = np.repeat(jobs.end, count)
        rows: Any = np.repeat(jobs.row, count)
        moves = (steps * jobs.scale[:, None]).ravel()
        points = len(moves)
        terms, marks, bar, done, first = [], [], None, 0, 0
        begun = time.monotonic()
        while done < points:
            part = slice(done, done + (64 if done == 0 else CHUNK))
            value, mark = self._mapped(
                tf.constant(starts[part], tf.int64),
                tf.constant(ends[part], tf.int64),
                tf.constant(rows[part], tf.int32),
                tf.constant(moves[part], tf.float64),
                tf.constant(self.flat),
            )
            terms.append(value.numpy())
            marks.append(mark.numpy())
            done = min(part.stop, points)
            if not first:  # the first call may have traced: time the others
                first, begun = done, time.monotonic()
                continue
            expected = (time.monotonic() - begun) / (done - first) * points
            if self.progress and bar is None and expected > LONG:
                bar = keras.utils.Progbar(points, unit_name="evaluation")
            if bar is not None:
                bar.update(done)
        shapes = [(len(jobs), count, found[0].shape[1]) for found in (terms, marks)]
        return (
            np.concatenate(terms).reshape(shapes[0]),
            np.concatenate(marks).reshape(shapes[1]),
        )

    def direction(self, start: int, end: int, row: int) -> Jobs:
        """Returns the job over `[start, end)` along a row of the bank."""
        size = max(1.0, float(np.sqrt(np.mean(np.square(self.flat[start:end])))))
        scale = 1.0 / float(np.linalg.norm(self.bank[row, start:end]))
        return Jobs(
            *(np.array([entry], np.int64) for entry in (start, end, row)),
            *(np.array([entry]) for entry in (scale, size)),
        )

    def coordinates(self, places: Any) -> Jobs:
        """Returns one job for each of some places of the concatenation."""
        start = np.asarray(places, np.int64).reshape(-1)
        return Jobs(
            start,
            start + 1,
            np.full(len(start), ONES, np.int64),
            np.ones(len(start)),
            np.maximum(1.0, np.abs(self.flat[start])),
        )

    def along(self, gradient: np.ndarray, jobs: Jobs) -> np.ndarray:
        """Returns the derivative along each job that a gradient claims.

        Args:
            gradient: Gradient of each term, shape `(terms, places)`.
            jobs: The directions, `n` of them.

        Returns:
            Shape `(n, terms)`.
        """
        slopes = gradient[:, jobs.start].T.copy()
        for one in np.flatnonzero(jobs.row != ONES):
            places = slice(jobs.start[one], jobs.end[one])
            direction = self.bank[jobs.row[one], places] * jobs.scale[one]
            slopes[one] = gradient[:, places] @ direction
        return slopes

    def _terms_and_marks(self, flat: Any) -> tuple[Any, Any]:
        graph = tf.compat.v1.get_default_graph()
        terms = tf.stack(self.problem.terms(self.packing.split(flat)))
        operations = branch_operations(graph)
        self.branches = [operation.name for operation in operations]
        self.hidden_branches = has_hidden_branches(graph)
        self.single_precision = _single_precision(graph, flat)
        return terms, fingerprint(operations)

    def _map(self, starts: Any, ends: Any, rows: Any, moves: Any, flat: Any) -> Any:
        places = tf.range(self.total, dtype=tf.int64)

        def one(job: Any) -> Any:
            start, end, row, move = job
            inside = (places >= start) & (places < end)
            direction = tf.gather(self._bank, row) * move
            return self._value(flat + tf.where(inside, direction, 0.0))

        return tf.map_fn(
            one,
            (starts, ends, rows, moves),
            fn_output_signature=(tf.float64, tf.float64),
        )

    def _backward(self, flat: Any) -> Any:
        parts = self.packing.split(flat)
        _, found = terms_and_gradients(self.problem.terms, parts)
        self.connected = [[part is not None for part in row] for row in found]
        return tf.stack([self.packing.join(row) for row in found])


def _trace(function: Callable[..., Any], *signature: Any) -> Any:
    """Traces once; a concrete function never traces again, nor warns that it did."""
    return tf.function(function, autograph=False).get_concrete_function(*signature)


def _single_precision(graph: Any, source: Any) -> list[str]:
    """Names operations computing in less than float64 downstream of `source`."""
    reached = {source.ref()}
    named = []
    for operation in graph.get_operations():
        if not any(tensor.ref() in reached for tensor in operation.inputs):
            continue
        reached.update(tensor.ref() for tensor in operation.outputs)
        if any(
            tensor.dtype in (tf.float32, tf.float16, tf.bfloat16)
            for tensor in operation.outputs
        ):
            named.append(operation.name)
    return named
