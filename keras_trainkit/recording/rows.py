"""Puts the readings of a step together into as few rows as can be."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.recording.columns import Column
from keras_trainkit.recording.schedule import Replica, Schedule
from keras_trainkit.train_step.branch import branch


@dataclasses.dataclass(frozen=True)
class Reading:
    """What is read of one subject in a step.

    Args:
        columns: What the numbers are.
        suspects: What the counts of bad entries are, one a tensor.
        read: Takes the reading, in the branch in which it is due; returns the
            numbers, float32 scalars, and the tensors whose bad entries count.
    """

    columns: list[Column]
    suspects: list[Column]
    read: Callable[[], tuple[list[Any], list[Any]]]


class StepRows:
    """The rows that one step of a replica writes.

    Readings that are surely due are written as one row: a row costs the same
    handful of operations however wide it is.

    Args:
        replica: The replica.
        schedule: When readings are due.
    """

    def __init__(self, replica: Replica, schedule: Schedule) -> None:
        self._replica = replica
        self._schedule = schedule
        self._waiting: dict[str, list[Reading]] = {}

    def add(self, channel: str, reading: Reading) -> None:
        """Takes a reading, if it is due.

        Args:
            channel: "steps", "updates" or "layers".
            reading: The reading.
        """
        if not self._schedule.is_certain(channel):
            self._schedule.when(
                channel,
                lambda: tf.size(self._write(channel, [reading])),
                lambda: tf.constant(0),
            )
            return
        row = "steps" if self._schedule.is_always_due(channel) else "readings"
        waiting = self._waiting.setdefault(row, [])
        known = {column for other in waiting for column in other.columns}
        if known.isdisjoint(reading.columns):
            waiting.append(reading)
        else:
            # Read twice in one step, e.g. by two updates: two rows.
            self._write(channel, [reading])

    def write(self) -> Any:
        """Writes the readings that are surely due.

        Returns:
            What must be done before the step counts.
        """
        rows = [self._write(*waiting) for waiting in self._waiting.items()]
        self._waiting.clear()
        return tf.group(*rows)

    def _write(self, channel: str, readings: list[Reading]) -> Any:
        columns: list[Column] = []
        suspects: list[Column] = []
        numbers: list[Any] = []
        tensors: list[Any] = []
        for reading in readings:
            columns += reading.columns
            suspects += reading.suspects
            own, seen = reading.read()
            numbers += own
            tensors += seen
        row = tf.stack(numbers)
        if tensors:
            fine = tf.reduce_all(tf.math.is_finite(row))
            counts = branch(fine, _count_none, _count_nonfinite, tensors)
            row = tf.concat([row, counts], axis=0)
        ring = self._replica.ring(channel, columns + suspects)
        ring.write(self._schedule.number, row)
        return row


def _count_nonfinite(*tensors: Any) -> Any:
    return tf.stack([measures.nonfinite_count(tensor) for tensor in tensors])


def _count_none(*tensors: Any) -> Any:
    return tf.zeros([len(tensors)])
