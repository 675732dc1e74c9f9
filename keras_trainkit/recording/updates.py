"""Reads what an optimizer does to the variables, around its `apply`."""

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import Column
from keras_trainkit.recording.entries import Entries
from keras_trainkit.recording.rows import Reading, StepRows
from keras_trainkit.recording.schedule import Schedule
from keras_trainkit.train_step.taps import once_read

if TYPE_CHECKING:
    from keras_trainkit.recording.step import MeasuredStep

# Entries of a variable that an update copies in less time than it takes to wait.
_SMALL = 1024


@dataclasses.dataclass
class Update:
    """One call of an optimizer's `apply`, as it was before the update.

    Args:
        variables: The variables it updates, as it was given them.
        entries: What is read of each.
        before: What was read of each.
        gradients: What was read of the gradient of each.
        squares: Half the sum of squares of what was read of each gradient.
        sparse: Whether the gradient of each is sparse.
    """

    variables: list[Any]
    entries: list[Entries]
    before: list[Any]
    gradients: list[Any]
    squares: list[Any]
    sparse: list[bool]


class UpdateReadings:
    """The updates of one step in one replica.

    Args:
        step: The measured step, which knows the variables' names.
        rows: Where the readings are written.
        schedule: When they are due.
        wanted: Whether they may be due; else only the loss's scale is read.
    """

    def __init__(
        self, step: "MeasuredStep", rows: StepRows, schedule: Schedule, wanted: bool
    ) -> None:
        self._step = step
        self._rows = rows
        self._schedule = schedule
        self._wanted = wanted
        self._pending: Update | None = None
        self._updates: list[Update] = []
        self.loss_scale: Any = None

    def before(
        self, optimizer: Any, grads: list[Any], variables: list[Any]
    ) -> list[Any]:
        """Keeps what `optimizer.apply` is about to change.

        Returns:
            The gradients, each known once it and its variable are read; a small one
            at once.
        """
        self.loss_scale = _loss_scale(optimizer)
        places = [place for place, gradient in enumerate(grads) if gradient is not None]
        if not self._wanted or not places:
            return grads
        given = list(grads)
        pairs = [(given[place], variables[place]) for place in places]
        grads = [gradient for gradient, _ in pairs]
        if self._step.replica_count > 1:
            # Each replica has its share; only the sum is the gradient of the loss.
            context = tf.distribute.get_replica_context()
            grads = context.all_reduce(tf.distribute.ReduceOp.SUM, grads)
        limit = self._step.request.entries
        values = [Entries(getattr(value, "value", value), limit) for _, value in pairs]

        # The gradients are read here, not at the end of the step: a large one kept
        # whole until then, the update could not reuse its memory.
        def read() -> tuple[list[Any], list[Any], list[Any]]:
            parts = [
                self._of_gradient(gradient, value)
                for gradient, value in zip(grads, values, strict=True)
            ]
            squares = [measures.half_square_sum(part) for part in parts]
            return [value.read() for value in values], parts, squares

        def skip() -> tuple[list[Any], list[Any], list[Any]]:
            nothing = [value.nothing() for value in values]
            return nothing, nothing, [tf.zeros([])] * len(values)

        if self._step.uses_twin:
            before, parts, squares = read()
        else:
            before, parts, squares = self._schedule.when("updates", read, skip)
        sparse = [isinstance(gradient, tf.IndexedSlices) for gradient in grads]
        self._pending = Update(
            [variable for _, variable in pairs], values, before, parts, squares, sparse
        )
        # Not one barrier for all: the update of one layer goes on while others still
        # get their gradients.
        for place, value, *read_first in zip(
            places, values, before, squares, strict=True
        ):
            if value.size > _SMALL:
                given[place] = once_read(given[place], read_first)
        return given

    def _of_gradient(self, gradient: Any, value: Entries) -> Any:
        if isinstance(gradient, tf.IndexedSlices):
            return _summed_rows(gradient, bool(self._step.model.jit_compile))
        return value.of(gradient)

    def after(self) -> None:
        """Notes that the update was made."""
        # The values after the update are read when the step is over, in the branch
        # that is due; constraints have been applied by then.
        if self._pending is not None:
            self._updates.append(self._pending)
        self._pending = None

    def write(self) -> None:
        """Writes what the updates did, if that is due."""
        for update in self._updates:
            self._write(update)

    def _write(self, update: "Update") -> None:
        names = [self._step.label_of(variable) for variable in update.variables]
        scales = [entries.scale for entries in update.entries]
        columns = [
            Column(Series(measure, *name), half_square=True, scale=scale)
            for measure in ("weight_norm", "update_norm")
            for name, scale in zip(names, scales, strict=True)
        ]
        columns += [
            Column(
                Series("gradient_norm", *name),
                half_square=True,
                scale=1.0 if sparse else scale,
            )
            for name, scale, sparse in zip(names, scales, update.sparse, strict=True)
        ]
        suspects = [
            Column(Series("nonfinite_count", layer, name, tensor))
            for tensor in ("weight", "gradient")
            for layer, name in names
        ]

        def read() -> tuple[list[Any], list[Any]]:
            after = [entries.read() for entries in update.entries]
            moved = [new - old for new, old in zip(after, update.before, strict=True)]
            sums = list(map(measures.half_square_sum, update.before + moved))
            squares = update.squares
            if self.loss_scale is not None:
                scale = tf.cast(self.loss_scale, tf.float32) ** 2
                squares = [square / scale for square in squares]
            return sums + squares, after + update.gradients

        self._rows.add("updates", Reading(columns, suspects, read))


def _loss_scale(optimizer: Any) -> Any:
    """What the loss was multiplied by before it was differentiated."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # It is built by its first update, which comes after this.
        if not optimizer.built:
            return optimizer.initial_scale
        return tf.identity(optimizer.dynamic_scale.value)
    return getattr(optimizer, "loss_scale_factor", None)


def _summed_rows(gradient: Any, xla: bool) -> Any:
    """A sparse gradient with repeated rows summed; the norm of that is what counts."""
    if xla:
        return tf.convert_to_tensor(gradient)
    rows, places = tf.unique(tf.reshape(gradient.indices, [-1]))
    return tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
