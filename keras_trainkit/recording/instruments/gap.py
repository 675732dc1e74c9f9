"""The gap between training and validation, on equal terms."""

import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.metrics import metric_directions
from keras_trainkit.keras_model.test_function import evaluated_unnoticed
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord

# Epochs that the trend looks back on.
_TREND_EPOCHS = 5
_BATCH = 128


class Gap(Instrument):
    """Evaluates a fixed subset of the training data like the validation data.

    Args:
        train_data: `(x, y)` to evaluate on; `None` keeps the first examples that
            are trained on.
        examples: How many, int >= 1.
        smoothing: Weight of the past in the smoothed gap, in [0, 1).
        every_epochs: Epochs between two comparisons, int >= 1.
    """

    measures = (
        measure_named("overfitting_gap"),
        measure_named("overfitting_gap_smoothed"),
        measure_named("overfitting_gap_trend"),
    )
    channel = "epochs"

    def __init__(
        self,
        train_data: tuple[Any, Any] | None,
        examples: int,
        smoothing: float = 0.6,
        every_epochs: int = 1,
    ) -> None:
        self.keeps_examples = examples if train_data is None else 0
        self._train_data = train_data
        self._smoothing = smoothing
        self._every_epochs = every_epochs
        self.begin(None)

    def begin(self, model: Any) -> None:
        """Forgets the data of an earlier run and whether they could be evaluated."""
        self._able = True
        self._dataset: Any = None

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Evaluates on the training subset and records the gaps."""
        if not self._able or place.epoch % self._every_epochs:
            return
        if self._dataset is None:
            self._dataset = self._make_dataset(place)
        if self._dataset is None:
            return
        try:
            with evaluated_unnoticed(place.model):
                measured = place.model.evaluate(
                    self._dataset, verbose=0, return_dict=True
                )
        except Exception as error:
            # A model with a train step of its own need not know how to evaluate.
            self._give_up(f"{type(error).__name__}: {error}")
            return
        directions = metric_directions(place.model)
        for name, value in measured.items():
            if np.ndim(value):
                continue
            record.add(f"train_{name}_eval", float(value), **place.moment)
            direction = directions.get(name)
            if f"val_{name}" in place.logs and direction is not None:
                gap = float(place.logs[f"val_{name}"]) - float(value)
                gap = -gap if direction == "max" else gap
                self._add_gap(record, name, gap, place)

    def _make_dataset(self, place: Place) -> Any:
        data = self._train_data
        if data is None:
            kept = place.kept_examples()
            if kept is None:
                self._give_up("the training data could not be kept on the device")
                return None
            data = keras.utils.unpack_x_y_sample_weight(kept)[:2]
        # A dataset made once: Keras would build a pipeline anew for arrays.
        examples = tf.data.Dataset.from_tensor_slices(
            (data[0],) if data[1] is None else tuple(data)
        )
        return examples.batch(_BATCH).cache()

    def _add_gap(
        self, record: "TrainingRecord", name: str, gap: float, place: Place
    ) -> None:
        moment = place.moment
        _, _, smoothed = record.values("overfitting_gap_smoothed", metric=name)
        before = smoothed[-1] if len(smoothed) and np.isfinite(smoothed[-1]) else gap
        mean = self._smoothing * before + (1.0 - self._smoothing) * gap
        record.add("overfitting_gap", gap, metric=name, **moment)
        record.add("overfitting_gap_smoothed", mean, metric=name, **moment)
        _, epochs, gaps = record.values("overfitting_gap", metric=name)
        recent = slice(-_TREND_EPOCHS, None)
        epochs, gaps = epochs[recent], gaps[recent]
        if len(gaps) >= 2 and np.isfinite(gaps).all() and epochs[-1] > epochs[0]:
            trend = float(np.polyfit(epochs - epochs[0], gaps, 1)[0])
            record.add("overfitting_gap_trend", trend, metric=name, **moment)

    def _give_up(self, reason: str) -> None:
        self._able = False
        warnings.warn(
            "The gap between training and validation is not measured in this run, for "
            f"the model cannot evaluate on training data: {reason}. Pass the monitor "
            "`train_data=(x, y)`.",
            stacklevel=2,
        )
