"""The train step that keeps the average."""

from typing import Any

import tensorflow as tf

from keras_trainkit.averaging.examples import KeptExamples
from keras_trainkit.averaging.running_average import RunningAverage
from keras_trainkit.keras_model.optimizers import optimizers_of
from keras_trainkit.train_step.shared_function import Step


class AveragedStep:
    """Does a step, and takes the weights into the average if it is due.

    Only steps after which an optimizer counts one update more are counted: those
    that merely accumulate gradients, or were skipped because of an overflow in
    mixed precision, are not.

    Args:
        model: The model.
        step: The step that is done.
        average: The average.
        every: Updates between two points, int >= 1; `None` if none is taken here.
        examples: Where examples are to be kept, `None` if none are.
    """

    def __init__(
        self,
        model: Any,
        step: Step,
        average: RunningAverage,
        every: int | None,
        examples: KeptExamples | None,
    ) -> None:
        self._model = model
        self._step = step
        self._average = average
        self._every = every
        self._examples = examples

    def __call__(self, data: Any) -> Any:
        """Runs or traces one step, as the step it was given would."""
        before = self._iterations()
        logs = self._step(data)
        if self._is_first_replica():
            if self._examples is not None:
                self._examples.keep(data)
            if self._every is not None:
                self._take(before, logs, self._every)
        return logs

    def _take(self, before: list[Any], logs: Any, every: int) -> None:
        self._average.build()
        # A step whose data never came must not count.
        tensors = [v for v in tf.nest.flatten(logs) if isinstance(v, tf.Tensor)]
        with tf.control_dependencies(tensors):
            after = self._iterations()
            updated = tf.constant(True)
            if before:
                changes = zip(before, after, strict=True)
                updated = tf.reduce_any([old != new for old, new in changes])
            self._average.add_point_if_due(updated, every)

    def _iterations(self) -> list[Any]:
        return [
            tf.identity(tf.convert_to_tensor(optimizer.iterations))
            for optimizer in optimizers_of(self._model)
        ]

    def _is_first_replica(self) -> bool:
        if self._model.distribute_strategy.num_replicas_in_sync == 1:
            return True
        context = tf.distribute.get_replica_context()
        return int(tf.get_static_value(context.replica_id_in_sync_group) or 0) == 0
