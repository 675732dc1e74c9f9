"""When the readings of a step are due."""

from collections.abc import Collection
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.optimizers import step_counter, steps_per_update
from keras_trainkit.recording.replica import Replica

NEVER = 2**62
# Steps with a loss that is not finite are read even when they are not due, so that
# the first bad tensor is named with its step; after so many it is known.
_ALARMS = 3


class Due:
    """Says which readings are due in this step of a replica.

    Args:
        model: The model.
        replica: The replica.
        known: The channels that are due, if the host knows them beforehand.
    """

    def __init__(
        self,
        model: Any,
        replica: Replica,
        known: frozenset[str] | None = None,
    ) -> None:
        self.number = replica.step.read_value()
        self._known = known
        self._replica = replica
        self._accumulated = steps_per_update(model)
        self._iterations = None
        if self._accumulated > 1:
            # `iterations` counts updates here; the variable behind it counts steps.
            counter = step_counter(model.optimizer)
            self._iterations = tf.cast(tf.identity(counter.value), tf.int64)
        self._loss: Any = None
        self._due: dict[int, Any] = {}

    def note_loss(self, loss: Any) -> None:
        """Takes note of this step's loss, as soon as it is known."""
        self._loss = loss

    def any_of(self, channels: Collection[str]) -> Any:
        """Whether one of some channels is to be read, a boolean scalar."""
        # Channels may share a rhythm: each is asked for once.
        due = {id(test): test for test in map(self._is_due, channels)}
        first, *others = due.values()
        return tf.reduce_any([first, *others]) if others else first

    def when(self, channels: Collection[str], read: Any, otherwise: Any) -> Any:
        """Calls `read` in the steps in which a channel is due, else `otherwise`.

        Args:
            channels: Of them one must be due, other than "steps".
            read: Takes the reading; called without arguments.
            otherwise: Returns what stands for a reading that is not due.

        Returns:
            What the function that was called returned.
        """
        if self._known is not None:
            return read() if self._known.intersection(channels) else otherwise()
        if any(map(self.is_always_due, channels)):
            return read()  # without a branch, which every tensor would have to pass
        return tf.cond(self.any_of(channels), read, otherwise)

    def end_step(self) -> None:
        """Counts the step."""
        channels = self._replica.intervals
        if (
            self._loss is not None
            and self._known is None
            and not all(map(self.is_always_due, channels))
        ):
            alarmed = ~tf.math.is_finite(self._loss)
            self._replica.alarms.assign_add(tf.cast(alarmed, tf.int64))
        self._replica.step.assign_add(1)

    def is_always_due(self, channel: str) -> bool:
        """Whether a channel is due in every step; "steps" is."""
        return channel == "steps" or (
            channel in self._replica.always and self._iterations is None
        )

    def is_certain(self, channel: str) -> bool:
        """Whether no test is needed to know that a channel is due in this step."""
        known = self._known or frozenset()
        return channel in known or self.is_always_due(channel)

    def _is_due(self, channel: str) -> Any:
        rhythm = self._replica.intervals[channel]
        if id(rhythm) not in self._due:
            self._due[id(rhythm)] = self._is_on(rhythm) | self._is_alarmed()
        return self._due[id(rhythm)]

    def _is_on(self, rhythm: Any) -> Any:
        interval = rhythm.read_value()
        if self._iterations is None:
            return self.number % interval == 0
        # Only the step that applies the accumulated gradients updates.
        count = self._accumulated
        return (self._iterations % count == count - 1) & (
            (self._iterations // count) % interval == 0
        )

    def _is_alarmed(self) -> Any:
        if self._loss is None:
            return tf.constant(False)
        alarmed = ~tf.math.is_finite(self._loss)
        return alarmed & (self._replica.alarms.read_value() < _ALARMS)
