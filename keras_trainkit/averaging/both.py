"""Validates two sets of weights on the same batches, in one pass over the data."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.generators import generators_restored
from keras_trainkit.keras_model.state import parts_of, read, write
from keras_trainkit.keras_model.test_function import unshared
from keras_trainkit.keras_model.train_function import traced, written_by
from keras_trainkit.train_step.replay import Replay, is_of_tensorflow, take


class BothEvaluated:
    """Stands in for `model.test_function` while `fit` validates.

    Each batch is given to the weights as they are, and then to those that `assign`
    puts in their place, with metrics of their own; each call puts everything back.
    The data are read once, so that neither a shuffle nor a `PyDataset` is moved
    on.

    Args:
        model: The model.
        function: Its test function.
        assign: Gives the model the other weights.
    """

    def __init__(self, model: Any, function: Any, assign: Callable[[], None]) -> None:
        self._model = model
        self._function = function
        # Behind the stand-ins of other averages, which have their own turn.
        self.plain = getattr(function, "plain", function)
        # What the other weights are given to.
        self._beside = self.plain
        self._assign = assign
        self._parts: list[Any] = []
        self._others: list[Any] = []
        self._logs: Any = None
        self._replays: list[Replay] = []
        self._iterator: Any = None

    def __call__(self, iterator: Any) -> Any:
        """Evaluates on the next batch or batches, as Keras' own function would."""
        model = self._model
        batches = take(iterator, model.steps_per_execution)
        if not batches:
            return self._function(iterator)  # which says that there are no more
        if not self._parts:
            self._begin(iterator, batches)
        logs = self._function(self._again(0, batches))
        own = read(self._parts)
        try:
            write(self._parts, self._others)
            with self._generators_kept():
                self._logs = self._beside(self._again(1, batches))
            self._others = read(self._parts)
        finally:
            write(self._parts, own)
        return logs

    def results(self) -> dict[str, float]:
        """What the other weights were evaluated to; empty if there was no batch."""
        if self._logs is None:
            return {}
        own = read(self._parts)
        try:
            write(self._parts, self._others)
            found = self._model.get_metrics_result()
        finally:
            write(self._parts, own)
        # A test step of the user's own may report something else, as in Keras.
        if isinstance(self._logs, dict) and set(found) != set(self._logs):
            found = self._logs
        return {
            name: float(np.asarray(tf.convert_to_tensor(value).numpy()))
            for name, value in _flat(found).items()
            if not np.ndim(value)
        }

    def close(self) -> None:
        """Ends what waits for batches."""
        for replay in self._replays:
            replay.close()

    def _begin(self, iterator: Any, batches: list[Any]) -> None:
        model = self._model
        of_tensorflow = is_of_tensorflow(iterator)
        found = {id(part): part for part in parts_of(model)}
        if not model.run_eagerly:
            # Metrics are built while it is traced.
            data = iterator if of_tensorflow else batches
            self._beside = unshared(model, self.plain, data)
            for function in {self.plain, self._beside}:
                trace = traced(function, data)
                if trace is not None:
                    found |= {id(part): part for part in written_by(trace)}
            found |= {id(part): part for part in parts_of(model)}
        self._parts = list(found.values())
        own = read(self._parts)
        self._assign()
        self._others = read(self._parts)
        write(self._parts, own)
        if of_tensorflow:
            strategy = model.distribute_strategy
            self._replays = [
                Replay(iterator, strategy, model.steps_per_execution) for _ in range(2)
            ]

    def _generators_kept(self) -> Any:
        # Run eagerly, its operations draw from those of the process.
        if self._model.run_eagerly:
            return generators_restored()
        return contextlib.nullcontext()

    def _again(self, which: int, batches: list[Any]) -> Any:
        if not self._replays:
            return batches
        return self._replays[which].iterator_over(batches)


def _flat(logs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in logs.items():
        found |= _flat(value) if isinstance(value, dict) else {name: value}
    return found
