import keras
import numpy as np
import pytest
from scipy import stats

from keras_trainkit.keras_model.example_statistics import example_statistics
from tests.tolerances import FLOAT32

L = keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 5)).astype("f4")
CLASSES = RANDOM.choice(3, size=40, p=[0.6, 0.3, 0.1])
YES = (CLASSES > 0).astype("f4")
VALUES = RANDOM.exponential(size=(40, 2)).astype("f4")


def compiled(loss, units, activation=None):
    model = keras.Sequential([keras.Input((5,)), L.Dense(units, activation)])
    model.compile("sgd", loss)
    return model


def entropy(classes):
    return stats.entropy(np.bincount(classes.astype(int)) / len(classes))


def logits(name):
    return getattr(keras.losses, name)(from_logits=True)


TASKS = {
    "classes": (
        "sparse_categorical_crossentropy",
        3,
        "softmax",
        CLASSES,
        entropy(CLASSES),
    ),
    "one-hot": (
        "categorical_crossentropy",
        3,
        "softmax",
        np.eye(3)[CLASSES],
        entropy(CLASSES),
    ),
    "class logits": (
        logits("SparseCategoricalCrossentropy"),
        3,
        None,
        CLASSES,
        entropy(CLASSES),
    ),
    "yes or no": ("binary_crossentropy", 1, "sigmoid", YES, entropy(YES)),
    "one logit": (logits("BinaryCrossentropy"), 1, None, YES, entropy(YES)),
    "values": ("mse", 2, None, VALUES, VALUES.var(axis=0).mean()),
    "absolute": (
        "mae",
        2,
        None,
        VALUES,
        np.abs(VALUES - np.median(VALUES, axis=0)).mean(),
    ),
}


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_trivial_loss_is_that_of_the_best_constant(task):
    loss, units, activation, y, expected = TASKS[task]
    model = compiled(loss, units, activation)
    found = example_statistics(model, X, y)
    np.testing.assert_allclose(found["trivial_loss"], expected, rtol=FLOAT32)
    evaluated = model.evaluate(X, y, verbose=0)
    np.testing.assert_allclose(found["example_loss"], evaluated, rtol=FLOAT32)
    assert found["target_low"] == y.min()


def test_single_examples_and_repeated_inputs_are_compared():
    model = compiled("mse", 1)
    y = X[:, 1:2] + 0.1 * X[:, :1]
    found = example_statistics(model, X, y)
    each = ((model.predict(X, verbose=0) - y) ** 2)[:, 0]
    assert found["contradicted_fraction"] == np.mean(each > 2 * y.var())
    np.testing.assert_allclose(
        found["persistence_loss"], 0.01 * np.mean(X[:, 0] ** 2), rtol=1e-4
    )
    found = example_statistics(compiled("binary_crossentropy", 1, "sigmoid"), X, YES)
    assert "persistence_loss" not in found


def test_accuracy_is_that_of_the_predictions():
    model = compiled("sparse_categorical_crossentropy", 3, "softmax")
    found = example_statistics(model, X, CLASSES)
    chosen = model.predict(X, verbose=0).argmax(axis=1)
    assert found["example_accuracy"] == np.mean(chosen == CLASSES)
    assert found["trivial_accuracy"] == np.mean(CLASSES == 0)


def test_loss_of_one_softmax_unit_is_that_of_its_predictions():
    """Keras reports the loss of the logits, which looks right."""
    model = compiled("binary_crossentropy", 1, "softmax")
    with pytest.warns(UserWarning, match="softmax"):
        found = example_statistics(model, X, YES)
    ends = [found["prediction_low"], found["prediction_high"]]
    assert ends == pytest.approx([1.0, 1.0], rel=FLOAT32)
    assert found["example_loss"] > 5.0


def test_nothing_is_left_behind():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5, 1), batch_size=40),
            L.GRU(3, stateful=True, dropout=0.5),
            L.BatchNormalization(),
            L.Dropout(0.5),
            L.Dense(3, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    state = [*model.variables, *model.layers[0].states]
    before = [np.array(value) for value in state]
    assert example_statistics(model, X[..., None], CLASSES) is not None
    for value, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_what_has_no_single_loss_is_not_measured():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, [L.Dense(1)(inputs), L.Dense(1)(inputs)])
    model.compile("sgd", ["mse", "mae"])
    assert example_statistics(model, X, [YES, YES]) is None
    assert example_statistics(compiled(None, 1), X, YES) is None
