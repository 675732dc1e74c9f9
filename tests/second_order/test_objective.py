import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.second_order import Objective
from tests import models
from tests.tolerances import FLOAT32

BUILDS = [
    models.functional,
    models.Subclassed,
    models.nested,
    models.regularized,
    models.shared,
    models.embedding,
    models.WithDictionary,
    *(
        pytest.param(build, marks=pytest.mark.slow)
        for build in (
            models.sequential,
            models.residual,
            models.recurrent,
            models.attention,
        )
    ),
]


def flattened(tensors):
    return np.concatenate([np.ravel(tf.convert_to_tensor(t)) for t in tensors])


def own_gradient(model, x, y, weight=None):
    @tf.function(autograph=False)
    def gradient():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=False), weight)
        return tape.gradient(loss, model.trainable_variables)

    return flattened(gradient())


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_objective_is_what_keras_evaluates(build):
    x, y = models.data()
    model = models.compiled(build)
    objective = Objective(model, x, y, noise="off")
    before = models.weights_of(model)
    value, gradient = objective.flat.value_and_gradient(objective.start())
    expected = model.evaluate(x, y, batch_size=len(x), verbose=0)
    assert float(value) == pytest.approx(expected, FLOAT32)
    # A sum of float32 terms of both signs.
    np.testing.assert_allclose(gradient, own_gradient(model, x, y), 1e-4, 1e-6)
    assert models.same(before, models.weights_of(model))


def penalties_are_means():
    """Whether activity penalties are means over a batch; they were sums once."""
    layer = keras.layers.Dense(1, activity_regularizer="l2")
    found = []
    for rows in (1, 2):
        layer(np.ones((rows, 3), "float32"))
        found.append(float(layer.losses[0]))
    return found[0] == pytest.approx(found[1])


@pytest.mark.parametrize(
    ("rows", "dtype"),
    [
        (7, "float32"),
        (1, "float64"),
        *(
            pytest.param(rows, dtype, marks=pytest.mark.slow)
            for rows, dtype in (
                (1, "float32"),
                (48, "float32"),
                (7, "float64"),
                (48, "float64"),
            )
        ),
    ],
)
def test_objective_does_not_depend_on_the_rows_at_a_time(rows, dtype):
    x, y = models.data()
    weight = np.random.default_rng(1).uniform(size=len(x))
    regularized = models.regularized if penalties_are_means() else models.sequential
    model = models.compiled(regularized)
    whole = Objective(model, x, y, weight, noise="off", dtype=dtype)
    parts = Objective(model, x, y, weight, noise="off", dtype=dtype, batch_size=rows)
    (value, gradient), (other, others) = (
        one.flat.value_and_gradient(one.start()) for one in (whole, parts)
    )
    tolerance = {"float32": FLOAT32, "float64": 1e-7}[dtype]  # data are float32
    assert float(other) == pytest.approx(float(value), tolerance)
    np.testing.assert_allclose(others, gradient, 100 * tolerance, tolerance)


def test_objective_weighs_chunks_as_the_loss_weighs_examples():
    x, y = models.data()
    weight = np.random.default_rng(1).uniform(size=len(x))
    loss = keras.losses.SparseCategoricalCrossentropy(
        reduction="mean_with_sample_weight"
    )
    model = models.compiled(loss=loss)
    found = [
        Objective(model, x, y, weight, noise="off", batch_size=rows).start_loss
        for rows in (48, 7)
    ]
    expected = model.evaluate(x, y, 48, sample_weight=weight, verbose=0)
    assert found == pytest.approx([expected, expected], FLOAT32)


def test_objective_sums_what_the_loss_sums():
    x, y = models.data()

    def penalised():
        l2 = keras.regularizers.L2(0.01)
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dense(3, "softmax", kernel_regularizer=l2)]
        )

    loss = keras.losses.SparseCategoricalCrossentropy(reduction="sum")
    model = models.compiled(penalised, loss=loss)
    parts = Objective(model, x, y, noise="off", batch_size=5)
    expected = model.evaluate(x, y, batch_size=len(x), verbose=0)
    assert parts.start_loss == pytest.approx(expected, FLOAT32)


