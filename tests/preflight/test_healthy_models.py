"""Healthy models of many kinds raise no error, and most of them are judged."""

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.preflight import Subject, check_features, check_initial_loss
from tests.preflight.models import diabetes, digits

L = keras.layers
FAST = ("machine", "memorizing", "gradient")
RANDOM = np.random.default_rng(0)
TEXTS = np.array(["good film", "bad film", "good book", "bad book and bad film"] * 16)
YES = np.array([1, 0, 1, 0] * 16)


def compiled(model, loss="binary_crossentropy"):
    model.compile("adam", loss)
    return model


def texts():
    words = L.TextVectorization(output_sequence_length=4)
    words.adapt(TEXTS)
    return compiled(
        keras.Sequential(
            [
                keras.Input((), dtype="string"),
                words,
                L.Embedding(words.vocabulary_size(), 4, mask_zero=True),
                L.GlobalAveragePooling1D(),
                L.Dense(1, "sigmoid"),
            ]
        )
    )


def looked_up():
    lookup = L.StringLookup(vocabulary=["a", "b", "c"], output_mode="one_hot")
    inputs = keras.Input((), dtype="string")
    return compiled(keras.Model(inputs, L.Dense(1, "sigmoid")(lookup(inputs))))


def numbered():
    """Ids from 8 to 998 for a table of few rows, and a number beside them."""
    ids = keras.Input((1,), dtype="int64", name="ids")
    count = keras.Input((1,), dtype="int64", name="count")
    known = L.IntegerLookup(vocabulary=[8, 90, 998])(ids)
    table = L.Flatten()(L.Embedding(4, 2)(known))
    hashed = L.Flatten()(L.Embedding(7, 2)(L.Hashing(7)(count)))
    joined = L.Concatenate()([table, hashed, L.Rescaling(1 / 5000)(count)])
    return compiled(keras.Model([ids, count], L.Dense(1, "sigmoid")(joined)))


def beside_a_number():
    """One table, and another integer input that is no id."""
    ids = keras.Input((3,), dtype="int64", name="ids")
    age = keras.Input((1,), dtype="int64", name="age")
    table = L.Flatten()(L.Embedding(5, 2)(ids))
    joined = L.Concatenate()([table, L.Dense(2, "tanh")(age)])
    return compiled(
        keras.Model({"ids": ids, "age": age}, L.Dense(1, "sigmoid")(joined))
    )


def masked():
    values = keras.Input((6, 2), name="values")
    mask = keras.Input((6,), dtype="bool", name="mask")
    hidden = L.LSTM(4)(values, mask=mask)
    return compiled(
        keras.Model({"values": values, "mask": mask}, L.Dense(1, "sigmoid")(hidden))
    )


def listed(names=("kind", "size"), loss=None):
    inputs = keras.Input((64,))
    hidden = L.Dense(16, "relu")(inputs)
    outputs = [
        L.Dense(10, "softmax", name=names[0])(hidden),
        L.Dense(1, name=names[1])(hidden),
    ]
    loss = loss or {names[0]: "sparse_categorical_crossentropy", names[1]: "mse"}
    return compiled(keras.Model(inputs, outputs), loss)


def fixed():
    return compiled(
        keras.Sequential(
            [
                keras.Input(batch_shape=(16, 4, 2)),
                L.LSTM(3, stateful=True),
                L.Dense(1, "sigmoid"),
            ]
        )
    )


X, Y = digits(64)
SIZE = (RANDOM.normal(size=(64, 1))).astype("float32")
SEQUENCES = RANDOM.normal(size=(64, 6, 2)).astype("float32")
QUICK = (False, 1), (True, 60)
IDS = np.array([[8], [90], [998], [90]] * 16)
AGES = RANDOM.integers(18, 90, (64, 1))

