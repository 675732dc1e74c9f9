"""Each check must fire on what it is for, and say which status it earned."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import preflight as _function
from keras_trainkit.preflight import (
    Subject,
    check_class_balance,
    check_duplicates,
    check_features,
    check_gradient,
    check_initial_loss,
    check_labels,
    check_machine,
    check_memorizing,
    check_pairing,
    check_penalties,
    check_reached,
    check_reported_loss,
    check_row_order,
    check_spread,
    memorizing,
)
from tests.gradcheck.planted import FaultyDense
from tests.preflight.models import classifier, diabetes, digits, regressor

L = keras.layers


def altered(change):
    x, y = digits()
    return change(x.copy(), y.copy())


def put(x, y, place, value):
    x[place] = value
    return x, y


FEATURES = {
    "nan": (lambda x, y: put(x, y, (3, 5), np.nan), "fail", "NaN"),
    "unscaled": (lambda x, y: (x * 255, y), "warn", "not scaled"),
    "constant": (lambda x, y: (x * 0 + 1, y), "fail", "never change"),
    "strings": (lambda x, y: (x.astype(str), y), "fail", "holds strings"),
    "magnitudes": (
        lambda x, y: put(x, y, (slice(None), 20), x[:, 20] * 1e5),
        "warn",
        "-fold in scale",
    ),
}


@pytest.mark.parametrize("fault", FEATURES, ids=str)
def test_check_features_fires_on(fault):
    change, status, words = FEATURES[fault]
    subject = Subject(classifier(), *digits())
    subject.x, subject.y = altered(change)
    verdict = check_features(subject)
    assert verdict.status == status
    assert any(words in finding.message for finding in verdict.findings)


def test_check_features_knows_a_normalising_layer():
    model = classifier(L.Rescaling(1 / 255), L.Dense(10, "softmax"))
    x, y = digits()
    assert check_features(Subject(model, x * 255, y)).status == "pass"


def test_check_features_compares_ids_with_the_embedding():
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            L.Embedding(5, 2),
            L.Flatten(),
            L.Dense(2, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((8, 3), int)
    subject = Subject(model, x, np.arange(8) % 2)
    assert check_features(subject).status == "pass"
    subject.x = x + 5
    assert "rows 0 to 4" in check_features(subject).why


ONE_HOT = np.eye(10)
LABELS = {
    "one-hot": ("sparse_categorical_crossentropy", 10, lambda y: ONE_HOT[y], "one-hot"),
    "from one": ("sparse_categorical_crossentropy", 10, lambda y: y + 1, "1 to 10"),
    "fractions": ("sparse_categorical_crossentropy", 10, lambda y: y + 0.5, "whole"),
    "constant": ("sparse_categorical_crossentropy", 10, lambda y: y * 0, "the same"),
    "integers": ("categorical_crossentropy", 10, lambda y: y, "one-hot rows"),
    "several": (
        "categorical_crossentropy",
        10,
        lambda y: ONE_HOT[y] + ONE_HOT[(y + 1) % 10],
        "add up to 2",
    ),
    "minus one": ("binary_crossentropy", 1, lambda y: 2 * (y % 2) - 1, "-1 to 1"),
    "classes": ("binary_crossentropy", 1, lambda y: y, "0 to 9"),
    "nan": ("mse", 1, lambda y: np.where(y == 3, np.nan, y), "NaN"),
    "broadcast": ("mse", 1, lambda y: ONE_HOT[y], "broadcast"),
}


@pytest.mark.parametrize("fault", LABELS, ids=str)
def test_check_labels_fails_on(fault):
    loss, units, change, words = LABELS[fault]
    fitting = {"categorical_crossentropy": ONE_HOT}.get(loss)
    x, y = digits()
    good = fitting[y] if fitting is not None else y % units if units > 1 else y % 2
    activation = {"mse": None, "binary_crossentropy": "sigmoid"}.get(loss, "softmax")
    model = classifier(L.Dense(units, activation), loss=loss)
    subject = Subject(model, x, good)
    assert check_labels(subject).status == "pass"
    bad = change(y)
    for output in subject.outputs:
        output.target, output.batch_target = bad, bad[: len(output.predicted)]
    verdict = check_labels(subject)
    assert verdict.status == "fail"
    assert words in verdict.why


def test_check_labels_warns_of_units_without_a_class():
    subject = Subject(classifier(L.Dense(11, "softmax")), *digits())
    verdict = check_labels(subject)
    assert verdict.status == "warn"
    assert verdict.findings[0].evidence["classes"] == [10]


def test_check_labels_warns_of_unscaled_targets():
    x, y = diabetes()
    assert check_labels(Subject(regressor(), x, 77 * y + 150)).status == "warn"


def test_check_class_balance_names_the_score_of_guessing():
    x, y = digits()
    model = classifier(L.Dense(1, "sigmoid"), loss="binary_crossentropy")
    rare = (np.arange(len(y)) % 40 == 0).astype(int)
    verdict = check_class_balance(Subject(model, x, rare))
    assert verdict.status == "warn"
    assert "97.5%" in verdict.why


def test_check_duplicates_counts_shared_rows():
    x, y = digits()
    model = classifier()
    clean = Subject(model, x[:300], y[:300], validation_data=(x[300:], y[300:]))
    assert check_duplicates(clean).status == "pass"
    leak = Subject(model, x[:310], y[:310], validation_data=(x[300:], y[300:]))
    verdict = check_duplicates(leak)
    assert verdict.status == "fail"
    assert verdict.findings[0].evidence["rows"] == list(range(10))


@pytest.mark.parametrize("streamed", [False, True])
def test_check_row_order_fires_on_sorted_rows(streamed):
    x, y = digits()
    order = np.argsort(y, kind="stable")
    data = (x[order], y[order])
    if streamed:
        data = (tf.data.Dataset.from_tensor_slices(data).batch(50),)
    verdict = check_row_order(Subject(classifier(), *data))
    assert verdict.status == "warn"
    assert ("data.shuffle" in verdict.advice) == streamed


PAIRINGS = {
    "one softmax unit": (1, "softmax", "binary_crossentropy", "fail"),
    "sigmoid for classes": (10, "sigmoid", "sparse_categorical_crossentropy", "fail"),
    "no activation": (10, None, "sparse_categorical_crossentropy", "fail"),
    "twice": (
        10,
        "softmax",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "fail",
    ),
    "softmax for yes or no": (10, "softmax", "binary_crossentropy", "warn"),
    "out of reach": (1, "tanh", "mse", "fail"),
    "relu output": (1, "relu", "mse", "warn"),
}


@pytest.mark.filterwarnings("ignore:.*softmax:UserWarning")
@pytest.mark.parametrize("fault", PAIRINGS, ids=str)
def test_check_pairing_fires_on(fault):
    units, activation, loss, status = PAIRINGS[fault]
    x, y = digits()
    if loss == "binary_crossentropy":
        y = ONE_HOT[y] if units > 1 else y % 2
    subject = Subject(classifier(L.Dense(units, activation), loss=loss), x, y)
    assert check_pairing(subject).status == status


@pytest.mark.filterwarnings("ignore:.*softmax:UserWarning")
@pytest.mark.parametrize(
    ("units", "activation"), [(1, "softmax"), (10, "sigmoid")], ids=["one", "sigmoid"]
)
def test_check_reported_loss_finds_what_keras_hides(units, activation):
    x, y = digits()
    loss = "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"
    model = classifier(L.Dense(units, activation), loss=loss)
    verdict = check_reported_loss(Subject(model, x, y % 2 if units == 1 else y))
    assert verdict.status == "fail"
    assert "is not that of the predictions" in verdict.why


def test_check_initial_loss_fails_on_wild_initial_weights():
    wild = keras.initializers.RandomNormal(stddev=30.0)
    model = classifier(L.Dense(10, "softmax", kernel_initializer=wild))
    assert check_initial_loss(Subject(model, *digits())).status == "fail"


def test_check_initial_loss_warns_of_a_model_that_knows_too_much():
    x, y = digits(100)
    model = classifier(L.Dense(64, "relu"), L.Dense(10, "softmax"))
    model.optimizer.learning_rate = 0.02
    for _ in range(30):
        model.train_on_batch(x, y)
    verdict = check_initial_loss(Subject(model, x, y))
    assert verdict.status == "warn"
    assert "trained already" in verdict.advice


@pytest.mark.parametrize(
    ("share", "bias", "status"), [(0.05, 0.0, "pass"), (0.05, -2.94, "pass")]
)
def test_check_initial_loss_accepts_imbalanced_priors(share, bias, status):
    x, y = digits()
    y = (np.arange(len(y)) < share * len(y)).astype(int)
    last = L.Dense(
        1,
        "sigmoid",
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(bias),
    )
    subject = Subject(classifier(last, loss="binary_crossentropy"), x, y)
    assert check_initial_loss(subject).status == status


def test_check_initial_loss_warns_of_targets_far_from_zero():
    x, y = diabetes()
    verdict = check_initial_loss(Subject(regressor(), x, y + 50))
    assert verdict.status == "warn"
    assert "only learn the mean" in verdict.why


def test_check_penalties_fails_where_the_penalty_is_forgotten():
    class Forgetful(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(y, y_pred)
            )

    inputs = keras.Input((64,))
    outputs = L.Dense(10, "softmax", kernel_regularizer="l2")(inputs)
    model = Forgetful(inputs, outputs)
    model.compile("sgd")
    assert check_penalties(Subject(model, *digits())).status == "fail"


def test_check_penalties_warns_where_they_outweigh_the_data():
    heavy = L.Dense(10, "softmax", kernel_regularizer=keras.regularizers.L2(10.0))
    verdict = check_penalties(Subject(classifier(heavy), *digits()))
    assert verdict.status == "warn"


class Detached(L.Layer):
    def call(self, x):
        return tf.stop_gradient(x)


def test_check_reached_names_unconnected_and_frozen_weights():
    first, frozen = L.Dense(8, name="first"), L.Dense(8, name="frozen")
    frozen.trainable = False
    model = classifier(first, Detached(), frozen, L.Dense(10, "softmax"))
    verdict = check_reached(Subject(model, *digits()))
    assert verdict.status == "fail"
    named = {f.where for f in verdict.findings if f.severity == "error"}
    assert named == {v.path for v in first.trainable_variables}
    assert "frozen: frozen" in " ".join(f.message for f in verdict.findings)


def test_recurrent_layers_are_watched_as_one_each():
    frozen = L.GRU(6, name="gru", trainable=False)
    layers = L.Rescaling(255), L.LSTM(6, return_sequences=True, name="lstm"), frozen
    model = classifier(L.Reshape((8, 8)), *layers, L.Dense(10, "softmax"))
    subject = Subject(model, *digits())
    found = {
        finding.code: finding.where for finding in check_features(subject).findings
    }
    assert found["unscaled_inputs"] == "What lstm receives"
    assert "(lstm) to" in check_spread(subject).why
    assert check_reached(subject).why.endswith("frozen: gru")


def test_check_reached_warns_of_dead_weights():
    dead = L.Dense(8, "relu", bias_initializer=keras.initializers.Constant(-100.0))
    verdict = check_reached(
        Subject(classifier(dead, L.Dense(10, "softmax")), *digits())
    )
    assert verdict.status == "warn"


def test_check_spread_fires_on_vanishing_signals():
    small = keras.initializers.RandomNormal(stddev=1e-2)
    layers = [L.Dense(16, "tanh", kernel_initializer=small) for _ in range(6)]
    model = classifier(*layers, L.Dense(10, "softmax"))
    verdict = check_spread(Subject(model, *digits()))
    assert verdict.status == "warn"
    assert "activations shrink" in verdict.why


def test_check_spread_fails_on_a_dead_layer():
    dead = L.Dense(8, "relu", bias_initializer=keras.initializers.Constant(-100.0))
    verdict = check_spread(Subject(classifier(dead, L.Dense(10, "softmax")), *digits()))
    assert verdict.status == "fail"
    assert "are all zero" in verdict.why


def test_check_gradient_fails_on_a_wrong_backward_rule():
    faulty = FaultyDense(12, lambda up: -up, name="faulty")
    model = classifier(faulty, L.Dense(10, "softmax"))
    verdict = check_gradient(Subject(model, *digits()))
    assert verdict.status == "fail"
    assert "sign" in verdict.why


def test_check_memorizing_fails_on_inputs_that_say_nothing(monkeypatch):
    monkeypatch.setattr(memorizing, "STEPS", 100)  # plenty for ten biases

    class Blind(L.Layer):
        def call(self, x):
            return x * 0.0

    model = classifier(Blind(), L.Dense(10, "softmax"))
    verdict = check_memorizing(Subject(model, *digits()))
    assert verdict.status == "fail"
    assert "does not learn 20 examples" in verdict.why


def test_check_memorizing_knows_the_floor_of_soft_targets():
    x, y = digits()
    soft = 0.9 * ONE_HOT[y] + 0.01
    model = classifier(L.Dense(48, "relu"), L.Dense(10, "softmax"), loss="kld")
    model.compile("adam", "categorical_crossentropy")
    verdict = check_memorizing(Subject(model, x, soft))
    assert verdict.status == "pass", verdict.why


def test_check_machine_names_a_device_and_the_faster_setting():
    verdict = check_machine(Subject(regressor(), *diabetes()))
    assert verdict.status == "pass"
    assert "CPU" in verdict.why
    assert "jit_compile" in verdict.why


def test_the_package_name_is_the_function():
    assert callable(_function)


def test_check_memorizing_does_not_judge_what_it_had_no_time_for():
    model = classifier(L.Dense(48, "relu"), L.Dense(10, "softmax"))
    verdict = check_memorizing(Subject(model, *digits(), seconds=1e-6))
    assert verdict.status == "not judged"
    assert "raise `seconds`" in verdict.why
