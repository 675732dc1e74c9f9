"""The state of a replica, and when its readings are due."""

import dataclasses
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.optimizers import step_counter, steps_per_update
from keras_trainkit.recording.columns import Column
from keras_trainkit.recording.request import Request
from keras_trainkit.train_step.device_variable import Ring, variable

NEVER = 2**62
# Steps with a loss that is not finite are read even when they are not due, so that
# the first bad tensor is named with its step; after so many it is known.
_ALARMS = 3


@dataclasses.dataclass
class Replica:
    """The state of one replica on its device.

    `room` is the number of steps that the fullest ring takes for sure before it
    writes over rows.
    """

    device: str | None
    step: Any
    alarms: Any
    alarmed: Any
    intervals: dict[str, Any]
    always: frozenset[str]
    rings: dict[tuple[str, tuple[Column, ...]], Ring] = dataclasses.field(
        default_factory=dict
    )
    units: dict[str, Any] = dataclasses.field(default_factory=dict)
    histograms: dict[tuple[str, str], Any] = dataclasses.field(default_factory=dict)
    room: int = 2**62

    def ring(self, channel: str, columns: list[Column]) -> Ring:
        """The ring that holds rows of these columns, made if there is none yet."""
        key = channel, tuple(columns)
        if key not in self.rings:
            counter = self.step if channel == "steps" else None
            self.rings[key] = Ring(len(columns), self.device, counter)
            self.room = min(self.room, self.rings[key].capacity)
        return self.rings[key]


def new_replica(device: str | None, request: Request) -> Replica:
    """Makes the state of a replica on its device."""
    variables: dict[Any, Any] = {}
    intervals = {}
    for channel, every in request.channels.items():
        if every not in variables:
            first = 1 if every == "auto" else every
            variables[every] = variable(first, tf.int64, device)
        # Channels of one rhythm share a variable, and so one test in the step.
        intervals[channel] = variables[every]
    return Replica(
        device,
        variable(0, tf.int64, device),
        variable(0, tf.int64, device),
        variable(False, tf.bool, device),
        intervals,
        always=frozenset(
            channel for channel, every in request.channels.items() if every == 1
        ),
    )


class Schedule:
    """Says which readings are due in this step of a replica.

    Args:
        model: The model.
        replica: The replica.
        early: Whether readings are taken before the loss of the step is known.
        known: The channels that are due, if the host knows them beforehand.
    """

    def __init__(
        self,
        model: Any,
        replica: Replica,
        early: bool,
        known: frozenset[str] | None = None,
    ) -> None:
        self.number = replica.step.read_value()
        self._known = known
        self._replica = replica
        self._early = early
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

    def is_due(self, channel: str) -> Any:
        """Whether "updates" or "layers" are to be read, a boolean scalar."""
        rhythm = self._replica.intervals[channel]
        if id(rhythm) not in self._due:
            self._due[id(rhythm)] = self._is_on(rhythm) | self._is_alarmed()
        return self._due[id(rhythm)]

    def when(self, channel: str, read: Any, otherwise: Any) -> Any:
        """Calls `read` in the steps in which a channel is due, else `otherwise`.

        Args:
            channel: "updates" or "layers".
            read: Takes the reading; called without arguments.
            otherwise: Returns what stands for a reading that is not due.

        Returns:
            What the function that was called returned.
        """
        if self._known is not None:
            return read() if channel in self._known else otherwise()
        if self.is_always_due(channel):
            return read()  # without a branch, which every tensor would have to pass
        return tf.cond(self.is_due(channel), read, otherwise)

    def end_step(self) -> None:
        """Counts the step."""
        channels = self._replica.intervals
        if (
            self._loss is not None
            and self._known is None
            and not all(map(self.is_always_due, channels))
        ):
            alarmed = ~tf.math.is_finite(self._loss)
            if self._early:
                self._replica.alarmed.assign(alarmed)
            self._replica.alarms.assign_add(tf.cast(alarmed, tf.int64))
        self._replica.step.assign_add(1)

    def is_always_due(self, channel: str) -> bool:
        """Whether a channel is due in every step; "steps" is."""
        return channel == "steps" or (
            channel in self._replica.always
            and self._iterations is None
            and not self._early
        )

    def is_certain(self, channel: str) -> bool:
        """Whether no test is needed to know that a channel is due in this step."""
        known = self._known or frozenset()
        return channel in known or self.is_always_due(channel)

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
        # Before the loss is known, the loss of the step before has to tell.
        if self._early:
            alarmed = self._replica.alarmed.read_value()
        elif self._loss is not None:
            alarmed = ~tf.math.is_finite(self._loss)
        else:
            return tf.constant(False)
        return alarmed & (self._replica.alarms.read_value() < _ALARMS)
