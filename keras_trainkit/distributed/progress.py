"""Keras' callbacks around epochs whose steps others do."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_trainkit.arguments import received


class Progress:
    """Calls callbacks as `fit` does, batch hooks excepted.

    Args:
        model: The model that callbacks see.
        callbacks: The user's callbacks.
        steps: Batches in all.
        steps_per_epoch: Batches in an epoch.
        verbose: As in `fit`.

    Raises:
        ValueError: If a callback needs the steps of `fit`.
    """

    def __init__(
        self,
        model: Any,
        callbacks: Sequence[Any],
        steps: int,
        steps_per_epoch: int,
        verbose: int | str,
    ) -> None:
        for callback in callbacks:
            if getattr(callback, "reads_steps_of_fit", False):
                raise ValueError(
                    "`callbacks` must not hold monitors, which read the steps of "
                    "`model.fit` and see none of the workers'; `record` has what is "
                    f"measured here. {received('callbacks', type(callback).__name__)}"
                )
        self.steps_per_epoch = steps_per_epoch
        self._epochs = -(-steps // steps_per_epoch)
        self._verbose = verbose
        self._model = model
        self._logs: dict[str, float] = {}
        self.history = keras.callbacks.History()
        self._list = keras.callbacks.CallbackList(
            [*callbacks, self.history],
            model=model,
            epochs=self._epochs,
            steps=steps_per_epoch,
            verbose=0 if verbose == "auto" else verbose,
        )

    def __enter__(self) -> "Progress":
        self._model.stop_training = False
        self._list.on_train_begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._list.on_train_end(self._logs)

    def begin_epoch(self, epoch: int) -> None:
        """Says that an epoch begins."""
        self._list.on_epoch_begin(epoch)

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Says that an epoch has ended, and prints a line."""
        self._list.on_epoch_end(epoch, logs)
        self._logs = logs
        if self._verbose:
            words = " - ".join(f"{name}: {value:.4g}" for name, value in logs.items())
            print(f"Epoch {epoch + 1}/{self._epochs} - {words}", flush=True)
