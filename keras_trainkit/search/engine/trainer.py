"""What the trainings of a trial need of the tuner that runs it."""

from collections.abc import Mapping
from typing import Any, Protocol

from keras_trainkit.search.engine.trial_record import TrialRecord
from keras_trainkit.search.engine.weights import TrialWeights


class Trainer(Protocol):
    """A tuner, as the trainings of its trials see it.

    Attributes:
        oracle: Its oracle, or the chief's as a worker sees it.
        executions_per_trial: Trainings of each trial, int >= 1.
        verbose: 2 shows the epochs of each training.
        record: The record of the trial that runs, `None` if there is none.
        next_seed: The seed of the next model that is built, `None` to set none.
    """

    oracle: Any
    executions_per_trial: int
    verbose: Any
    record: TrialRecord | None
    next_seed: int | None

    def weights_of(self, trial_id: str) -> TrialWeights:
        """Where the weights of a trial lie."""

    def copies_of(self, callbacks: Any) -> list[Any]:
        """Copies of callbacks, for one training."""

    def build_and_fit(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Trains a new model of a trial once."""

    def on_epoch_begin(
        self, trial: Any, model: Any, epoch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        """The hook of KerasTuner's tuners."""

    def on_epoch_end(
        self, trial: Any, model: Any, epoch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        """The hook of KerasTuner's tuners."""

    def on_batch_begin(self, trial: Any, model: Any, batch: int, logs: Any) -> None:
        """The hook of KerasTuner's tuners."""

    def on_batch_end(
        self, trial: Any, model: Any, batch: int, logs: Any = None
    ) -> None:
        """The hook of KerasTuner's tuners."""
