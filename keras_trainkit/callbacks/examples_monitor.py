"""Watches what the model makes of a few training examples."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import check_integer
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.keras_model.example_statistics import (
    example_statistics,
    is_from_logits,
    loss_name,
    single_loss,
)
from keras_trainkit.keras_model.layers import measured_layers
from keras_trainkit.keras_model.outputs import last_activation
from keras_trainkit.recording.request import Request


class ExamplesMonitor(Monitor):
    """Compares predictions with targets and with trivial answers, once an epoch.

    The first examples that are trained on are kept and predicted at the end of
    each epoch, without a trace: `trivial_loss` is what the best constant answer
    would lose on them, `example_loss` what the predictions lose, computed anew;
    beside them accuracies, ranges and spreads of predictions and targets. Models
    with several outputs or losses are not measured.

    Args:
        examples: How many to keep, int >= 1.

    Raises:
        ValueError: If `examples` is not an integer >= 1.

    Example:
        ```python
        monitor = ExamplesMonitor()
        model.fit(x, y, callbacks=[monitor])
        monitor.record.to_frame(measure="trivial_loss")
        ```
    """

    def __init__(self, examples: int = 256) -> None:
        super().__init__()
        self.examples = check_integer("examples", examples, 1)
        self._data: Any = None
        self._able = True

    def request(self) -> Request:
        """Asks for training examples."""
        return Request(captured_examples=self.examples)

    def begin(self) -> None:
        """Forgets the data of an earlier run."""
        self._data = None
        self._able = True

    def read_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Predicts the examples and records the comparison."""
        if not self._able:
            return
        recorder = self._joined()
        found = None
        if self._data is None:
            captured = recorder.captured()
            if captured is not None:
                self._data = keras.utils.unpack_x_y_sample_weight(captured)[:2]
        if self._data is not None:
            x, y = keras.tree.map_structure(
                lambda part: part[: self.examples], self._data
            )
            try:
                found = example_statistics(self.model, x, y)
            except Exception:
                # A loss or a call of the user's own need not work outside a step.
                found = None
        if found is None:
            self._able = False
            return
        record = recorder.record
        record.metadata.setdefault("task", describe_task(self.model))
        place: dict[str, Any] = {"step": max(recorder.steps - 1, 0), "epoch": epoch}
        for name, value in found.items():
            record.add(name, value, **place)
        record.metadata["task"]["examples"] = int(np.shape(y)[0])


def describe_task(model: Any) -> dict[str, Any]:
    """What the model is asked for: its loss and its last activation, by name."""
    loss = single_loss(model)
    return {
        "loss": loss_name(loss),
        "reduction": str(getattr(loss, "reduction", "")),
        "from_logits": is_from_logits(loss),
        "activation": activation_of(model),
        "dropout": max(_rates(model), default=0.0),
        "trainable_weights": sum(
            int(np.prod(v.shape)) for v in model.trainable_variables
        ),
        "frozen_layers": sum(
            bool(layer.weights) and not layer.trainable_weights
            for layer in _layers(model)
        ),
    }


def _layers(model: Any) -> list[Any]:
    return [measured.layer for measured in measured_layers(model)]


def _rates(model: Any) -> list[float]:
    return [
        float(layer.rate)
        for layer in _layers(model)
        if isinstance(layer, keras.layers.Dropout)
    ]


def activation_of(model: Any) -> str:
    """Name of the activation that a single output ends in, "" if it is not known."""
    symbols = getattr(model, "outputs", None)
    if not isinstance(symbols, list) or len(symbols) != 1:
        return ""
    return last_activation(symbols[0])
