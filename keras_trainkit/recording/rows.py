"""Puts the readings of a step together into as few rows as can be."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.recording.columns import EXAMPLES, Column, Pairs
from keras_trainkit.recording.due import Due
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.replica import Replica
from keras_trainkit.recording.seen import Seen
from keras_trainkit.train_step.branch import branch


class StepRows:
    """The rows that one step of a replica writes.

    Readings that are surely due are written as one row: a row costs the same
    handful of operations however wide it is.

    Args:
        replica: The replica.
        due: When readings are due.
        is_only: Whether there is no other replica.
    """

    def __init__(self, replica: Replica, due: Due, is_only: bool) -> None:
        self._replica = replica
        self._due = due
        self._is_only = is_only
        self._waiting: dict[str, list[Instrument]] = {}

    def add(self, channel: str, instruments: Sequence[Instrument], seen: Seen) -> None:
        """Takes the readings of a channel, if they are due.

        Args:
            channel: The channel.
            instruments: Its instruments.
            seen: What the step has shown by now.
        """
        if not instruments:
            return
        if self._due.is_certain(channel):
            kind = "steps" if self._due.is_always_due(channel) else "readings"
            self._waiting.setdefault(kind, []).extend(instruments)
            return
        self._due.when(
            [channel],
            lambda: tf.size(self._write(channel, instruments, seen)),
            lambda: tf.constant(0),
        )

    def write(self, seen: Seen) -> Any:
        """Writes the readings that are surely due.

        Args:
            seen: What the step has shown.

        Returns:
            What must be done before the step counts.
        """
        rows = [
            self._write(kind, instruments, seen)
            for kind, instruments in self._waiting.items()
        ]
        self._waiting.clear()
        return tf.group(*rows)

    def _write(self, kind: str, instruments: Sequence[Instrument], seen: Seen) -> Any:
        pairs = [pair for each in instruments for pair in each.read(seen)]
        rows = _without_repetition(pairs)
        if not self._is_only:
            rows = [{EXAMPLES: seen.examples} | row for row in rows]
        written = [self._write_row(kind, list(row.items())) for row in rows]
        return tf.concat(written, axis=0) if written else tf.zeros([0])

    def _write_row(self, kind: str, pairs: Pairs) -> Any:
        plain = [pair for pair in pairs if not pair[0].counts_nonfinite]
        suspects = [pair for pair in pairs if pair[0].counts_nonfinite]
        row = tf.stack([_scalar(*pair) for pair in plain] or [tf.zeros([])])
        if suspects:
            fine = tf.reduce_all(tf.math.is_finite(row))
            tensors = [tensor for _, tensor in suspects]
            counts = branch(fine, _count_none, _count_nonfinite, tensors)
            row = tf.concat([row, counts] if plain else [counts], axis=0)
        columns = [column for column, _ in (*plain, *suspects)]
        ring = self._replica.ring(kind, columns)
        ring.write(self._due.number, row)
        return row


def _without_repetition(pairs: Pairs) -> list[dict[Column, Any]]:
    """The pairs as rows in which no column comes twice.

    Some are read twice in a step, e.g. those of a variable with two updates.
    """
    rows: list[dict[Column, Any]] = []
    for column, value in pairs:
        row = next((row for row in rows if column not in row), None)
        if row is None:
            rows.append(row := {})
        row[column] = value
    return rows


def _scalar(column: Column, number: Any) -> Any:
    tensor = tf.convert_to_tensor(number)
    if tensor.shape.rank:
        raise ValueError(
            "`read` of an instrument must return one number for each column, not "
            f"several. Received: {column.series.measure!r} of shape {tensor.shape}"
        )
    return tf.cast(tensor, tf.float32)


def _count_nonfinite(*tensors: Any) -> Any:
    return tf.stack([measures.nonfinite_count(tensor) for tensor in tensors])


def _count_none(*tensors: Any) -> Any:
    return tf.zeros([len(tensors)])
