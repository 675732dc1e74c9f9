"""What cannot run, or only half, is found and told, never raised."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.finding import Finding, judged
from keras_trainkit.preflight import (
    Subject,
    check_features,
    check_validation,
    progress,
)
from keras_trainkit.preflight.checks import CHECKS
from tests.preflight.models import classifier, digits, regressor, subclassed

L = keras.layers
FAST = ("machine", "memorizing", "gradient")
X, Y = digits(100)


def codes(report):
    return {one.code for one in report.findings if one.severity == "error"}


FAULTS = {
    "first label out of range": (
        classifier,
        (X, np.r_[[10, 11, 12], Y[3:]]),
        {"classes_outside_units"},
    ),
    "all labels out of range": (classifier, (X, Y + 10), {"classes_outside_units"}),
    "narrow inputs": (classifier, (X[:, :63], Y), {"inputs_of_other_shape"}),
    "images for vectors": (
        classifier,
        (X.reshape(-1, 8, 8), Y),
        {"inputs_of_other_shape"},
    ),
    "string labels": (classifier, (X, Y.astype(str)), {"targets_not_numbers"}),
    "string labels of a number": (
        lambda: classifier(L.Dense(1), loss="mse"),
        (X, np.array(["low", "high"] * 50)),
        {"targets_not_numbers"},
    ),
    "no targets": (classifier, (X,), {"loss_cannot_be_computed"}),
    "string inputs": (subclassed, (X.astype(str), Y), {"inputs_not_numbers"}),
    "two targets for one output": (
        classifier,
        (X, {"a": Y, "b": Y}),
        {"loss_cannot_be_computed"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_preflight_finds(fault):
    make, data, expected = FAULTS[fault]
    report = tk.preflight(make(), *data, skip=FAST, verbose=False)
    assert codes(report) == expected, str(report)
    assert not report.ok


def ids_beyond():
    inputs = keras.Input((3,), dtype="int32")
    table = L.Flatten()(L.Embedding(5, 2)(L.Lambda(lambda ids: ids + 3)(inputs)))
    model = keras.Model(inputs, L.Dense(10, "softmax")(table))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_ids_are_those_that_the_embedding_receives():
    x = np.random.default_rng(0).integers(0, 4, (100, 3))
    verdict = check_features(Subject(ids_beyond(), x, Y))
    assert verdict.status == "fail"
    assert "receives holds ids from 3 to 6" in verdict.why
    assert check_features(Subject(ids_beyond(), x // 3, Y)).status == "pass"


VALIDATION = {
    "another width": ((X[:, :60], Y), "validation_of_other_shape"),
    "strings": ((X.astype(str), Y), "validation_of_other_type"),
    "string labels": ((X, Y.astype(str)), "validation_of_other_type"),
    "no targets": ((X,), "validation_of_other_structure"),
    "a dictionary": (({"x": X}, Y), "validation_of_other_structure"),
    "one-hot": ((X, np.eye(10)[Y]), "validation_of_other_shape"),
    "nan": ((np.where(X > 0.9, np.nan, X), Y), "validation_not_finite"),
    "not scaled": ((255 * X, Y), "validation_of_other_scale"),
}


@pytest.mark.parametrize("fault", VALIDATION, ids=str)
def test_check_validation_finds(fault):
    data, code = VALIDATION[fault]
    verdict = check_validation(Subject(classifier(), X, Y, validation_data=data))
    assert [one.code for one in verdict.findings] == [code]


def test_check_validation_takes_a_set_of_another_length():
    subject = Subject(classifier(), X[:60], Y[:60], validation_data=(X[60:], Y[60:]))
    assert check_validation(subject).status == "pass"
    data = tf.data.Dataset.from_tensor_slices((X[60:], Y[60:])).batch(10)
    subject = Subject(classifier(), X[:60], Y[:60], validation_data=data)
    assert check_validation(subject).status == "pass"


class Coder(keras.Model):
    """Its loss lives in its train step, as that of many a VAE."""

    def __init__(self):
        super().__init__()
        self.code, self.image = L.Dense(8), L.Dense(64)

    def call(self, x):
        return self.image(self.code(x))

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x) - x))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


class Pair(keras.Model):
    """Two nets and no call of their own, as a GAN."""

    def __init__(self):
        super().__init__()
        self.one, self.other = L.Dense(8), L.Dense(64)

    def train_step(self, x):
        return {"loss": tf.reduce_mean(tf.square(self.other(self.one(x)) - x))}


@pytest.mark.parametrize("make", [Coder, Pair])
def test_a_custom_train_step_leaves_the_data_checks(make):
    model = make()
    model.compile("adam")
    report = tk.preflight(model, X[:50], validation_data=(X[50:],))
    assert report.ok, str(report)
    assert str(report).startswith("Preflight: "), str(report)
    assert report["features"].status == "pass"
    assert report["validation"].status == report["duplicates"].status == "pass"
    for name in ("labels", "pairing", "gradient", "memorizing", "signal spread"):
        assert report[name].status == "not judged"
        assert report[name].why == "train_step is custom"
    assert "tk.gradcheck(layer, x)" in str(report)
    with pytest.raises(ValueError, match="its train_step is custom") as caught:
        tk.gradcheck(model, X)
    assert "pass a part of the model" in str(caught.value)


def test_checks_of_ones_own_run_after_the_others():
    def rows(subject):
        few = Finding("Few rows.", code="few_rows", category="data")
        return judged("rows", f"{subject.rows} rows", [few] * (subject.rows < 1000))

    def broken(subject):
        return subject.x + "a"

    def silent(subject):
        return None

    report = tk.preflight(
        regressor(),
        X[:, :10],
        Y.astype("float32"),
        skip=FAST,
        checks=[rows, broken, silent],
    )
    assert report["rows"].status == "warn"
    assert report["broken"].status == report["silent"].status == "not judged"
    with pytest.raises(ValueError, match="`checks` must be functions"):
        tk.preflight(classifier(), X, Y, checks=["rows"])


def test_a_gradient_of_nan_is_told_once():
    model = classifier(*[L.Dense(8, "tanh") for _ in range(4)], L.Dense(10, "softmax"))
    x = X.copy()
    x[:, 3] = np.nan
    found = tk.preflight(model, x, Y, skip=FAST)["gradient reaches"].findings
    assert [one.code for one in found] == ["infinite_gradient"]
    assert len(found[0].symptoms) == 5


def test_progress_is_told_of_where_it_takes_a_while(capsys, monkeypatch):
    import time

    def slow(subject):
        time.sleep(1.01)
        return judged("slow", "done")

    def after(subject):
        return judged("after", "done")

    skip = list(CHECKS)
    report = tk.preflight(classifier(), X, Y, skip=skip, checks=[slow, after])
    assert "preflight: 2 of 2, after" in capsys.readouterr().err
    assert "most of it for slow" in str(report)
    monkeypatch.setattr(progress, "QUIET", 0.0)
    tk.preflight(classifier(), X, Y, skip=skip, checks=[after], verbose=False)
    assert not capsys.readouterr().err


DETERMINISTIC = """
import keras, numpy as np, tensorflow as tf, keras_trainkit as tk
tf.config.experimental.enable_op_determinism()
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
report = tk.preflight(model, x, np.arange(40) % 2, skip=["memorizing"])
assert report.ok, str(report)
assert "RuntimeError" not in str(report), str(report)
"""


@pytest.mark.slow
def test_preflight_works_under_op_determinism():
    ended = subprocess.run(
        [sys.executable, "-c", DETERMINISTIC],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
