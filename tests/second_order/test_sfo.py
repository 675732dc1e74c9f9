import contextlib

import keras
import numpy as np
import pytest
from sklearn import datasets

from keras_trainkit.second_order import minimize
from keras_trainkit.second_order.sfo import check_subspace
from keras_trainkit.second_order.sfo_quadratic import Quadratic
from keras_trainkit.second_order.sfo_subspace import Subspace
from tests import models
from tests.second_order.test_minimize import digits, linear, optimum
from tests.tolerances import FLOAT32, FLOAT64


def test_subspace_keeps_what_it_is_told_to_keep():
    random = np.random.default_rng(0)
    origin = random.normal(size=40)
    space = Subspace(origin, 8)
    seen = []
    for _ in range(8):
        direction = random.normal(size=40)
        space.add(space.outside(direction))
        seen.append(direction)
    assert space.full
    new = random.normal(size=40)
    kept = np.array([space.coordinates(one) for one in [*seen[:3], new]])
    turn = space.collapse(kept, space.outside(new))
    for coordinates, direction in zip(kept[:3], seen[:3], strict=True):
        np.testing.assert_allclose(
            space.vector(turn @ coordinates), origin + direction, 0, 100 * FLOAT64
        )
    assert space.outside(new) is None
    assert space.size == 5


def test_subspace_adds_nothing_that_lies_in_it():
    space = Subspace(np.zeros(3), 3)
    for unit in np.eye(3):
        space.add(space.outside(unit))
    assert space.outside(np.ones(3)) is None
    assert Subspace(np.zeros(3), 2).outside(np.zeros(3)) is None


def test_quadratic_learns_the_curvature_along_its_steps():
    random = np.random.default_rng(0)
    root = random.normal(size=(6, 6))
    hessian = root @ root.T + np.eye(6)
    part, position = Quadratic(6), np.zeros(6)
    for _ in range(9):
        value = position @ hessian @ position / 2
        part.observe(position.copy(), value, hessian @ position)
        position = position + random.normal(size=6)
    part.rebuild()
    last, before = part._pairs[-1]
    # BFGS satisfies the last pair.
    np.testing.assert_allclose(part.times(last), before, 1e-6, 1e-6)
    step = random.normal(size=6)
    assert step @ part.times(step) > 0


def test_quadratic_is_positive_where_the_curvature_is_not():
    part = Quadratic(4)
    for place in range(4):
        position = np.eye(4)[place]
        part.observe(position, 0.0, np.array([-1.0, 2, 3, -5]) * position)
        part.observe(np.zeros(4), 0.0, np.zeros(4))
    part.rebuild()
    for direction in np.random.default_rng(0).normal(size=(20, 4)):
        assert direction @ part.times(direction) > 0


def test_sfo_reaches_the_minimum_of_a_convex_loss():
    x, y = models.data(100)
    model = models.compiled(linear)
    result = minimize(
        model,
        x,
        y,
        method="sfo",
        dtype="float64",
        subfunctions=25,
        max_evaluations=30,
        tolerance=0.0,
    )
    assert result.loss == pytest.approx(optimum(x, y), rel=1e-6)
    assert result.evaluations <= 30
    _, _, batches = result.record.values("batches")
    assert batches[-1] == 25
    found = model.evaluate(x, y, batch_size=100, verbose=0)
    assert found == pytest.approx(result.loss, 1e-5)


def test_sfo_ends_at_a_small_gradient_and_not_before():
    x, y = models.data(100)
    options = {"dtype": "float64", "subfunctions": 25, "max_evaluations": 200}
    result = minimize(
        models.compiled(linear), x, y, method="sfo", tolerance=1e-5, **options
    )
    assert result.stopped == "gradient"
    assert result.gradient_norm <= 1e-5
    assert result.evaluations < 40
    assert result.loss == pytest.approx(optimum(x, y), rel=1e-6)


class Evaluated(keras.callbacks.Callback):
    """What `evaluate` says at each iteration, beside what the logs say."""

    def __init__(self, x, y, ends_at=None):
        super().__init__()
        self.data, self.ends_at, self.found, self.told = (x, y), ends_at, [], []

    def on_epoch_end(self, epoch, logs=None):
        self.found.append(self.model.evaluate(*self.data, 200, verbose=0))
        self.told.append(logs["loss"])
        if epoch == self.ends_at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ends_at", [None, 5], ids=["whole", "interrupted"])