def test_objective_says_where_batches_do_not_add_up():
    x, y = models.data(40)
    mask = (np.arange(40) < 13).astype("float32")[:, None]

    def masked():
        inputs = keras.Input((8,))
        hidden = keras.layers.Reshape((4, 2))(inputs)
        hidden = keras.layers.Masking()(hidden)
        return keras.Model(inputs, keras.layers.Dense(3, "softmax")(hidden))

    model = models.compiled(masked)
    y = np.repeat(y[:, None], 4, axis=1)
    objective = Objective(model, x * (1 - mask), y, batch_size=10)
    assert "neither the mean nor the sum" in objective.notes[0]
    whole = Objective(model, x * (1 - mask), y)
    assert not whole.notes
    expected = model.evaluate(x * (1 - mask), y, batch_size=40, verbose=0)
    assert whole.start_loss == pytest.approx(expected, FLOAT32)


def test_objective_weighs_several_outputs():
    x, y = models.data()
    model = models.compiled(
        models.two_outputs,
        loss={"kind": models.CROSSENTROPY, "size": "mse"},
        loss_weights={"kind": 0.3, "size": 2.0},
    )
    y = {"kind": y, "size": x[:, :1]}
    expected = model.evaluate(x, y, batch_size=len(x), verbose=0)[0]
    assert Objective(model, x, y).start_loss == pytest.approx(expected, FLOAT32)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48).batch(11)
    assert Objective(model, dataset).start_loss == pytest.approx(expected, FLOAT32)


def test_objective_takes_dictionaries_and_class_weights():
    x, y = models.data()
    model = models.compiled(models.two_inputs)
    inputs = {"left": x, "right": x[::-1].copy()}
    weights = {0: 1.0, 1: 0.5, 2: 4.0}
    objective = Objective(model, inputs, y, class_weight=weights)
    expected = model.evaluate(
        inputs, y, sample_weight=np.vectorize(weights.get)(y), batch_size=48, verbose=0
    )
    assert objective.start_loss == pytest.approx(expected, FLOAT32)


