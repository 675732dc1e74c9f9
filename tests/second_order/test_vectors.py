"""Vectors as arrays and as tensors give the same numbers."""

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.second_order.stored_pairs import dot as dot_of_variables
from keras_trainkit.second_order.vectors import (
    dot,
    exact_dot,
    fused_on_device,
    largest,
    moved,
    on_host,
    precision_of,
)
from tests.tolerances import FLOAT32, FLOAT64

each_form = pytest.mark.parametrize("form", [np.array, tf.constant])


@each_form
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_product_has_the_precision_of_its_vectors(form, kind):
    a, b = np.random.default_rng(0).normal(size=(2, 50)).astype(kind)
    found = dot(form(a), form(b))
    assert found.dtype == kind
    exact = np.sum(a.astype("float64") * b)
    np.testing.assert_allclose(
        found, exact, rtol=10 * (FLOAT32 if kind == "float32" else FLOAT64)
    )


@each_form
def test_an_exact_product_keeps_what_float32_would_lose(form):
    a = np.array([1 + 2**-20, 0, 0], "float32")
    found = exact_dot(form(a), form(a))
    assert found == (1 + 2**-20) ** 2
    assert type(found) is float
    assert exact_dot(form(a), form(np.array([np.inf, 0, 0], "float32"))) == np.inf


@each_form
def test_the_largest_entry_counts_by_its_size(form):
    assert largest(form(np.array([1.0, -3.0, 2.0]))) == 3.0


@each_form
def test_a_vector_moves_in_its_own_precision(form):
    found = moved(form(np.array([1.0, 2.0], "float32")), 0.5, form(np.float32([2, -2])))
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, [2.0, 1.0])


@each_form
@pytest.mark.parametrize(("kind", "bits"), [("float32", 23), ("float64", 52)])
def test_precision_is_the_distance_to_the_next_number(form, kind, bits):
    assert precision_of(form(np.zeros(2, kind))) == 2.0**-bits


def test_one_call_is_compiled_for_tensors_only():
    seen = []

    def double(vector, factor):
        """Doubles."""
        seen.append(tf.executing_eagerly())
        return vector * factor

    fused = fused_on_device(double)
    assert fused.__doc__ == "Doubles."
    np.testing.assert_array_equal(fused(np.ones(2), 2.0), [2.0, 2.0])
    np.testing.assert_array_equal(fused(tf.ones(2), tf.constant(3.0)), [3.0, 3.0])
    assert seen == [True, False]


def test_without_a_gpu_vectors_are_arrays():
    assert on_host() is (not tf.config.list_logical_devices("GPU"))


def test_variables_are_multiplied_like_vectors():
    assert (
        float(dot_of_variables(tf.Variable([1.0, 2.0]), tf.constant([3.0, 4.0]))) == 11
    )
