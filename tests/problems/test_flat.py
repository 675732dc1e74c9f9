import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.problems.packing import Packing
from tests.tolerances import EXACT, FLOAT32, FLOAT64

SHAPES = [(3, 2), (), (4,)]


def packing(kinds=tf.float64, dtype=tf.float64):
    return Packing(SHAPES, [kinds] * len(SHAPES), dtype)


def arrays(seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in SHAPES]


def quartic(values, chunk):
    kernel, scale, bias = values
    rows = tf.cast(chunk, kernel.dtype) @ kernel
    return tf.reduce_sum((scale * rows) ** 4) + tf.reduce_sum(bias**2) * rows[0, 0]


def test_packing_gives_back_what_it_packed():
    place = packing()
    vector = place.pack(arrays())
    assert vector.shape == (place.total,) == (11,)
    for parts in (place.cut(vector), [t.numpy() for t in place.split(vector)]):
        for part, array in zip(parts, arrays(), strict=True):
            np.testing.assert_array_equal(part, array)
    np.testing.assert_array_equal(place.join(place.split(vector)), vector)


def test_packing_joins_missing_tensors_as_zeros():
    joined = packing().join([None, tf.constant(2.0), None]).numpy()
    np.testing.assert_array_equal(joined, [0] * 6 + [2.0] + [0] * 4)


def test_packing_finds_the_tensor_of_a_place():
    place = packing()
    owners = [place.tensor_of(one) for one in range(place.total)]
    assert owners == [0] * 6 + [1] + [2] * 4
    assert place.places(2) == slice(7, 11)


def test_packing_of_nothing_is_an_empty_vector():
    empty = Packing([], [])
    assert empty.total == 0
    assert empty.pack([]).shape == (0,)
    assert empty.cut(np.zeros(0)) == []


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_flat_loss_equals_central_differences(jit_compile):
    random = np.random.default_rng(1)
    chunks = [random.normal(size=(rows, 3)) for rows in (5, 5, 2)]
    flat = FlatLoss(quartic, packing(), chunks, jit_compile=jit_compile)
    point, direction = flat.packing.pack(arrays()), random.normal(size=11)
    value, gradient = flat.value_and_gradient(tf.constant(point))
    assert float(flat.value(tf.constant(point))) == pytest.approx(float(value), FLOAT64)

    def ahead(size):
        return flat.value_and_gradient(tf.constant(point + size * direction))

    step = 1e-5  # differences of second order: 1e-8 of the third derivatives
    slope = float(ahead(step)[0] - ahead(-step)[0]) / (2 * step)
    assert float(gradient.numpy() @ direction) == pytest.approx(slope, rel=1e-7)
    curved = (ahead(step)[1] - ahead(-step)[1]).numpy() / (2 * step)
    product = flat.hessian_product(tf.constant(point), tf.constant(direction)).numpy()
    np.testing.assert_allclose(product, curved, rtol=1e-6, atol=1e-6)


def test_flat_loss_sums_the_chosen_chunks():
    chunks = [np.full((1, 3), size) for size in (0.1, 0.2, 0.3)]
    flat = FlatLoss(quartic, packing(), chunks)
    point = tf.constant(flat.packing.pack(arrays()))
    parts = [flat.value_and_gradient(point, [place]) for place in range(3)]
    value, gradient = flat.value_and_gradient(point)
    assert float(value) == pytest.approx(sum(float(v) for v, _ in parts), FLOAT64)
    np.testing.assert_allclose(gradient, sum(g for _, g in parts), FLOAT64)
    assert float(flat.value(point, [1])) == float(parts[1][0])


def test_flat_loss_keeps_the_precision_of_its_vector():
    flat = FlatLoss(quartic, packing(tf.float32, tf.float32), [np.ones((2, 3))])
    point = flat.packing.pack(arrays())
    value, gradient = flat.value_and_gradient(tf.constant(point))
    assert (value.dtype, gradient.dtype) == (tf.float64, tf.float32)
    double = FlatLoss(quartic, packing(), [np.ones((2, 3))])
    exact, _ = double.value_and_gradient(tf.constant(point.astype(np.float64)))
    assert float(value) == pytest.approx(float(exact), FLOAT32)


def test_flat_loss_takes_rows_of_tables():
    table = Packing([(6, 2)], [tf.float64])
    flat = FlatLoss(
        lambda values, ids: tf.reduce_sum(tf.gather(values[0], ids) ** 2),
        table,
        [np.array([1, 1, 4])],
    )
    point = np.arange(12.0)
    _, gradient = flat.value_and_gradient(tf.constant(point))
    expected = np.zeros((6, 2))
    expected[1], expected[4] = [8, 12], [16, 18]  # row 1 twice
    np.testing.assert_allclose(gradient, expected.ravel(), EXACT)
