"""How many examples a step is trained on."""

import dataclasses

from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.columns import EXAMPLES, Pairs
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.seen import Seen


@dataclasses.dataclass(frozen=True)
class BatchSize(Instrument):
    """Reads the size of the batch."""

    measures = (measure_named("batch_size"),)
    channel = "steps"

    def read(self, seen: Seen) -> Pairs:
        """Takes the number of examples."""
        return [(EXAMPLES, seen.examples)]
