"""Where a run is when an epoch has ended, and what waits there to be recorded."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_trainkit.recording.counter import Counter


@dataclasses.dataclass(frozen=True)
class Place:
    """The end of an epoch, as instruments see it.

    Args:
        model: The model that is trained.
        step: The last step done, from 0, or 0 if none was.
        epoch: The epoch, from 0.
        logs: What Keras logs for the epoch.
        counters: Returns what an instrument counted in the steps, by layer, given
            the name that it counts under.
        kept_examples: Returns the training examples kept, structured as the data of
            a step, as NumPy arrays; `None` if they were not or could not be kept.
    """

    model: Any
    step: int
    epoch: int
    logs: Mapping[str, Any]
    counters: Callable[[str], Mapping[str, Counter]]
    kept_examples: Callable[[], Any]

    @property
    def moment(self) -> dict[str, Any]:
        """Step and epoch, as `TrainingRecord.add` takes them."""
        return {"step": self.step, "epoch": self.epoch}
