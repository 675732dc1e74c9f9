"""When the data of a step arrive: a moment that the host cannot see."""

import dataclasses
from typing import Any

import tensorflow as tf

from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import Column, Pairs
from keras_trainkit.recording.instrument import Instrument

# Moments are kept as float32: in seconds of a clock that begins anew each so many.
PERIOD = 1024.0
ARRIVED = Column(Series("data_arrived"))


@dataclasses.dataclass(frozen=True)
class Arrival(Instrument):
    """Reads the clock once the data of the step are there, for `Call.waited`.

    XLA has no clock, and TensorFlow shows none where operations are to be
    deterministic; there nothing is read.
    """

    channel = "steps"

    def read(self, seen: Any) -> Pairs:
        """Takes the moment."""
        if seen.model.jit_compile and not seen.model.run_eagerly:
            return []
        if not _has_clock():
            return []
        parts = tf.nest.flatten(seen.data, expand_composites=True)
        data = [part for part in parts if tf.is_tensor(part)]
        with tf.control_dependencies([] if tf.executing_eagerly() else data):
            moment = tf.timestamp()
        return [(ARRIVED, tf.cast(tf.math.floormod(moment, PERIOD), tf.float32))]


def waited(began: float, arrived: float) -> float:
    """Seconds from a moment of the host's clock to an arrival that followed it."""
    seconds = (arrived - began) % PERIOD
    # An arrival that is rounded to just before it.
    return seconds if seconds < PERIOD / 2 else 0.0


def _has_clock() -> bool:
    try:
        with tf.init_scope():
            tf.timestamp()
    except tf.errors.FailedPreconditionError:
        return False
    return True
