"""An instrument: one measured thing, and all that is known of it."""

from typing import TYPE_CHECKING, Any

from keras_trainkit.recording.columns import Pairs
from keras_trainkit.recording.place import Place

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord
    from keras_trainkit.record.vocabulary import Measure

# Channels with a rhythm of their own making; any other is read every so many steps.
FIXED = ("steps", "calls", "epochs")
# What of a step is seen only if somebody looks at it.
TAPS = ("updates", "layers")


class Instrument:
    """Measures one thing, in steps, around them or between epochs.

    A subclass names its measures and its channel and writes `read` or `end_epoch`.
    Instruments that are equal, e.g. dataclasses of equal fields, are read once for
    all the monitors of a run.

    Attributes:
        measures: What it records, as entries of the vocabulary.
        channel: When it is read: "steps" in every step; "updates" (what an update
            did to the variables) or "layers" (activations and their gradients)
            every so many steps, as the monitor says; any other name likewise, in a
            rhythm that no other channel shares; "calls" on the host after each call
            of the train function; "epochs" between epochs alone.
        keeps_examples: How many training examples it wants kept on the device, for
            `Place.kept_examples`.
        needs: Which of "updates" and "layers" it looks at, if its channel is
            neither; a channel in every step can look at none. On the channel
            "calls": "data", to be told how long the call waited for its data.

    Example:
        ```python
        class Confidence(Instrument):
            measures = (Measure("confidence", of="layer", unit="fraction"),)
            channel = "layers"

            def read(self, seen):
                output = seen.output("output")
                return [(column("confidence", "output"), tf.reduce_max(output))]
        ```
    """

    measures: "tuple[Measure, ...]" = ()
    channel: str = "steps"
    needs: tuple[str, ...] = ()
    keeps_examples: int = 0

    def begin(self, model: Any) -> None:
        """Resets the state of the instrument; a run of `fit` is about to begin."""

    def read(self, seen: Any) -> Pairs:
        """Takes a reading.

        It is traced into the compiled step and must write nothing but counters
        (`seen.counter`).

        Args:
            seen: What the step shows (`Seen`); on the channel "calls" the `Call`
                that has ended.

        Returns:
            Pairs of what a number is and the number, a float scalar.
        """
        return []

    def derived(self, readings: dict[Any, Any]) -> dict[Any, Any]:
        """Computes on the host what follows from the readings of a row.

        Args:
            readings: Values by `Series`, each of shape `(steps,)`, float64.

        Returns:
            More of the same kind.
        """
        return {}

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Adds to the record what is known at the end of an epoch."""

    def joined(self, other: "Instrument") -> "Instrument | None":
        """Returns the instrument that serves both, `None` if there is none."""
        return self if self == other else None

    @property
    def taps(self) -> frozenset[str]:
        """Which of "updates" and "layers" it looks at."""
        return frozenset({self.channel, *self.needs}) & frozenset(TAPS)
