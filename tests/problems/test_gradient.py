"""The gradients of chosen terms, dense or none, one for each tensor given."""

import numpy as np
import tensorflow as tf

from keras_trainkit.problems.gradient import terms_and_gradients

X, Y = tf.constant([1.0, 2.0, 3.0]), tf.constant(4.0)


def terms(values):
    x, y = values
    return [tf.reduce_sum(x**2) * y, tf.reduce_sum(tf.gather(x, [2, 2])), y**3]


def test_each_term_has_a_gradient_for_each_tensor_it_depends_on():
    found, gradients = terms_and_gradients(terms, [X, Y])
    assert [float(one) for one in found] == [56.0, 6.0, 64.0]
    (product_x, product_y), (rows, none), (nothing, cube) = gradients
    np.testing.assert_array_equal(product_x, [8.0, 16.0, 24.0])
    assert float(product_y) == 14.0
    assert isinstance(rows, tf.Tensor)  # not slices
    np.testing.assert_array_equal(rows, [0.0, 0.0, 2.0])
    assert none is None
    assert nothing is None
    assert float(cube) == 48.0


def test_only_the_chosen_terms_are_differentiated():
    found, gradients = terms_and_gradients(terms, [X, Y], which=[2])
    assert len(found) == 3
    assert len(gradients) == 1
    assert gradients[0][0] is None
    assert float(gradients[0][1]) == 48.0
    assert terms_and_gradients(terms, [X, Y], which=[])[1] == []


def test_a_tensor_given_twice_has_two_gradients():
    _, (pair,) = terms_and_gradients(lambda v: [v[0] * 3.0 + v[1] * 5.0], [Y, Y])
    assert [float(one) for one in pair] == [3.0, 5.0]
