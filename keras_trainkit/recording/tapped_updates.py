"""Looks at what an optimizer does to the variables, around its `apply`."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.recording.due import Due
from keras_trainkit.recording.entries import Entries
from keras_trainkit.recording.plan import Plan
from keras_trainkit.train_step.taps import once_read

# Entries of a variable that an update copies in less time than it takes to wait.
_SMALL = 1024


@dataclasses.dataclass
class Update:
    """What one call of an optimizer's `apply` did to one variable.

    Attributes:
        variable: The variable, as the optimizer was given it.
        layer: The label of its layer, "" if it has none.
        name: Its short name in the layer, e.g. "kernel".
        before: Some of its entries before the update, or all.
        gradient: The same entries of its gradient; all rows of a sparse one.
        gradient_square: Half the sum of squares of `gradient`.
        scale: Entries of the variable over those in `before`.
        gradient_scale: The same of the gradient.
    """

    variable: Any
    layer: str
    name: str
    entries: Entries
    before: Any
    gradient: Any
    gradient_square: Any
    sparse: bool

    @property
    def scale(self) -> float:
        """Entries of the variable over those that are read."""
        return self.entries.scale

    @property
    def gradient_scale(self) -> float:
        """Entries of the gradient over those that are read."""
        return 1.0 if self.sparse else self.entries.scale

    def after(self) -> Any:
        """The entries as they are after the update and all constraints."""
        return self.entries.read()


class TappedUpdates:
    """The updates of one step in one replica.

    Args:
        plan: What is measured.
        due: When it is.
        channels: The channels that look at updates and may be due; none if only
            the loss's scale is wanted.
    """

    def __init__(self, plan: Plan, due: Due, channels: Sequence[str]) -> None:
        self._plan = plan
        self._due = due
        self._channels = channels
        self._pending: list[Update] = []
        self.made: list[Update] = []
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
        if not self._channels or not places:
            return grads
        given = list(grads)
        pairs = [(given[place], variables[place]) for place in places]
        grads = [gradient for gradient, _ in pairs]
        if self._plan.replica_count > 1:
            # Each replica has its share; only the sum is the gradient of the loss.
            context = tf.distribute.get_replica_context()
            grads = context.all_reduce(tf.distribute.ReduceOp.SUM, grads)
        limit = self._plan.request.entries
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

        before, parts, squares = self._due.when(self._channels, read, skip)
        self._pending = [
            Update(
                variable,
                *self._plan.label_of(variable),
                entries,
                old,
                part,
                square,
                isinstance(gradient, tf.IndexedSlices),
            )
            for (_, variable), gradient, entries, old, part, square in zip(
                pairs, grads, values, before, parts, squares, strict=True
            )
        ]
        # Not one barrier for all: the update of one layer goes on while others still
        # get their gradients.
        for place, value, *read_first in zip(
            places, values, before, squares, strict=True
        ):
            if value.size > _SMALL:
                given[place] = once_read(given[place], read_first)
        return given

    def after(self) -> None:
        """Notes that the updates were made."""
        # The values after the update are read when the step is over, in the branch
        # that is due; constraints have been applied by then.
        self.made += self._pending
        self._pending = []

    def _of_gradient(self, gradient: Any, value: Entries) -> Any:
        if isinstance(gradient, tf.IndexedSlices):
            return _summed_rows(gradient, self._plan.xla)
        return value.of(gradient)


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
