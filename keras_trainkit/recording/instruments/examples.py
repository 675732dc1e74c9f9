"""What the model makes of a few training examples, beside trivial answers."""

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_trainkit.keras_model.data_statistics import neighbours_alike
from keras_trainkit.keras_model.evaluation_state import moved_by_evaluation, unmoved
from keras_trainkit.keras_model.example_statistics import (
    example_statistics,
    is_comparable,
    is_from_logits,
    loss_name,
    single_loss,
)
from keras_trainkit.keras_model.layers import could_learn, measured_layers
from keras_trainkit.keras_model.outputs import last_activation
from keras_trainkit.keras_model.received_spread import received_spread
from keras_trainkit.keras_model.structure import (
    layers_of_alike_units,
    narrowest_layer,
)
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord


class Examples(Instrument):
    """Predicts the examples first trained on, once an epoch.

    Args:
        examples: How many, int >= 1.
    """

    measures = tuple(
        map(
            measure_named,
            (
                "trivial_loss",
                "trivial_accuracy",
                "example_loss",
                "example_loss_median",
                "persistence_loss",
                "contradicted_fraction",
                "example_accuracy",
                "prediction_low",
                "prediction_high",
                "prediction_spread",
                "input_low",
                "input_high",
                "input_spread",
                "target_low",
                "target_high",
                "target_spread",
            ),
        )
    )
    channel = "epochs"

    def __init__(self, examples: int) -> None:
        self.keeps_examples = examples
        self.begin(None)

    def begin(self, model: Any) -> None:
        """Forgets the data of an earlier run."""
        self._data: Any = None
        self._weighted = False
        self._moved: list[Any] | None = None
        self._able = True

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Predicts the examples and records the comparison."""
        if not self._able:
            return
        try:
            self._able = self._compare(record, place)
        except NotImplementedError:  # no call(): its train step does it all
            self._able = False
        except Exception as error:
            # A loss or a call of the user's own need not work outside a step, and
            # whatever happens here is no reason to end a training.
            self._able = False
            warnings.warn(
                "What the model makes of its training examples is not measured in "
                f"this run: {type(error).__name__}: {error}",
                stacklevel=2,
            )

    def _compare(self, record: "TrainingRecord", place: Place) -> bool:
        """Records the comparison, if the model and its data are of a kind for it."""
        if self._data is None:
            kept = place.kept_examples()
            if kept is None:
                return False
            x, y, weight = keras.utils.unpack_x_y_sample_weight(kept)
            if y is None:
                return False
            weights = [part for part in keras.tree.flatten(weight) if part is not None]
            self._weighted = any(bool(np.ptp(np.asarray(one)) > 0) for one in weights)
            self._data = keras.tree.map_structure(
                lambda part: part[: self.keeps_examples], (x, y)
            )
        x, y = self._data
        if not is_comparable(place.model, y):
            return False
        if self._moved is None:
            self._moved = moved_by_evaluation(place.model, x, y)
        with unmoved(self._moved):
            found = example_statistics(place.model, x, y)
        if found is None:
            return False
        for name, value in found.items():
            record.add(name, value, **place.moment)
        if "task" not in record.metadata:
            with unmoved(self._moved):
                data = _describe_data(place.model, x, y, found)
            record.metadata["task"] = describe_task(place.model) | data
        record.metadata["task"]["weighted"] = self._weighted
        record.metadata["task"]["examples"] = int(np.shape(y)[0])
        return True


def _describe_data(
    model: Any, x: Any, y: Any, found: dict[str, float]
) -> dict[str, Any]:
    """What layers receive, what inputs say of targets, and what more rows do.

    The last is asked of a loss of one number a batch only.

    Nothing of what cannot be told.
    """
    facts: dict[str, Any] = {}
    # The model was called before, but nobody knows what its parts make of it.
    with contextlib.suppress(Exception):
        spread = received_spread(model, x)
        if np.isfinite(spread):
            facts["received_spread"] = spread
    with contextlib.suppress(Exception):
        alike = neighbours_alike(x, y)
        if np.isfinite(alike):
            facts["neighbours_alike"] = alike
    with contextlib.suppress(Exception):
        ignores = _ignores_order(model, x, y, found)
        if ignores is not None:
            facts["loss_ignores_order"] = ignores
    if np.isnan(found["example_loss_median"]):
        with contextlib.suppress(Exception):
            facts["batch_loss"] = _loss_of_more_rows(model, x, y)
    return facts


def _ignores_order(model: Any, x: Any, y: Any, found: dict[str, float]) -> bool | None:
    """Whether the loss stays the same if each example gets the target of another.

    `None` where it would of any loss: targets or predictions that are all the same.
    """
    if not min(found["target_spread"], found["prediction_spread"]) > 1e-6:
        return None
    moved = example_statistics(model, x, np.roll(np.asarray(y), 1, axis=0))
    if moved is None or not np.isfinite(moved["example_loss"]):
        return None
    loss, other = found["example_loss"], moved["example_loss"]
    return bool(np.isclose(other, loss, rtol=1e-6, atol=0.0))


def _loss_of_more_rows(model: Any, x: Any, y: Any) -> str:
    """Says whether the loss of a batch is the "mean" or the "sum" of its halves'."""
    rows = len(y) // 2

    def loss(first: int, last: int) -> float:
        part = keras.tree.map_structure(lambda leaf: leaf[first:last], (x, y))
        found = example_statistics(model, *part)
        return np.nan if found is None else found["example_loss"]

    whole, both = loss(0, 2 * rows), loss(0, rows) + loss(rows, 2 * rows)
    if np.isclose(whole, both / 2, rtol=1e-3):
        return "mean"
    return "sum" if np.isclose(whole, both, rtol=1e-3) else "other"


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
            could_learn(layer) and not layer.trainable_weights
            for layer in _layers(model)
        ),
        "alike_units": layers_of_alike_units(model),
        "narrowest_layer": narrowest_layer(model),
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