HEALTHY = {
    "texts": (texts, (TEXTS, YES)),
    "texts as objects": (texts, (TEXTS.astype(object), YES)),
    "texts as tensors": (texts, (tf.constant(TEXTS), YES)),
    "texts as dataset": (
        texts,
        (tf.data.Dataset.from_tensor_slices((TEXTS, YES)).batch(16),),
    ),
    "strings": (looked_up, (np.array(["a", "b", "c", "z"] * 16), YES)),
    "numbered": (numbered, ([IDS, 37 * AGES], YES)),
    "beside a number": (
        beside_a_number,
        ({"ids": RANDOM.integers(0, 5, (64, 3)), "age": AGES // 9}, YES),
    ),
    "masked": (masked, ({"values": SEQUENCES, "mask": np.ones((64, 6), bool)}, YES)),
    "list of outputs": (listed, (X, [Y, SIZE])),
    "list of outputs, targets by name": (listed, (X, {"kind": Y, "size": SIZE})),
    "list of losses": (
        lambda: listed(loss=["sparse_categorical_crossentropy", "mse"]),
        (X, [Y, SIZE]),
    ),
    "head without a loss": (
        lambda: listed(loss=["sparse_categorical_crossentropy", None]),
        (X, [Y, SIZE]),
    ),
    "head without a loss or targets": (
        lambda: listed(loss=["sparse_categorical_crossentropy", None]),
        (X, [Y]),
    ),
    "sparse": (
        lambda: compiled(
            keras.Sequential([keras.Input((64,)), L.Dense(10, "softmax")]),
            "sparse_categorical_crossentropy",
        ),
        (scipy.sparse.csr_matrix(X), Y),
    ),
    "fixed batch": (fixed, (SEQUENCES[:16, :4], YES[:16])),
}


@pytest.mark.parametrize("kind", HEALTHY, ids=str)
def test_preflight_passes(kind):
    make, data = HEALTHY[kind]
    model = make()
    report = tk.preflight(model, *data, skip=FAST, verbose=False)
    assert report.ok, str(report)
    graver = [one for one in report.findings if one.severity != "info"]
    assert {one.code for one in graver} <= {"units_without_class"}, str(report)
    assert str(report).startswith("Preflight passed"), str(report)
    outputs = {"list of outputs": 2, "head without a loss": 1}
    if kind in outputs:
        assert len(Subject(model, *data).outputs) == outputs[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "numbered",
        pytest.param("texts", marks=pytest.mark.slow),
        pytest.param("masked", marks=pytest.mark.slow),
        pytest.param("fixed batch", marks=pytest.mark.slow),
    ],
)
def test_gradcheck_takes_what_preflight_takes(kind):
    make, data = HEALTHY[kind]
    assert tk.gradcheck(make(), *data, directions=1, coordinates=1).ok


def test_a_head_without_a_loss_is_told_of():
    make, data = HEALTHY["head without a loss"]
    report = tk.preflight(make(), *data, skip=FAST)
    codes = {one.code for one in report["gradient reaches"].findings}
    assert codes == {"weight_without_loss"}


def test_unused_weights_are_still_an_error_beside_a_head_without_a_loss():
    class Idle(L.Layer):
        def build(self, shape):
            self.extra = self.add_weight(shape=(3,), name="extra")

        def call(self, x):
            return x

    inputs = keras.Input((64,))
    hidden = Idle()(L.Dense(16, "relu")(inputs))
    outputs = [L.Dense(10, "softmax")(hidden), L.Dense(1)(hidden)]
    model = compiled(
        keras.Model(inputs, outputs), ["sparse_categorical_crossentropy", None]
    )
    report = tk.preflight(model, X, [Y, SIZE], skip=FAST)
    assert report["gradient reaches"].status == "fail"
    assert report["gradient reaches"].findings[0].where.endswith("extra")


@pytest.mark.parametrize(
    ("correlated", "features"),
    [
        pytest.param(
            correlated,
            features,
            marks=() if (correlated, features) in QUICK else pytest.mark.slow,
        )
        for correlated in (False, True)
        for features in (1, 3, 10, 60)
    ],
)
def test_fresh_linear_layers_start_where_they_may(features, correlated):
    random = np.random.default_rng(features)
    x = random.normal(size=(64, features))
    if correlated:
        x = x[:, :1] + 0.1 * x
    x = ((x - x.mean(0)) / x.std(0)).astype("float32")
    y = random.normal(size=64).astype("float32")
    model = compiled(keras.Sequential([keras.Input((features,)), L.Dense(1)]), "mse")
    kernel, statuses = model.layers[0].kernel, []
    for seed in range(60):
        kernel.assign(keras.initializers.GlorotUniform(seed)(kernel.shape))
        statuses.append(check_initial_loss(Subject(model, x, y)).status)
    assert statuses.count("fail") == 0
    assert statuses.count("warn") <= 2
    kernel.assign(30 * keras.initializers.RandomNormal(1.0, seed=0)(kernel.shape))
    assert check_initial_loss(Subject(model, x, y)).status == "fail"


def test_what_a_layer_receives_decides_on_scale():
    x, y = digits(64)

    def model(*first):
        layers = [keras.Input((64,)), *first, L.Dense(10, "softmax")]
        return compiled(keras.Sequential(layers), "sparse_categorical_crossentropy")

    divided = L.Lambda(lambda pixels: pixels / 255.0)
    assert check_features(Subject(model(divided), 255 * x, y)).status == "pass"
    raised = L.Lambda(lambda pixels: pixels * 255.0)
    verdict = check_features(Subject(model(raised), x, y))
    assert verdict.status == "warn"
    assert "What dense" in verdict.why


def test_half_precision_tells_inputs_apart_all_the_same():
    keras.config.set_dtype_policy("mixed_float16")
    x, y = diabetes()
    model = compiled(keras.Sequential([keras.Input((10,)), L.Dense(1)]), "mse")
    assert Subject(model, x, y).observation.raw == {0: [model.layers[0]]}
