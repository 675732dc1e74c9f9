"""What a worker does between two visits to the parameter servers."""

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.distributed.counting import counted_up

_MOST_STEPS = 64


class Rhythm:
    """How many batches lie between two visits to the servers.

    Args:
        push_every: Batches whose gradients are summed before they are pushed.
        fetch_every: Batches that are computed on parameters fetched once.

    Raises:
        ValueError: If they are not integers >= 1, or meet too seldom.
    """

    def __init__(self, push_every: int, fetch_every: int) -> None:
        self.push_every = check_integer("push_every", push_every, minimum=1)
        self.fetch_every = check_integer("fetch_every", fetch_every, minimum=1)
        self.steps = math.lcm(self.push_every, self.fetch_every)
        if self.steps > _MOST_STEPS:
            raise ValueError(
                "`push_every` and `fetch_every` must have a common multiple of at "
                f"most {_MOST_STEPS}. "
                + received("push_every, fetch_every", (push_every, fetch_every))
            )


class Report(NamedTuple):
    """What a worker says of one visit, as tensors or arrays.

    Args:
        losses: Loss of each batch, shape `(steps,)`.
        updates: Number of each update that it made, from 0, shape `(pushes,)`.
        staleness: Updates by others between the fetch of the parameters and the
            push of the gradient, for each push, shape `(pushes,)`.
        worker: Which worker it was.
        seconds: When it began and ended, by the worker's clock, shape `(2,)`.
    """

    losses: Any
    updates: Any
    staleness: Any
    worker: Any
    seconds: Any


class AsynchronousStep:
    """Steps of asynchronous SGD as one function that a worker can be sent.

    The parameters are fetched, gradients are computed on them, batch after batch,
    and summed gradients are pushed through the optimizer, whose state lies with the
    parameters. While parameters are kept over several batches the worker moves its
    copy along by plain gradient descent at the current rate.

    Args:
        model: A compiled model made under the strategy of the cluster.
        rhythm: When to push and to fetch.

    Reference:
        [Dean et al., Large Scale Distributed Deep Networks, 2012, algorithm
        7.1](https://papers.nips.cc/paper/4687)
    """

    def __init__(self, model: Any, rhythm: Rhythm) -> None:
        self._model = model
        self._rhythm = rhythm
        self._made: list[Any] = []
        _count_truly(model.optimizer, self._made)
        self._weights = list(model.trainable_variables)
        self._others = list(model.non_trainable_variables)

    def __call__(self, batches: list[tuple[Any, Any]]) -> Report:
        """Does one visit; to be traced in a replica of the strategy.

        Args:
            batches: As many as a visit has, each with the worker's number before it.
        """
        rhythm = self._rhythm
        begin = tf.timestamp()
        losses, updates, staleness = [], [], []
        weights: list[Any] = []
        gathered: list[Any] = []
        fetched, own = tf.constant(0, tf.int64), 0
        for step, (_, batch) in enumerate(batches):
            if step % rhythm.fetch_every == 0:
                fetched, weights = self._fetch()
                own = 0
            loss, gradients = self._gradients(weights, batch)
            losses.append(loss)
            gathered = _sums(gathered, gradients)
            if (step + 1) % rhythm.push_every == 0:
                updates.append(self._push(gathered))
                staleness.append(updates[-1] - fetched - own)
                gathered = []
                own += 1
            if (step + 1) % rhythm.fetch_every:
                weights = self._moved(weights, gradients)
        with tf.control_dependencies([*losses, *updates]):
            end = tf.timestamp()
        return Report(
            tf.stack(losses),
            tf.stack(updates),
            tf.stack(staleness),
            batches[0][0],
            tf.stack([begin, end]),
        )

    def _gradients(self, weights: list[Any], batch: Any) -> tuple[Any, list[Any]]:
        model = self._model
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            mapping = zip(self._weights, weights, strict=True)
            with keras.StatelessScope(mapping, collect_losses=True) as scope:
                predicted = model(x, training=True)
                loss = model.compute_loss(x, y, predicted, sample_weight, training=True)
        gradients = tape.gradient(loss, weights)
        # Statistics and counters of the layers: the last to write is right.
        for variable in self._others:
            value = scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)
        return tf.cast(loss, tf.float32), gradients

    def _fetch(self) -> tuple[Any, list[Any]]:
        """The updates made so far, and the weights, which may be a little newer."""
        count = tf.cast(tf.identity(self._model.optimizer.iterations.value), tf.int64)
        with tf.control_dependencies([count]):
            return count, [tf.identity(variable.value) for variable in self._weights]

    def _push(self, gradients: list[Any]) -> Any:
        """Updates the weights where they lie; returns the number of the update."""
        pairs = [
            (gradient, variable)
            for gradient, variable in zip(gradients, self._weights, strict=True)
            if gradient is not None
        ]
        gradients, variables = (list(part) for part in zip(*pairs, strict=True))
        # The number of the update depends on no tensor, and would be drawn at once.
        with tf.control_dependencies(gradients):
            self._model.optimizer.apply(gradients, variables)
        return tf.cast(self._made.pop(), tf.int64)

    def _moved(self, weights: list[Any], gradients: list[Any]) -> list[Any]:
        rate = tf.convert_to_tensor(self._model.optimizer.learning_rate)
        return [
            weight if g is None else weight - tf.cast(rate, weight.dtype) * _dense(g)
            for weight, g in zip(weights, gradients, strict=True)
        ]


def _count_truly(optimizer: Any, made: list[Any]) -> None:
    """Makes an optimizer count by one atomic operation where its counter lies.

    Keras reads the count, adds to it and writes it: of two updates made at the same
    time one would be lost, and schedules would lag behind.
    """
    counter = optimizer.iterations

    def assign_add(value: Any) -> None:
        made.append(counted_up(counter.value))

    # Around Keras' attribute tracking.
    counter.__dict__["assign_add"] = assign_add


def _sums(gathered: list[Any], gradients: list[Any]) -> list[Any]:
    if not gathered:
        return gradients
    return [
        one if other is None else other if one is None else _dense(one) + _dense(other)
        for one, other in zip(gathered, gradients, strict=True)
    ]


def _dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient)
