"""What a model makes of a few examples, beside what trivial answers would."""

import math
from typing import Any

import keras
import numpy as np

from keras_trainkit.keras_model.data_statistics import persistence_answers
from keras_trainkit.keras_model.outputs import loss_name, loss_option

# Probabilities are kept this far from 0 and 1, as Keras' losses do.
_EPSILON = 1e-7
# Losses by which forecasts of values are judged.
_OF_VALUES = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")


def example_statistics(model: Any, x: Any, y: Any) -> dict[str, float] | None:
    """Compares predictions, targets and the best constant answers.

    The model is called once in inference mode; nothing that it writes to variables
    that Keras lists is kept, for all others see `moved_by_evaluation`. The loss is
    computed anew from what `predict` would return, not from the logits that Keras
    attaches to it.

    Args:
        model: A compiled Keras model with one output and one loss.
        x: Inputs, a few hundred examples.
        y: Their targets.

    Returns:
        `example_loss` (their mean), `example_loss_median` (NaN if the loss gives no
        number an example), `trivial_loss` (of the best constant answer found: the
        shares of the classes, the mean or the median of the targets),
        `contradicted_fraction` (share of the examples that lose more than twice as
        much, where the loss gives a number an example), `persistence_loss` (of values
        that are answered by repeating an input, see `persistence_answers`),
        `example_accuracy` and `trivial_accuracy` (of a classifier), `input_low`,
        `input_high` and `input_spread` (of inputs that are floating, all together),
        `target_low`, `target_high`, `target_spread`, `prediction_low`,
        `prediction_high`,
        `prediction_spread` (the spreads are deviations over the examples, averaged
        over units); `None` if the model has several outputs or losses, or none.
    """
    if not is_comparable(model, y):
        return None
    loss = single_loss(model)
    with keras.StatelessScope([(v, v.value) for v in model.variables]):
        predicted = model(keras.tree.map_structure(keras.ops.array, x), training=False)
        if keras.tree.is_nested(predicted):
            return None
        predicted = np.asarray(keras.ops.convert_to_numpy(predicted), np.float32)
        target = np.asarray(y)
        each = losses_of(loss, target, predicted)
        trivial = trivial_loss(loss, target, predicted)
        found = {
            "example_loss": float(np.mean(each)),
            "example_loss_median": float(np.median(each)) if each.ndim else math.nan,
            "trivial_loss": trivial,
            **_input_ranges(x),
            **_ranges("target", target),
            **_ranges("prediction", predicted),
        }
        if each.ndim and trivial > 0:
            found["contradicted_fraction"] = float(np.mean(each > 2.0 * trivial))
        if loss_name(loss) in _OF_VALUES:
            copies = persistence_answers(x, predicted.shape)
            copied = [float(np.mean(losses_of(loss, target, one))) for one in copies]
            if copied:
                found["persistence_loss"] = min(copied)
    classes = class_numbers(loss, target, predicted)
    if classes is not None:
        shares = np.bincount(classes) / len(classes)
        if predicted.shape[-1] == 1:
            chosen = predicted.reshape(-1) > (0.0 if is_from_logits(loss) else 0.5)
        else:
            chosen = predicted.reshape(-1, predicted.shape[-1]).argmax(axis=-1)
        found["example_accuracy"] = float(np.mean(chosen == classes))
        found["trivial_accuracy"] = float(shares.max())
    return found


def is_comparable(model: Any, y: Any) -> bool:
    """Whether there is one loss, and targets of one output."""
    return not (single_loss(model) is None or y is None or keras.tree.is_nested(y))


