"""The loss and the learning rate of every step."""

import dataclasses

from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.columns import Column, Pairs, column
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.seen import Seen


@dataclasses.dataclass(frozen=True)
class Loss(Instrument):
    """Reads the loss of the batch and the rate of the update."""

    measures = (measure_named("loss"), measure_named("learning_rate"))
    channel = "steps"

    def read(self, seen: Seen) -> Pairs:
        """Takes what the step shows of both."""
        pairs: Pairs = []
        if seen.loss is not None:
            pairs.append((column("loss"), seen.loss))
        if seen.learning_rate is not None:
            pairs.append((Column(Series("learning_rate")), seen.learning_rate))
        return pairs
