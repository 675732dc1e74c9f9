"""How long a step takes, and how long of that it waits for data."""

import dataclasses

from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.call import Call
from keras_trainkit.recording.columns import Pairs, column
from keras_trainkit.recording.instrument import Instrument


@dataclasses.dataclass(frozen=True)
class Seconds(Instrument):
    """Reads the time of each call of the train function, on the host."""

    measures = (measure_named("step_seconds"), measure_named("data_seconds"))
    channel = "calls"
    needs = ("data",)

    def read(self, seen: Call) -> Pairs:
        """Takes the time of one step of the call."""
        pairs: Pairs = [(column("step_seconds"), seen.seconds / seen.steps)]
        if seen.waited is not None:
            pairs.append((column("data_seconds"), seen.waited / seen.steps))
        return pairs
