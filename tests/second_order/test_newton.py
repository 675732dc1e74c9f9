import keras
import numpy as np
import pytest

from keras_trainkit.second_order import minimize
from tests import models
from tests.second_order.test_minimize import linear, optimum


def line(dtype="float32"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    model.compile(loss="mse")
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_newton_step_reaches_the_minimum_of_a_quadratic(dtype):
    random = np.random.default_rng(0)
    x = random.normal(size=(50, 8)).astype("float32")
    y = random.normal(size=(50, 2)).astype("float32")
    model = line()
    result = minimize(
        model, x, y, method="newton", dtype=dtype, max_evaluations=2 + 2 * 18
    )
    wide = np.hstack([x, np.ones((50, 1))]).astype(np.float64)
    solution, *_ = np.linalg.lstsq(wide, y, rcond=None)
    assert result.iterations == 1
    best = np.mean((wide @ solution - y) ** 2)
    assert result.loss == pytest.approx(best, rel=1e-6)
    np.testing.assert_allclose(model.get_weights()[0], solution[:8], 0, 2e-6)


@pytest.mark.parametrize("method", ["newton", "newton-cg"])
def test_newton_reaches_the_minimum_of_a_convex_loss(method):
    x, y = models.data(100)
    model = models.compiled(linear)
    result = minimize(model, x, y, method=method, dtype="float64", tolerance=1e-8)
    assert result.stopped == "gradient"
    assert result.loss == pytest.approx(optimum(x, y), rel=1e-8)
    assert result.iterations < 15


@pytest.mark.parametrize(
    "method", ["newton", pytest.param("newton-cg", marks=pytest.mark.slow)]
)
def test_newton_leaves_a_saddle_and_singular_directions(method):
    # exclusive or: the Hessian at the start is indefinite, later singular
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], "float32")
    reached = []
    for seed in range(4):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input((2,)),
                keras.layers.Dense(4, "tanh"),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )
        model.compile(loss="binary_crossentropy")
        result = minimize(
            model, x, y, method=method, dtype="float64", max_evaluations=2000
        )
        losses = result.history.history["loss"]
        assert losses == sorted(losses, reverse=True)
        reached.append(result.loss < 1e-3)
    assert sum(reached) >= 3


def test_newton_counts_two_evaluations_a_product():
    x, y = models.data(100)
    model = models.compiled(linear)
    result = minimize(model, x, y, method="newton", max_evaluations=3 * (1 + 54))
    assert result.evaluations <= 165
    assert result.iterations <= 3


def test_newton_refuses_fewer_evaluations_than_its_first_step_takes():
    x, y = models.data()
    model = models.compiled(linear)
    before = models.weights_of(model)
    with pytest.raises(ValueError, match=r"`max_evaluations` .* >= 56 with method"):
        minimize(model, x, y, method="newton", max_evaluations=55)
    assert models.same(before, models.weights_of(model))
    assert minimize(model, x, y, method="newton", max_evaluations=56).iterations == 1


@pytest.mark.parametrize("method", ["newton", "newton-cg"])
def test_newton_takes_no_cluster(method):
    from tests.second_order.test_minimize import Elsewhere

    x, y = models.data()
    with pytest.raises(ValueError, match="`cluster` must be None"):
        minimize(models.compiled(linear), x, y, method=method, cluster=Elsewhere())


def test_newton_refuses_a_hessian_that_does_not_fit():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dense(1000)])
    model.compile(loss="mse")
    x = np.zeros((2, 1000), "float32")
    with pytest.raises(ValueError, match="newton-cg"):
        minimize(model, x, x, method="newton")
