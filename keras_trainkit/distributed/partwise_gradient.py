"""A full loss and gradient, computed in parts by the workers of a cluster."""

import concurrent.futures
import statistics
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.distributed.patience import wait_patiently

# Enough that fast workers do more of them and little is lost with one; the same for
# any few workers, so that the sum is the same to the last bit.
_PARTS = 16
_LOOK_EVERY = 0.02  # seconds
# Asked for again when it takes longer than this many times a usual part.
_SLOW = 3.0


class PartwiseGradient:
    """Sums the parts of an objective's gradient in their order, whoever did them.

    The workers get the data once, as constants of the functions they are sent; at
    each evaluation only the vector goes out, by way of a server, and a gradient for
    each part comes back. A part that takes much longer than usual is given to a
    second worker, and the first answer counts; a part whose worker dies is computed
    by another. So the sum does not depend on how many workers there are or die.

    Args:
        cluster: The cluster, running.
        objective: Has `in_parts(count)`, a function in chunks, and `model`; see
            `second_order`.

    Raises:
        ValueError: If the loss reads variables that no layer of the model owns.

    Reference:
        [Dean et al., Large Scale Distributed Deep Networks, NIPS 2012, section
        4.2](https://papers.nips.cc/paper/4687)
    """

    def __init__(self, cluster: Any, objective: Any) -> None:
        self._cluster = cluster
        flat = objective.in_parts(max(_PARTS, 2 * cluster.workers))
        self._dtype = np.dtype(objective.dtype)
        with cluster.strategy.scope():
            zeros = np.zeros(flat.packing.total, self._dtype)
            self._vector = tf.Variable(zeros, trainable=False)
        self._traces: dict[Any, Any] = {}
        self._parts = [
            self._part(flat, chunk, objective.model) for chunk in flat.chunks
        ]
        # More than there are parts: the second askings take a thread as well.
        self._pool = concurrent.futures.ThreadPoolExecutor(2 * len(self._parts))

    def value_and_gradient(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns loss and gradient at a vector; see `GradientSource`."""
        self._vector.assign(np.asarray(vector, self._dtype))
        found = self._computed()
        value = sum(float(part) for part, _ in found)
        gradient = np.zeros(self._vector.shape, np.float64)
        for _, part in found:
            gradient += part
        return value, gradient.astype(self._dtype)

    def close(self) -> None:
        """Ends the threads that wait for answers."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _part(self, flat: Any, chunk: Any, model: Any) -> Any:
        """A function without arguments that a worker can be sent once."""
        arrays = [
            np.asarray(leaf) for leaf in tf.nest.flatten(chunk) if leaf is not None
        ]
        shapes = tuple((array.dtype, array.shape) for array in arrays)
        if shapes not in self._traces:
            self._traces[shapes] = self._traced(flat, chunk, model, arrays)
        traced = self._traces[shapes]

        def part() -> Any:
            return traced(*map(tf.constant, arrays))

        return tf.function(part, autograph=False)

    def _traced(self, flat: Any, chunk: Any, model: Any, arrays: list[Any]) -> Any:
        # What layers hold besides their weights lies in this process, where no worker
        # can read it: it goes out by value.
        held = [(variable, variable.numpy()) for variable in model.variables]

        def traced(*tensors: Any) -> Any:
            queue = list(tensors)
            filled = tf.nest.map_structure(
                lambda leaf: None if leaf is None else queue.pop(0), chunk
            )
            with keras.StatelessScope(held):
                return flat.of_chunk(tf.identity(self._vector), filled)

        function = tf.function(traced, autograph=False).get_concrete_function(
            *[tf.TensorSpec(array.shape, array.dtype) for array in arrays]
        )
        foreign = [
            variable.name
            for variable in function.graph.variables
            if variable.device != self._vector.device
        ]
        if foreign:
            raise ValueError(
                "`model` must have a loss that reads no variables but those of its "
                "layers, for others lie in this process. "
                + received("variables", foreign)
            )
        return function

    def _computed(self) -> list[tuple[Any, np.ndarray]]:
        """The value and gradient of each part, in the order of the parts."""
        coordinator = self._cluster.coordinator
        waiting: dict[concurrent.futures.Future, int] = {}

        def ask(place: int) -> None:
            answer = coordinator.schedule(self._parts[place])
            waiting[self._pool.submit(answer.fetch)] = place

        for place in range(len(self._parts)):
            ask(place)
        found: dict[int, Any] = {}
        times: list[float] = []
        asked_again: set[int] = set()
        moved = time.monotonic()

        def look() -> int | None:
            nonlocal moved
            if len(found) == len(self._parts):
                return None
            done, _ = concurrent.futures.wait(
                waiting, _LOOK_EVERY, concurrent.futures.FIRST_COMPLETED
            )
            now = time.monotonic()
            for future in done:
                place = waiting.pop(future)
                found.setdefault(place, future.result())
                times.append(now - moved)
                moved = now
            rest = set(range(len(self._parts))) - set(found) - asked_again
            if times and len(rest) <= self._cluster.workers:
                usual = statistics.median(times) * self._cluster.workers
                if now - moved > _SLOW * usual + _LOOK_EVERY:
                    asked_again.update(rest)
                    for place in sorted(rest):
                        ask(place)
            return len(times)

        wait_patiently(
            look,
            self._cluster.check,
            self._cluster.patience,
            "No part of the gradient came",
            "a part",
        )
        return [found[place] for place in range(len(self._parts))]
