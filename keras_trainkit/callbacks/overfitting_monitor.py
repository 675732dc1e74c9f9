"""Watches the gap between training and validation."""

import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.keras_model.metrics import metric_directions
from keras_trainkit.keras_model.state import kept
from keras_trainkit.recording.request import Request

# Epochs that the trend looks back on.
_TREND_EPOCHS = 5
_BATCH = 128


class OverfittingMonitor(Monitor):
    """Compares training and validation on equal terms, once an epoch.

    What Keras shows for training is a running mean over an epoch in which the
    weights changed and dropout was on. Here a fixed subset of the training data is
    evaluated like the validation data, at the end of the epoch:
    `train_<metric>_eval`, and of each metric `overfitting_gap` (positive when
    validation is worse), `overfitting_gap_smoothed` (exponential mean) and
    `overfitting_gap_trend` (slope over the last 5 epochs, per epoch), with the
    metric's name in the column `metric`. A metric that does not say whether more
    of it is better, as a function of your own, has no gap. Sample weights are not
    used.

    Args:
        train_data: `(x, y)` to evaluate on; `None` keeps the first `examples`
            examples that are trained on.
        examples: Size of the subset, int >= 1.
        smoothing: Weight of the past in the smoothed gap, in [0, 1).
        every_epochs: Epochs between two comparisons, int >= 1.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        ```python
        monitor = OverfittingMonitor()
        model.fit(x, y, validation_data=(xv, yv), callbacks=[monitor])
        monitor.record.to_frame(measure="overfitting_gap")
        ```

    Reference:
        [CS231n notes, train/val accuracy](https://cs231n.github.io/neural-networks-3/#accuracy)
    """

    def __init__(
        self,
        train_data: tuple[Any, Any] | None = None,
        examples: int = 512,
        smoothing: float = 0.6,
        every_epochs: int = 1,
    ) -> None:
        super().__init__()
        if train_data is not None and (
            not isinstance(train_data, (tuple, list)) or len(train_data) != 2
        ):
            raise ValueError(
                "`train_data` must be None or a pair (x, y). "
                + received("train_data", type(train_data).__name__)
            )
        self.train_data = train_data
        self.examples = check_integer("examples", examples, 1)
        self.smoothing = check_number(
            "smoothing", smoothing, 0.0, 1.0, open_maximum=True
        )
        self.every_epochs = check_integer("every_epochs", every_epochs, 1)
        self._able = True
        self._dataset: Any = None

    def request(self) -> Request:
        """Asks for training examples, unless the user gave some."""
        captured = self.examples if self.train_data is None else 0
        return Request(captured_examples=captured)

    def begin(self) -> None:
        """Forgets the data of an earlier run and whether they could be evaluated."""
        self._able = True
        self._dataset = None

    def read_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """Evaluates on the training subset and records the gaps."""
        if self._able and epoch % self.every_epochs == 0:
            self.compare(epoch, logs)

    def compare(self, epoch: int, logs: dict[str, Any]) -> None:
        """Evaluates on the training subset and records the gaps of an epoch."""
        recorder = self._joined()
        if self._dataset is None:
            self._dataset = self._make_dataset()
        if self._dataset is None:
            return
        try:
            # No trace: every state that changes is put back.
            with kept(self.model):
                measured = self.model.evaluate(
                    self._dataset, verbose=0, return_dict=True
                )
        except Exception as error:
            # A model with a train step of its own need not know how to evaluate.
            self._give_up(f"{type(error).__name__}: {error}")
            return
        record = recorder.record
        place: dict[str, Any] = {"step": max(recorder.steps - 1, 0), "epoch": epoch}
        directions = metric_directions(self.model)
        for name, value in measured.items():
            if np.ndim(value):
                continue
            record.add(f"train_{name}_eval", float(value), **place)
            direction = directions.get(name)
            if f"val_{name}" in logs and direction is not None:
                gap = float(logs[f"val_{name}"]) - float(value)
                self._add_gap(name, -gap if direction == "max" else gap, place)

    def _make_dataset(self) -> Any:
        data = self.train_data
        if data is None:
            captured = self._joined().captured()
            if captured is None:
                self._give_up("the training data could not be kept on the device")
                return None
            data = keras.utils.unpack_x_y_sample_weight(captured)[:2]
        # A dataset made once: Keras would build a pipeline anew for arrays.
        examples = tf.data.Dataset.from_tensor_slices(
            (data[0],) if data[1] is None else tuple(data)
        )
        return examples.batch(_BATCH).cache()

    def _add_gap(self, name: str, gap: float, place: dict[str, Any]) -> None:
        record = self._joined().record
        _, _, smoothed = record.values("overfitting_gap_smoothed", metric=name)
        before = smoothed[-1] if len(smoothed) and np.isfinite(smoothed[-1]) else gap
        mean = self.smoothing * before + (1.0 - self.smoothing) * gap
        record.add("overfitting_gap", gap, metric=name, **place)
        record.add("overfitting_gap_smoothed", mean, metric=name, **place)
        _, epochs, gaps = record.values("overfitting_gap", metric=name)
        recent = slice(-_TREND_EPOCHS, None)
        epochs, gaps = epochs[recent], gaps[recent]
        if len(gaps) >= 2 and np.isfinite(gaps).all() and epochs[-1] > epochs[0]:
            trend = float(np.polyfit(epochs - epochs[0], gaps, 1)[0])
            record.add("overfitting_gap_trend", trend, metric=name, **place)

    def _give_up(self, reason: str) -> None:
        self._able = False
        warnings.warn(
            "OverfittingMonitor cannot evaluate on training data and will not try "
            f"again in this run: {reason}. Pass `train_data=(x, y)`.",
            stacklevel=2,
        )
