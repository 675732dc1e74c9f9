"""A student learns what an ensemble knows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.ensembles import Ensemble, distill
from keras_trainkit.ensembles.distillation_loss import DistillationLoss
from tests import models
from tests.ensembles.members import classifier, compiled, regressor, several
from tests.tolerances import CONVERGED, FLOAT32


def distance(ensemble, student, x):
    return np.abs(ensemble.predict(x, verbose=0) - student(x).numpy()).mean()


@pytest.mark.parametrize("logits", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_student_comes_to_predict_like_the_ensemble(logits):
    x, y = models.data()
    ensemble = Ensemble([compiled(member) for member in several()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    student = classifier(32, None if logits else "softmax")
    student.compile(keras.optimizers.Adam(0.03), loss, metrics=["accuracy"])
    history = distill(
        ensemble, student, x, temperature=3, epochs=60, batch_size=16, verbose=0
    )
    assert history.history["loss"][-1] < 0.05 * history.history["loss"][0]
    found = Ensemble([student]).predict(x, verbose=0)
    expected = ensemble.predict(x, verbose=0)
    np.testing.assert_allclose(found, expected, atol=2 * CONVERGED)
    assert student.loss is loss
    assert len(student.evaluate(x, y, verbose=0)) == 2


@pytest.mark.slow
def test_regression_is_distilled():
    x, _ = models.data()
    ensemble = Ensemble(several(regressor))
    student = classifier(32, None, 1)
    student.compile(keras.optimizers.Adam(0.03), "mse")
    before = distance(ensemble, student, x)
    distill(ensemble, student, x, epochs=60, batch_size=16, verbose=0)
    assert distance(ensemble, student, x) < 0.2 * before


@pytest.mark.slow
def test_dataset_and_arrays_teach_alike():
    x, y = models.data()
    ensemble = Ensemble([compiled(member) for member in several()])
    found = []
    for data in ((x, y), (tf.data.Dataset.from_tensor_slices((x, y)).batch(16),)):
        keras.utils.set_random_seed(1)
        student = compiled(classifier())
        validation = (x, y) if len(data) == 2 else data[0]
        options = {"batch_size": 16, "shuffle": False} if len(data) == 2 else {}
        history = distill(
            ensemble,
            student,
            *data,
            epochs=3,
            verbose=0,
            validation_data=validation,
            **options,
        )
        found.append((student.get_weights(), history.history["val_loss"]))
    for one, other in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(one, other, atol=FLOAT32)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=FLOAT32)


def test_several_outputs_are_taught():
    members = several(models.two_outputs, 2)
    student = models.two_outputs()
    for model in (*members, student):
        losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
        model.compile(keras.optimizers.Adam(0.01), losses)
    x, y = models.data()
    targets = {"kind": y, "size": x[:, :1]}
    history = distill(Ensemble(members), student, x, targets, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_loss_is_the_formula():
    soft, hard = np.array([[0.7, 0.2, 0.1]]), np.array([[0.0, 1.0, 0.0]])
    p = np.array([[0.5, 0.3, 0.2]])
    temperature, weight = 2.0, 0.25

    def softened(values):
        values = values ** (1 / temperature)
        return values / values.sum()

    q, s = softened(soft), softened(p)
    expected = (1 - weight) * temperature**2 * np.sum(q * np.log(q / s))
    expected += weight * -np.log(p[0, 1])
    loss = DistillationLoss("classes", "classes", temperature, weight)
    found = float(loss(np.concatenate([soft, hard], 1).astype("float32"), p))
    assert found == pytest.approx(expected, abs=FLOAT32)
    logits = DistillationLoss("class logits", "classes", temperature, weight)
    again = float(logits(np.concatenate([soft, hard], 1).astype("float32"), np.log(p)))
    assert again == pytest.approx(expected, abs=FLOAT32)


@pytest.mark.parametrize("kind", ["classes", "labels", "values"])
def test_loss_is_zero_for_the_teacher_itself(kind):
    soft = np.array([[0.7, 0.2, 0.1]], "float32")
    for temperature in (1.0, 4.0):
        loss = DistillationLoss(kind, kind, temperature, 0.0)
        assert float(loss(soft, soft)) == pytest.approx(0.0, abs=FLOAT32)


def test_what_is_saved_is_the_student(tmp_path):
    x, y = models.data()
    student = compiled(classifier())
    saver = keras.callbacks.ModelCheckpoint(str(tmp_path / "student.keras"))
    distill(classifier(), student, x, y, verbose=0, callbacks=[saver])
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert models.same(loaded.get_weights(), student.get_weights())


ERRORS = {
    "temperature": ({"temperature": 0}, "`temperature` must be a finite number > 0"),
    "weight": ({"hard_weight": 2}, "`hard_weight` must be a finite number >= 0"),
    "student": ({"student": 3}, "`student` must be a Keras model"),
    "units": ({"student": classifier(classes=4)}, "must have outputs of shape"),
    "logits": ({"student": classifier(activation=None)}, "`from_logits` must be giv"),
    "data": ({"x": iter([])}, "`x` must be arrays or a tf.data.Dataset"),
}


@pytest.mark.parametrize(("changes", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_arguments_are_refused(changes, message):
    x, _ = models.data()
    options = {"ensemble": classifier(), "student": classifier(), "x": x, **changes}
    with pytest.raises(ValueError, match=message):
        distill(**options)
