"""Histograms of the layers' outputs and of their gradients, once an epoch."""

import dataclasses
from typing import TYPE_CHECKING

import tensorflow as tf

from keras_trainkit.measures import HISTOGRAM_EDGES, histogram
from keras_trainkit.record.series import bin_name
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.columns import Pairs
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place
from keras_trainkit.recording.seen import Seen, together

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord


@dataclasses.dataclass(frozen=True)
class Histograms(Instrument):
    """Counts the layers' values by sign and magnitude."""

    measures = (
        measure_named("activation_histogram"),
        measure_named("activation_gradient_histogram"),
    )
    channel = "layers"

    def read(self, seen: Seen) -> Pairs:
        """Counts the values of the step."""
        size = len(HISTOGRAM_EDGES) + 1
        for measure, groups in zip(
            self.measures, (seen.outputs, seen.output_gradients), strict=True
        ):
            for label, samples in groups.items():
                counts = tf.cast(histogram(together(samples)), tf.float64)
                seen.counter(measure.name, label, size, tf.float64).assign_add(counts)
        return []

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Records what the epoch counted, a series a bin."""
        edges = [float("-inf"), *HISTOGRAM_EDGES, float("inf")]
        for measure in self.measures:
            for label, counter in place.counters(measure.name).items():
                bins = zip(edges[:-1], edges[1:], counter.total(), strict=True)
                for low, high, count in bins:
                    if count:
                        record.add(
                            measure.name,
                            count,
                            layer=label,
                            bin=bin_name(low, high),
                            **place.moment,
                        )
                counter.clear(since=place.step + 1)
