"""The units of rectifying layers that stay silent."""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from keras_trainkit.measures import active_units
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.columns import Pairs
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place
from keras_trainkit.recording.seen import Seen

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord

# Readings that must be silent before a unit is called dead, unless all steps of an
# epoch were read.
_FEWEST_READINGS = 20


@dataclasses.dataclass(frozen=True)
class Units(Instrument):
    """Counts how often each unit is active; says which share of a layer never is."""

    measures = (measure_named("dead_fraction"),)
    channel = "layers"

    def read(self, seen: Seen) -> Pairs:
        """Counts the units that gave anything but zero."""
        for label, samples in seen.outputs.items():
            count = _unit_count(seen.layers[label], samples[0].shape)
            if count is None:
                continue
            active = seen.counter("active_units", label, count)
            for sample in samples:
                axis = seen.layers[label].unit_axis(sample.shape.rank)
                units = active_units(sample, axis)
                active.assign_add(tf.cast(units, tf.float32))
            seen.counter("readings_of_units", label, 1).assign_add([1.0])
        return []

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Records the dead fractions, where there were readings enough."""
        counted = place.counters("readings_of_units")
        for label, active in place.counters("active_units").items():
            readings = counted[label].mean()[0]
            complete = readings == place.step - active.since + 1
            # A unit that is silent in a few readings need not be dead: where readings
            # are rare, they are put together over epochs until they are enough.
            if not readings or (readings < _FEWEST_READINGS and not complete):
                continue
            silent = active.total() == 0.0
            record.add(
                "dead_fraction", float(np.mean(silent)), layer=label, **place.moment
            )
            for counter in (active, counted[label]):
                counter.clear(since=place.step + 1)


def _unit_count(layer: Any, shape: Any) -> int | None:
    """How many units there are; `None` if they cannot fall silent."""
    if not layer.rectifies or (shape.rank or 0) < 2:
        return None
    count: int | None = shape[layer.unit_axis(shape.rank)]
    return count
