"""The state of one replica on its device."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.recording.columns import Column
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.ring import Ring
from keras_trainkit.train_step.device_variable import variable


@dataclasses.dataclass
class Replica:
    """The state of one replica on its device.

    `room` is the number of steps that the fullest ring takes for sure before it
    writes over rows.
    """

    device: str | None
    step: Any
    alarms: Any
    intervals: dict[str, Any]
    always: frozenset[str]
    fewest_rows: int = 1
    rings: dict[tuple[str, tuple[Column, ...]], Ring] = dataclasses.field(
        default_factory=dict
    )
    counters: dict[tuple[str, str], Any] = dataclasses.field(default_factory=dict)
    room: int = 2**62

    def ring(self, kind: str, columns: list[Column]) -> Ring:
        """The ring that holds rows of these columns, made if there is none yet."""
        key = kind, tuple(columns)
        if key not in self.rings:
            counter = self.step if kind == "steps" else None
            self.rings[key] = Ring(len(columns), self.device, counter, self.fewest_rows)
            self.room = min(self.room, self.rings[key].capacity)
        return self.rings[key]

    def counter(self, name: str, layer: str, size: int, dtype: Any) -> Any:
        """The variable that an instrument counts in, made if there is none yet."""
        key = name, layer
        if key not in self.counters:
            self.counters[key] = variable(np.zeros(size), dtype, self.device)
        return self.counters[key]

    def restart(self) -> None:
        """Puts everything back to how it is before the first step."""
        for state in (self.step, self.alarms, *self.counters.values()):
            state.assign(np.zeros(state.shape))
        for ring in self.rings.values():
            ring.restart()


def new_replica(device: str | None, request: Request, steps_together: int) -> Replica:
    """Makes the state of a replica on its device.

    Args:
        device: The device, `None` to leave the choice to TensorFlow.
        request: What is measured.
        steps_together: Steps in one call of the train function, int >= 1; a ring
            must take as many.
    """
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
        intervals,
        always=frozenset(
            channel for channel, every in request.channels.items() if every == 1
        ),
        fewest_rows=steps_together,
    )
