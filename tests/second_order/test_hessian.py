import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.problems.lanczos import lanczos
from keras_trainkit.second_order import (
    Objective,
    hessian,
    hessian_trace,
    hessian_vector_product,
    top_eigenvalues,
)
from keras_trainkit.second_order.hessian import check_memory
from tests import models
from tests.second_order.test_minimize import linear
from tests.tolerances import FLOAT64


def by_differences(objective, step=1e-5):
    start = objective.start().numpy()
    rows = []
    for place in range(len(start)):
        move = step * np.eye(len(start))[place]
        ahead, behind = (
            objective.flat.value_and_gradient(tf.constant(start + sign * move))[1]
            for sign in (1, -1)
        )
        rows.append((ahead - behind).numpy() / (2 * step))
    return np.array(rows)


BUILDS = [
    models.functional,  # with LayerNormalization
    *(
        pytest.param(build, marks=pytest.mark.slow)
        for build in (
            models.regularized,
            models.embedding,
            models.convolutional,
            models.attention,
        )
    ),
    # A loop's second derivatives, one direction after the other, take minutes.
    pytest.param(models.recurrent, marks=pytest.mark.long),
]


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_hessian_equals_central_differences_of_the_gradient(build):
    x, y = models.data(30)
    model = models.compiled(build)
    options = {"dtype": "float64", "batch_size": 15}
    found = hessian(model, x, y, **options)
    objective = Objective(model, x, y, noise="off", **options)
    # Truncation: 1e-10 times third derivatives of order 10.
    np.testing.assert_allclose(found, by_differences(objective), 1e-5, 1e-7)
    vector = np.random.default_rng(0).normal(size=len(found))
    product = hessian_vector_product(model, x, y, vector=vector, **options)
    np.testing.assert_allclose(product, found @ vector, 1e-9, 1e-12)


def test_product_with_a_vector_in_parts_comes_in_parts():
    x, y = models.data(30)
    model = models.compiled(linear)
    options = {"dtype": "float64", "batch_size": 17}
    vector = np.random.default_rng(0).normal(size=27)
    product = hessian_vector_product(model, x, y, vector=vector, **options)
    cut = [vector[:24].reshape(8, 3), vector[24:]]
    parts = hessian_vector_product(model, x, y, vector=cut, **options)
    assert [part.shape for part in parts] == [(8, 3), (3,)]
    np.testing.assert_array_equal(np.concatenate([p.ravel() for p in parts]), product)


def test_eigenvalues_and_trace_are_those_of_the_matrix():
    x, y = models.data(30)
    model = models.compiled(linear)
    matrix = hessian(model, x, y, dtype="float64")
    exact = np.linalg.eigvalsh(matrix)[::-1]
    found = top_eigenvalues(model, x, y, count=3, tolerance=1e-6, dtype="float64")
    np.testing.assert_allclose(found, exact[:3], 1e-6)
    value, error = hessian_trace(model, x, y, samples=200, dtype="float64")
    assert abs(value - np.trace(matrix)) < 4 * error
    # Of random signs, the variance is twice the squares beside the diagonal.
    beside = matrix - np.diag(np.diag(matrix))
    assert error == pytest.approx(np.sqrt(2 * np.sum(beside**2) / 200), rel=0.3)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_lanczos_finds_eigenvalues_of_any_sign_and_multiplicity(count):
    values = np.array([-9.0, -9, -3, 0, 0, 0, 1, 2, 2, 2, 5, 7])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0]
    matrix = turn * values @ turn.T
    found, converged = lanczos(lambda v: matrix @ v, 12, count, 1e-9, 100, 0)
    assert converged
    np.testing.assert_allclose(found[0], 7.0, 1e-9)
    if count == 12:
        np.testing.assert_allclose(found, values[::-1], FLOAT64, 1e-11)


def test_lanczos_says_what_it_has_not_reached():
    matrix = np.diag(np.linspace(0, 1, 50) ** 0.1)
    assert not lanczos(lambda v: matrix @ v, 50, 5, 1e-12, 7, 0)[1]
    x, y = models.data()
    model = models.compiled(linear)
    with pytest.raises(ValueError, match="`max_products` must be larger"):
        top_eigenvalues(model, x, y, count=5, max_products=5)


def test_a_hessian_that_does_not_fit_is_refused_with_its_size():
    with pytest.raises(ValueError, match=r"1,000,000 weights takes 7,451 GiB"):
        check_memory(1_000_000)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dense(1000)])
    model.compile(loss="mse")
    x = np.zeros((2, 1000), "float32")
    for call in (hessian, lambda *args: hessian(*args, dtype="float64")):
        with pytest.raises(ValueError, match="GiB"):
            call(model, x, x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda *a: hessian_vector_product(*a, vector=np.ones(3)), "`vector` must"),
        (lambda *a: hessian_vector_product(*a, vector=[np.ones(3)]), "`vector` must"),
        (lambda *a: top_eigenvalues(*a, count=0), "`count`"),
        (lambda *a: top_eigenvalues(*a, count=10**6), "`count`"),
        (lambda *a: top_eigenvalues(*a, tolerance=0), "`tolerance`"),
        (lambda *a: hessian_trace(*a, samples=0), "`samples`"),
    ],
)
def test_curvature_refuses_bad_arguments(call, message):
    x, y = models.data()
    with pytest.raises(ValueError, match=message):
        call(models.compiled(models.functional), x, y)


def test_curvature_refuses_unknown_options():
    x, y = models.data()
    with pytest.raises(TypeError, match="batchsize"):
        hessian(models.compiled(models.functional), x, y, batchsize=3)
