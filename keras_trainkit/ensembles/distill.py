"""One small model that learns from all members of an ensemble."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_number, received
from keras_trainkit.ensembles.distillation_loss import DistillationLoss, with_hard
from keras_trainkit.ensembles.ensemble import Ensemble
from keras_trainkit.ensembles.output_kind import output_kinds


def distill(
    ensemble: keras.Model,
    student: keras.Model,
    x: Any,
    y: Any = None,
    *,
    temperature: float = 2.0,
    hard_weight: float = 0.1,
    from_logits: Any = None,
    validation_data: Any = None,
    **fit: Any,
) -> keras.callbacks.History:
    """Trains a student to predict what an ensemble predicts.

    With T the temperature, q the ensemble's and p the student's probabilities, each
    raised to 1/T and normalised, and w the weight of the true targets:

    ```text
    loss = (1 - w) * T^2 * KL(q || p) + w * cross_entropy(y, p at T = 1)
    ```

    For labels that do not exclude each other the same holds label by label; for
    values both terms are squared errors. The student's own loss is not used; it
    stays compiled as it was, and its optimizer (Adam if it has none) is used.
    Inputs need no labels: data without may be added.

    For arrays the ensemble predicts once; for a dataset at each step, so that
    augmented inputs get predictions of their own.

    Args:
        ensemble: The teacher: an ensemble, or any Keras model.
        student: The model to train, with the same inputs and outputs.
        x: Inputs: arrays, or a `tf.data.Dataset` of batches.
        y: True targets as for `fit`, or `None`; a dataset yields them.
        temperature: T, > 0; the higher, the more the improbable classes count.
        hard_weight: w, in [0, 1]; not used where there are no targets.
        from_logits: Whether the student ends in logits; as for `Ensemble`.
        validation_data: `(x, y)`, `(x,)` or a dataset, for `val_loss`.
        **fit: Further arguments of `model.fit`, such as `epochs`.

    Returns:
        The history of the training.

    Raises:
        ValueError: If an argument is outside its range, or the student's outputs are
            not those of the ensemble.

    Example:
        ```python
        history = tk.ensembles.distill(ensemble, small, x, y, epochs=30)
        small.evaluate(x_test, y_test)
        ```

    Reference:
        [Hinton et al., 2015, section 2](https://arxiv.org/abs/1503.02531)
    """
    temperature = check_number("temperature", temperature, 0, open_minimum=True)
    hard_weight = check_number("hard_weight", hard_weight, 0, 1)
    if not isinstance(student, keras.Model):
        raise ValueError(
            f"`student` must be a Keras model. {received('student', student)}"
        )
    if isinstance(ensemble, keras.Model) and not isinstance(ensemble, Ensemble):
        ensemble = Ensemble([ensemble])
    inputs = _some_inputs(x)
    taught, learnt = ensemble(inputs), student(inputs)
    keras.tree.assert_same_structure(taught, learnt)
    kinds = _student_kinds(ensemble, student, learnt, from_logits)
    for one, other in zip(
        keras.tree.flatten(taught), keras.tree.flatten(learnt), strict=True
    ):
        if one.shape != other.shape:
            raise ValueError(
                f"`student` must have outputs of shape {(None, *one.shape[1:])}, as "
                f"the ensemble. {received('shape', (None, *other.shape[1:]))}"
            )
    losses = [
        DistillationLoss(kind, taught_kind, temperature, hard_weight)
        for kind, taught_kind in zip(kinds, ensemble.kinds, strict=True)
    ]
    learner = _Learner(student)
    learner.compile(
        optimizer=getattr(student, "optimizer", None) or keras.optimizers.Adam(),
        loss=keras.tree.pack_sequence_as(learnt, losses),
    )
    data = _taught(ensemble, x, y)
    if validation_data is not None:
        if not isinstance(validation_data, tf.data.Dataset):
            parts = keras.utils.unpack_x_y_sample_weight(tuple(validation_data))
            validation_data = _taught(ensemble, *parts[:2])
        else:
            validation_data = _taught(ensemble, validation_data, None)
    if isinstance(data, tuple):
        return learner.fit(*data, validation_data=validation_data, **fit)
    fit.setdefault("shuffle", False)  # of no effect, but Keras warns of its default
    return learner.fit(data, validation_data=validation_data, **fit)


class _Learner(keras.Model):
    """The student under another loss; what is saved is the student."""

    def __init__(self, student: keras.Model) -> None:
        super().__init__(name="learner", autocast=False)
        self.student = student
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.student(inputs, training=training)

    def save(self, *args: Any, **kwargs: Any) -> Any:
        return self.student.save(*args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> Any:
        return self.student.save_weights(*args, **kwargs)


def _some_inputs(x: Any) -> Any:
    if isinstance(x, tf.data.Dataset):
        for batch in x.take(1):
            return keras.utils.unpack_x_y_sample_weight(batch)[0]
    if all(hasattr(part, "shape") for part in keras.tree.flatten(x)):
        return keras.tree.map_structure(lambda part: tf.convert_to_tensor(part[:2]), x)
    raise ValueError(
        "`x` must be arrays or a tf.data.Dataset with batches. "
        + received("x", type(x).__name__)
    )


def _student_kinds(
    ensemble: Any, student: keras.Model, outputs: Any, from_logits: Any
) -> list[str]:
    kinds = []
    for kind, taught in zip(
        output_kinds(student, outputs, from_logits), ensemble.kinds, strict=True
    ):
        if taught in ("classes", "labels") and kind in ("unknown", "values"):
            raise ValueError(
                "`from_logits` must be given, as the student does not tell whether it "
                f"ends in logits. {received('from_logits', from_logits)}"
            )
        kinds.append(kind)
    return kinds


def _taught(ensemble: Any, x: Any, y: Any) -> Any:
    """Returns the data with what the ensemble predicts as targets."""
    kinds = ensemble.kinds

    def targets(soft: Any, hard: Any) -> Any:
        flat = keras.tree.flatten(soft)
        hards = [None] * len(flat) if hard is None else keras.tree.flatten(hard)
        packed = [
            with_hard(one, other, kind)
            for one, other, kind in zip(flat, hards, kinds, strict=True)
        ]
        return keras.tree.pack_sequence_as(soft, packed)

    if not isinstance(x, tf.data.Dataset):
        soft = ensemble.predict(x, verbose=0)
        hard = None if y is None else keras.tree.map_structure(np.asarray, y)
        return x, keras.tree.map_structure(np.asarray, targets(soft, hard))

    def taught_batch(*batch: Any) -> tuple:
        inputs, hard, weight = keras.utils.unpack_x_y_sample_weight(
            batch if len(batch) > 1 else batch[0]
        )
        found = targets(ensemble(inputs, training=False), hard)
        return (inputs, found) if weight is None else (inputs, found, weight)

    return x.map(taught_batch).prefetch(tf.data.AUTOTUNE)