def single_loss(model: Any) -> Any:
    """The loss object of a model with one loss, else `None`."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, list | tuple) and len(loss) == 1:
        loss = loss[0]
    if loss is None or isinstance(loss, dict | list | tuple):
        return None
    try:
        return keras.losses.get(loss)
    except ValueError:
        return None


def is_from_logits(loss: Any) -> bool:
    """Whether a loss expects logits."""
    return bool(loss_option(loss, "from_logits"))


def losses_of(loss: Any, target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """One loss an example, shape `(examples,)`; a scalar if the loss gives no more."""
    if target.ndim + 1 == predicted.ndim and predicted.shape[-1] == 1:
        target = target[..., np.newaxis]
    # Of the type that Keras gives a loss in a step.
    dtype = getattr(loss, "dtype", None) or keras.config.floatx()
    y = keras.ops.array(target, dtype)
    p = keras.ops.array(predicted, dtype)
    call = getattr(loss, "call", loss)
    each = np.asarray(keras.ops.convert_to_numpy(call(y, p)), np.float64)
    if each.ndim and len(each) == len(target):
        return each.reshape(len(each), -1).mean(axis=1)
    return np.asarray(each.mean())


def class_numbers(
    loss: Any, target: np.ndarray, predicted: np.ndarray
) -> np.ndarray | None:
    """Class of each decision, `None` if the model does not classify."""
    name, units = loss_name(loss), predicted.shape[-1] if predicted.ndim else 0
    if name == "categorical_crossentropy" and target.shape == predicted.shape:
        return target.reshape(-1, units).argmax(axis=-1)
    whole = np.isfinite(target).all() and (target == np.round(target)).all()
    if not whole or target.min() < 0:
        return None
    numbers: np.ndarray = target.reshape(-1).astype(np.int64)
    decisions = predicted.size // max(units, 1)
    if name == "sparse_categorical_crossentropy" and len(numbers) == decisions:
        return numbers if numbers.max() < units else None
    if name == "binary_crossentropy" and units == 1 and len(numbers) == decisions:
        return numbers if numbers.max() <= 1 else None
    return None


def trivial_loss(loss: Any, target: np.ndarray, predicted: np.ndarray) -> float:
    """Loss of the best constant answer among those tried, in the output's shape."""
    answers = list(_constant_answers(loss, target, predicted))
    with np.errstate(all="ignore"):
        losses = [
            float(
                np.mean(losses_of(loss, target, np.broadcast_to(one, predicted.shape)))
            )
            for one in answers
        ]
    return min((one for one in losses if math.isfinite(one)), default=math.nan)


def _constant_answers(loss: Any, target: np.ndarray, predicted: np.ndarray) -> Any:
    units = predicted.shape[-1]
    classes = class_numbers(loss, target, predicted)
    if classes is not None and units > 1:
        shares = np.bincount(classes, minlength=units) / len(classes)
        shares = np.clip(shares, _EPSILON, None)
        yield np.log(shares) if is_from_logits(loss) else shares
        return
    values: np.ndarray = target.astype(np.float64)
    if values.ndim + 1 == predicted.ndim:
        values = values[..., np.newaxis]
    mean = values.mean(axis=0)
    if is_from_logits(loss):
        mean = np.clip(mean, _EPSILON, 1 - _EPSILON)
        yield np.log(mean / (1 - mean))
        return
    yield mean
    if loss_name(loss) != "binary_crossentropy":
        yield np.median(values, axis=0)


def _input_ranges(x: Any) -> dict[str, float]:
    parts = [np.asarray(part) for part in keras.tree.flatten(x)]
    parts = [part for part in parts if part.dtype.kind == "f" and part.size]
    if not parts:
        return {}
    # Of each input apart: what is far from the others would hide in a mean.
    return {
        "input_low": min(float(part.min()) for part in parts),
        "input_high": max(float(part.max()) for part in parts),
        "input_spread": max(float(np.std(part, dtype=np.float64)) for part in parts),
    }


def _ranges(name: str, values: np.ndarray) -> dict[str, float]:
    values = values.astype(np.float64)
    return {
        f"{name}_low": float(values.min()),
        f"{name}_high": float(values.max()),
        f"{name}_spread": float(np.std(values, axis=0).mean()),
    }