def test_sfo_tells_the_full_loss_and_leaves_the_lowest(ends_at):
    x, y = datasets.load_wine(return_X_y=True)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    # With this start and seed the loss goes up in between, and at the end.
    keras.utils.set_random_seed(6)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((13,)), dense(4, "tanh"), dense(3, "softmax")]
    )
    model.compile(loss="sparse_categorical_crossentropy")
    watches = Evaluated(x, y, ends_at)
    with contextlib.suppress(KeyboardInterrupt):
        minimize(model, x, y, method="sfo", max_evaluations=12, callbacks=[watches])
    assert watches.told == pytest.approx(watches.found, FLOAT32)
    assert (np.diff(watches.found) > 0).any()
    left = model.evaluate(x, y, len(x), verbose=0)
    assert left == pytest.approx(min(watches.found), FLOAT32)


def test_sfo_depends_on_its_seed_alone():
    x, y = models.data(100)
    results = [
        minimize(
            models.compiled(linear), x, y, method="sfo", max_evaluations=4, seed=seed
        )
        for seed in (3, 3, 4)
    ]
    losses = [result.loss for result in results]
    assert {result.stopped for result in results} == {"evaluations"}
    assert losses[0] == losses[1] != losses[2]


def test_sfo_comes_back_from_infinity():
    x = np.linspace(-1, 1, 60, dtype="float32")[:, None]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "exponential")])
    model.layers[0].set_weights([np.array([[9.0]], "float32"), np.zeros(1, "float32")])
    model.compile(loss="mse")
    result = minimize(
        model, x, np.exp(2 * x + 1), method="sfo", max_evaluations=40, dtype="float64"
    )
    assert result.loss < 1e-3


def test_sfo_warns_of_few_batches_and_refuses_what_does_not_fit():
    x, y = models.data(48)
    with pytest.warns(UserWarning, match="8 mini-batches; below 25"):
        minimize(
            models.compiled(linear),
            x,
            y,
            method="sfo",
            subfunctions=8,
            max_evaluations=3,
        )
    with pytest.raises(ValueError, match="`subfunctions` must be fewer"):
        check_subspace(10**9, 100)
    with pytest.raises(ValueError, match="one loss at the same weights"):
        minimize(models.compiled(models.RawRandom), x, y, method="sfo")


def softmax(penalty=0.5e-4):
    keras.utils.set_random_seed(0)
    kernel = keras.regularizers.L2(penalty)
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(10, kernel_regularizer=kernel)]
    )
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture(scope="module")
def lowest():
    options = {"dtype": "float64", "max_evaluations": 3000, "tolerance": 1e-10}
    return minimize(softmax(), *digits(1797), method="newton-cg", **options).loss


@pytest.mark.parametrize(
    ("seed", "passes", "within"),
    [
        # Rounding decides about the last digits: 3e-7 in one thread, 1.3e-6 in two.
        pytest.param(0, 20, 3e-6, marks=pytest.mark.slow),
        pytest.param(1, 20, 3e-6, marks=pytest.mark.long),
        pytest.param(2, 40, 1e-6, marks=pytest.mark.long),
    ],
)
def test_sfo_solves_softmax_regression_on_digits(seed, passes, within, lowest):
    result = minimize(
        softmax(),
        *digits(1797),
        method="sfo",
        dtype="float64",
        subfunctions=50,
        max_evaluations=passes + 1,  # the last one only says what the loss is
        tolerance=0.0,
        seed=seed,
    )
    assert result.loss - lowest < within * lowest


@pytest.mark.slow
def test_sfo_is_below_lbfgs_on_a_net_from_the_tenth_pass_on():
    def net():
        keras.utils.set_random_seed(0)
        l2 = keras.regularizers.L2(5e-5)
        dense = keras.layers.Dense
        model = keras.Sequential(
            [
                keras.Input((64,)),
                dense(32, "softplus", kernel_regularizer=l2),
                dense(10, kernel_regularizer=l2),
            ]
        )
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    x, y = digits(1797)
    found = {
        (method, passes): minimize(
            net(),
            x,
            y,
            method=method,
            max_evaluations=passes + (method == "sfo"),
            **({"subfunctions": 50} if method == "sfo" else {}),
        ).loss
        for method, passes in [("sfo", 10), ("lbfgs", 10), ("sfo", 20), ("lbfgs", 20)]
    }
    assert found["sfo", 10] < found["lbfgs", 10]
    assert found["sfo", 20] < min(0.024, found["lbfgs", 20])


def test_sfo_minimises_what_its_batches_draw():
    x, y = models.data()

    def dropping():
        return keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.Dense(8, "relu"),
                keras.layers.Dropout(0.4),
                keras.layers.Dense(3, "softmax"),
            ]
        )

    model = models.compiled(dropping)
    result = minimize(model, x, y, method="sfo", subfunctions=25, max_evaluations=15)
    told = result.history.history["loss"]
    assert result.loss == pytest.approx(min(told), rel=1e-5)
    assert min(told) < told[0]
    assert any("25 batches" in note for note in result.notes)