def test_frozen_noise_is_the_same_at_every_evaluation_and_differs_between_batches():
    def noisy():
        return keras.Sequential(
            [keras.Input((8,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
        )

    x, y = np.ones((8, 8), "float32"), np.ones((8, 3), "float32")
    model = models.compiled(noisy, loss="mse")
    objective = Objective(model, x, y, batch_size=4)
    start = objective.start()
    first, second = (objective.flat.value(start, [place]) for place in (0, 1))
    assert float(first) != float(second)
    assert float(first) == float(objective.flat.value(start, [0]))
    off = Objective(model, x, y, noise="off")
    assert off.start_loss == pytest.approx(model.evaluate(x, y, verbose=0), FLOAT32)


def test_objective_reads_the_moving_statistics_in_training():
    x, y = models.data()

    def normalised():
        return keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.BatchNormalization(gamma_regularizer="l2"),
                keras.layers.Dense(3, "softmax"),
            ]
        )

    model = models.compiled(normalised)
    model.train_on_batch(x, y)
    objective = Objective(model, x, y)
    expected = model.evaluate(x, y, batch_size=len(x), verbose=0)
    assert objective.start_loss == pytest.approx(expected, FLOAT32)
    assert model.layers[0].trainable


def test_objective_computes_half_precision_models_in_full():
    x, y = models.data()
    half = models.compiled(models.functional)
    weights = half.get_weights()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = models.functional()
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(loss=models.CROSSENTROPY)
    model.set_weights(weights)
    exact = Objective(half, x, y).start_loss
    assert Objective(model, x, y).start_loss == pytest.approx(exact, FLOAT32)
    assert model.layers[1].compute_dtype == "float16"


def test_objective_writes_what_it_read():
    x, y = models.data()
    model = models.compiled(models.shared)
    objective = Objective(model, x, y)
    before = models.weights_of(model)
    start = objective.start()
    objective.write(2 * start)
    assert not models.same(before, models.weights_of(model))
    objective.write(start)
    assert models.same(before, models.weights_of(model))


def _integer_weights():
    class Counting(keras.layers.Dense):
        def build(self, shape):
            super().build(shape)
            self.count = self.add_weight(shape=(), dtype="int32", name="count")

    return keras.Sequential([keras.Input((8,)), Counting(3)])


X, Y = models.data()


@pytest.mark.parametrize(
    ("build", "arguments", "options", "message"),
    [
        (models.functional, (X, Y[:3]), {}, "same number of rows"),
        (models.functional, (X[:0], Y[:0]), {}, "at least one"),
        (models.functional, (X, Y), {"noise": "loud"}, "`noise` must be one of"),
        (models.functional, (X, Y), {"batch_size": 0}, "`batch_size` must be"),
        (models.functional, (X, Y), {"dtype": "float16"}, "`dtype` must be one of"),
        (models.functional, (X * np.nan, Y), {}, "must have a finite loss"),
        (models.functional, (X, Y), {"class_weight": {0: 1.0}}, "lacks \\[1, 2\\]"),
        (
            models.functional,
            (X, Y),
            {"class_weight": {0: 1.0, 1: 1.0, 2: -1.0}},
            "weights of zero or more",
        ),
        (models.functional, (X, Y, -np.ones(len(X))), {}, "`sample_weight` must be"),
        (
            models.functional,
            (X[:, :3], Y),
            {},
            "Keras says: .* expected shape=.None, 8., found shape=.2, 3.$",
        ),
        (
            models.functional,
            (X.astype(str), Y),
            {},
            "Keras says: Cast string to float is not supported$",
        ),
        (models.RawRandom, (X, Y), {}, "must have one loss at the same weights"),
        (_integer_weights, (X, Y), {}, "floating point only"),
        (
            models.functional,
            (tf.data.Dataset.from_tensors((X, Y)).repeat(),),
            {},
            "must come to an end",
        ),
        (
            models.functional,
            (tf.data.Dataset.from_tensors((X, Y)).take(0),),
            {},
            "at least one",
        ),
        (
            models.functional,
            (tf.data.Dataset.from_tensors((X, Y)), Y),
            {},
            "must be None",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_objective_refuses_what_is_no_objective(build, arguments, options, message):
    model = models.compiled(build)
    with pytest.raises(ValueError, match=message):
        Objective(model, *arguments, **options)


def test_objective_refuses_models_without_a_loss_or_weights():
    with pytest.raises(ValueError, match="must be compiled"):
        Objective(models.functional(), X, Y)
    model = models.compiled(models.functional)
    model.trainable = False
    with pytest.raises(ValueError, match="trainable weights"):
        Objective(model, X, Y)
    with pytest.raises(ValueError, match="must be a Keras model"):
        Objective(lambda x: x, X, Y)


def test_objective_of_a_model_that_was_not_built_takes_other_data_too():
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    Objective(model, X, Y)
    assert model.inputs[0].shape[0] is None
    assert Objective(model, X[:7], Y[:7]).rows == 7


def test_masks_that_weigh_rows_otherwise_are_told():
    random = np.random.default_rng(0)
    x = random.integers(1, 9, (40, 6))
    x[np.arange(6) >= random.integers(1, 7, (40, 1))] = 0
    y = random.integers(0, 3, (40, 6))
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            keras.layers.Embedding(9, 4, mask_zero=True),
            keras.layers.GRU(5, return_sequences=True),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    assert not Objective(model, x, y).notes
    assert "mean of 6 batches" in Objective(model, x, y, batch_size=7).notes[0]
