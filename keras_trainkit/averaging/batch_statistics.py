"""Statistics of BatchNormalization for weights that never were trained with."""

import collections
import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.calls import shown_calls
from keras_trainkit.keras_model.layers import normalizing_layers


class BatchStatistics:
    """Estimates the moving statistics of a model for given weights.

    Batches go through the model as in training, and the statistics of the batches
    are averaged, each batch alike. The model itself is not touched: all of its
    state is handed in and out as tensors.

    Args:
        model: A built model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.layers = normalizing_layers(model)
        self._function = self._of_batch
        if not model.run_eagerly:
            self._function = tf.function(self._of_batch, reduce_retracing=True)

    def estimate(
        self, weights: list[tuple[Any, Any]], batches: Iterable[Any]
    ) -> list[tuple[Any, Any]]:
        """Passes batches through the model.

        Args:
            weights: Trainable variables and the values to use in their place.
            batches: Inputs of the model, a batch each.

        Returns:
            Each moving statistic's variable with its estimate, in float32 or wider;
            none for layers that the model did not call in training mode.

        Raises:
            ValueError: If there is not a single batch.
        """
        values = {id(variable): value for variable, value in weights}
        trainable = [
            values.get(id(variable), tf.convert_to_tensor(variable))
            for variable in self._model.trainable_variables
        ]
        state = [tf.convert_to_tensor(v) for v in self._model.non_trainable_variables]
        means: list[Any] = []
        count = 0
        for x in batches:
            count += 1
            statistics, state = self._function(trainable, state, x)
            means = [
                mean + (value - mean) / count
                for mean, value in zip(
                    means or map(tf.zeros_like, statistics), statistics, strict=True
                )
            ]
        if not count:
            raise ValueError("`train_data` must hold a batch at least. Received: none")
        return list(zip(self._reached, means, strict=True))

    def _of_batch(self, trainable: list[Any], state: list[Any], x: Any) -> Any:
        variables = self._model.non_trainable_variables
        moving = {id(v) for layer in self.layers for v in _statistics_of(layer)}
        state = [
            # From zero: whatever a statistic was, infinity included, has no part.
            tf.zeros_like(value) if id(variable) in moving else value
            for variable, value in zip(variables, state, strict=True)
        ]
        training = (
            {"training": True}
            if getattr(self._model, "_call_has_training_arg", True)
            else {}
        )

        written: set[int] = set()

        def forward() -> Any:
            _, after = self._model.stateless_call(trainable, state, x, **training)
            for variable, old, new in zip(variables, state, after, strict=True):
                if new is not old:
                    written.add(id(variable))
            return after

        with _counted(self.layers):
            after = forward() if not self._synchronized() else self._replicated(forward)
        found = {id(v): value for v, value in zip(variables, after, strict=True)}
        self._reached = [
            variable
            for layer in self.layers
            for variable in _statistics_of(layer)
            if id(variable) in written
        ]
        return [_widened(found[id(variable)]) for variable in self._reached], after

    def _synchronized(self) -> bool:
        replicas = self._model.distribute_strategy.num_replicas_in_sync
        return replicas > 1 and any(layer.synchronized for layer in self.layers)

    def _replicated(self, forward: Any) -> Any:
        # Such layers ask the other replicas, which are given the same batch.
        strategy = self._model.distribute_strategy
        return [
            strategy.experimental_local_results(value)[0]
            for value in strategy.run(forward)
        ]


def _statistics_of(layer: Any) -> list[Any]:
    names = ("moving_mean", "moving_variance", "moving_stddev")
    found = [getattr(layer, name, None) for name in names]
    return [variable for variable in found if variable is not None]


def _widened(value: Any) -> Any:
    return value if value.dtype == tf.float64 else tf.cast(value, tf.float32)


@contextlib.contextmanager
def _counted(layers: list[Any]) -> Iterator[None]:
    """Makes the layers take the plain mean over their calls.

    With the momentum k / (k + 1) in call k = 0, 1, ... the moving statistic is the
    mean of those of the calls: of one call as a rule, of several if a layer is
    shared.
    """
    # Replicas have a thread each and call the layers in turn.
    calls: collections.Counter[tuple[int, int]] = collections.Counter()
    kept = [(layer, layer.momentum) for layer in layers]

    def count(layer: Any, call: Any, args: tuple, kwargs: dict) -> Any:
        key = id(layer), threading.get_ident()
        count = calls[key]
        calls[key] += 1
        # Around Keras' attribute tracking, which would take the number for state.
        layer.__dict__["momentum"] = count / (count + 1)
        return call(*args, **kwargs)

    try:
        with shown_calls(layers, count):
            yield
    finally:
        for layer, momentum in kept:
            layer.__dict__["momentum"] = momentum
