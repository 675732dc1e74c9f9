"""The loss of a student: what the teacher says, and what is true."""

from typing import Any

import keras
import tensorflow as tf

_TINY = 1e-7


def with_hard(soft: Any, hard: Any, kind: str) -> Any:
    """Returns soft and true targets side by side on the last axis.

    Args:
        soft: What the teacher predicts.
        hard: The true targets, classes as numbers or one-hot; `None` for none.
        kind: What is predicted; see `Ensemble.kinds`.
    """
    soft = tf.cast(soft, tf.float32)
    if hard is None:
        return soft
    hard = tf.convert_to_tensor(hard)
    classes = soft.shape[-1]
    if kind == "classes":
        if hard.shape.rank == soft.shape.rank and hard.shape[-1] != classes:
            hard = tf.squeeze(hard, -1)
        if hard.shape.rank < soft.shape.rank:
            hard = tf.one_hot(tf.cast(hard, tf.int64), classes)
    hard = tf.reshape(tf.cast(hard, tf.float32), tf.shape(soft))
    return tf.concat([soft, hard], axis=-1)


class DistillationLoss(keras.losses.Loss):
    """The loss that `distill` states, for one output.

    Args:
        kind: What the student predicts; see `output_kinds`.
        taught: What the teacher predicts; see `Ensemble.kinds`.
        temperature: T, > 0.
        hard_weight: w, in [0, 1].
    """

    def __init__(
        self, kind: str, taught: str, temperature: float, hard_weight: float
    ) -> None:
        super().__init__(name="distillation")
        self.kind, self.taught = kind, taught
        self.temperature, self.hard_weight = temperature, hard_weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each example, the last axis averaged or summed."""
        predicted = tf.cast(y_pred, tf.float32)
        units = predicted.shape[-1]
        soft, hard = y_true[..., :units], y_true[..., units:]
        soft_loss, hard_loss = self._terms()
        loss = soft_loss(soft, predicted)
        if y_true.shape[-1] == units:
            return loss
        weight = self.hard_weight
        return (1.0 - weight) * loss + weight * hard_loss(hard, predicted)

    def _terms(self) -> tuple[Any, Any]:
        if self.taught == "classes":
            return self._class_divergence, self._class_entropy
        if self.taught == "labels":
            return self._label_divergence, self._label_entropy
        return _squared_error, _squared_error

    def _class_divergence(self, soft: Any, predicted: Any) -> Any:
        q = tf.nn.log_softmax(tf.math.log(soft + _TINY) / self.temperature)
        p = tf.nn.log_softmax(self._logits(predicted) / self.temperature)
        return self.temperature**2 * tf.reduce_sum(tf.exp(q) * (q - p), axis=-1)

    def _class_entropy(self, hard: Any, predicted: Any) -> Any:
        return -tf.reduce_sum(hard * tf.nn.log_softmax(self._logits(predicted)), -1)

    def _label_divergence(self, soft: Any, predicted: Any) -> Any:
        teacher = _log_odds(soft) / self.temperature
        q = tf.nn.sigmoid(teacher)
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(q, teacher)
        logits = self._logits(predicted) / self.temperature
        cross = tf.nn.sigmoid_cross_entropy_with_logits(q, logits)
        return self.temperature**2 * tf.reduce_mean(cross - entropy, axis=-1)

    def _label_entropy(self, hard: Any, predicted: Any) -> Any:
        cross = tf.nn.sigmoid_cross_entropy_with_logits(hard, self._logits(predicted))
        return tf.reduce_mean(cross, axis=-1)

    def _logits(self, predicted: Any) -> Any:
        if self.kind.endswith("logits"):
            return predicted
        if self.taught == "labels":
            return _log_odds(predicted)
        return tf.math.log(predicted + _TINY)


def _log_odds(probability: Any) -> Any:
    return tf.math.log(probability + _TINY) - tf.math.log(1.0 - probability + _TINY)


def _squared_error(target: Any, predicted: Any) -> Any:
    return tf.reduce_mean(tf.square(target - predicted), axis=-1)
