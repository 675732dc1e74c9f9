"""Reads what an optimizer does to the variables, around its `apply`."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.record import Series
from keras_trainkit.recording.columns import Column
from keras_trainkit.recording.entries import Entries
from keras_trainkit.recording.schedule import Replica, Schedule

if TYPE_CHECKING:
    from keras_trainkit.recording.step import MeasuredStep


class UpdateReadings:
    """The updates of one step in one replica.

    Args:
        step: The measured step, which knows the variables' names.
        replica: Where the readings are written.
        schedule: When they are due.
    """

    def __init__(
        self, step: "MeasuredStep", replica: Replica, schedule: Schedule
    ) -> None:
        self._step = step
        self._replica = replica
        self._schedule = schedule
        self._wanted = "updates" in replica.intervals
        self._pending: list[tuple[Any, Any]] = []
        self._updates: list[tuple[Any, Any]] = []
        self.loss_scale: Any = None

    def before(self, optimizer: Any, grads: list[Any], variables: list[Any]) -> None:
        """Keeps what `optimizer.apply` is about to change."""
        self.loss_scale = _loss_scale(optimizer)
        if not self._wanted:
            return
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not pairs:
            return
        grads = [gradient for gradient, _ in pairs]
        if self._step.replica_count > 1:
            # Each replica has its share; only the sum is the gradient of the loss.
            context = tf.distribute.get_replica_context()
            grads = context.all_reduce(tf.distribute.ReduceOp.SUM, grads)
        limit = self._step.request.entries
        values = [Entries(getattr(value, "value", value), limit) for _, value in pairs]
        def read() -> list[Any]:
            return [value.read() for value in values]

        def skip() -> list[Any]:
            return [value.nothing() for value in values]

        before = (
            read()
            if self._step.uses_twin
            else self._schedule.when("updates", read, skip)
        )
        self._pending = [
            (variable_, (gradient, old, value))
            for (_, variable_), gradient, old, value in zip(
                pairs, grads, before, values, strict=True
            )
        ]

    def after(self) -> None:
        """Notes that the update was made."""
        # The values after the update are read when the step is over, in the branch
        # that is due; constraints have been applied by then.
        self._updates.extend(self._pending)
        self._pending = []

    def write(self) -> None:
        """Writes what the update did, if that is due."""
        if not self._updates:
            return
        columns: list[Column] = []
        for value, (gradient, _, entries) in self._updates:
            layer, name = self._step.label_of(value)
            sparse = isinstance(gradient, tf.IndexedSlices)
            columns += [
                Column(Series(measure, layer, name), half_square=True, scale=scale)
                for measure, scale in (
                    ("weight_norm", entries.scale),
                    ("gradient_norm", 1.0 if sparse else entries.scale),
                    ("update_norm", entries.scale),
                )
            ]
        for value, _ in self._updates:
            layer, name = self._step.label_of(value)
            columns += [
                Column(Series("nonfinite_count", layer, f"{name} gradient")),
                Column(Series("nonfinite_count", layer, name)),
            ]
        ring = self._replica.ring("updates", columns)

        def write() -> Any:
            sums, suspects = [], []
            scale = self.loss_scale
            for _, (gradient, before, entries) in self._updates:
                after = entries.read()
                if isinstance(gradient, tf.IndexedSlices):
                    gradient = _summed_rows(
                        gradient, bool(self._step.model.jit_compile)
                    )
                else:
                    gradient = entries.of(gradient)
                square = measures.half_square_sum(gradient)
                if scale is not None:
                    square /= tf.cast(scale, tf.float32) ** 2
                sums += [
                    measures.half_square_sum(before),
                    square,
                    measures.half_square_sum(after - before),
                ]
                suspects += [gradient, after]
            row = tf.stack(sums)
            counts = measures.nonfinite_counts(row, suspects)
            ring.write(self._schedule.number, tf.concat([row, counts], axis=0))
            return tf.constant(0)

        self._schedule.when("updates", write, lambda: tf.constant(0))


def _loss_scale(optimizer: Any) -> Any:
    """What the loss was multiplied by before it was differentiated."""
    scale = getattr(optimizer, "dynamic_scale", None)
    if scale is not None:
        return tf.identity(scale.value)
    return getattr(optimizer, "loss_scale_factor", None)


def _summed_rows(gradient: Any, xla: bool) -> Any:
    """A sparse gradient with repeated rows summed; the norm of that is what counts."""
    if xla:
        return tf.convert_to_tensor(gradient)
    rows, places = tf.unique(tf.reshape(gradient.indices, [-1]))
    return tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
