"""Votes: means to the last bit in any order, majorities with the tie broken."""

import fractions

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.ensembles.vote import majority_vote, mean_vote, normalized

RANDOM = np.random.default_rng(0)


def tensors(arrays, dtype="float32"):
    return [tf.constant(np.asarray(array, dtype)) for array in arrays]


def test_shares_sum_to_one_in_every_order():
    weights = [0.1, 1e-9, 3.0, 7.7, 0.1]
    shares = normalized(weights)
    assert sum(map(fractions.Fraction, shares)) == pytest.approx(1, abs=1e-15)
    assert normalized(weights[::-1]) == shares[::-1]


def test_a_mean_is_that_of_exact_arithmetic_and_has_no_order():
    outputs = RANDOM.normal(size=(5, 7, 3)) * 10.0 ** RANDOM.integers(-6, 6, (5, 7, 3))
    shares = normalized(RANDOM.uniform(0.1, 1.0, 5))
    found = mean_vote(tensors(outputs, "float64"), shares)
    exact = np.zeros(outputs.shape[1:], object)
    for share, output in zip(shares, outputs, strict=True):
        exact += np.vectorize(fractions.Fraction)(output) * fractions.Fraction(share)
    scale = np.abs(outputs).max(axis=0)
    assert (np.abs(found.numpy() - exact.astype(float)) <= 2e-14 * scale).all()
    for _ in range(5):
        order = RANDOM.permutation(5)
        other = mean_vote(
            tensors(outputs[order], "float64"), [shares[place] for place in order]
        )
        np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize("value", [0.3, np.inf, -1e300])
def test_members_that_agree_predict_what_they_predict(value):
    outputs = tensors([[value]] * 3, "float64")
    assert mean_vote(outputs, normalized([1.0, 2.0, 3.0])).numpy().tolist() == [value]


def test_the_gradient_of_a_mean_is_its_shares():
    outputs = tensors(RANDOM.normal(size=(2, 3)))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        total = tf.reduce_sum(mean_vote(outputs, [0.25, 0.75]))
    gradients = [part.numpy().tolist() for part in tape.gradient(total, outputs)]
    assert gradients == [[0.25] * 3, [0.75] * 3]


def test_most_votes_win_whatever_the_mean_says():
    outputs = tensors([[[0.4, 0.6]], [[0.45, 0.55]], [[1.0, 0.0]]])
    shares = normalized([1.0] * 3)
    assert np.argmax(mean_vote(outputs, shares)) == 0
    votes = majority_vote(outputs, shares, exclusive=True).numpy()[0]
    np.testing.assert_allclose(votes, [1 / 3, 2 / 3], atol=1e-3)
    assert votes.sum() == pytest.approx(1.0, abs=1e-6)


def test_of_equally_many_votes_the_more_probable_wins():
    outputs = tensors([[[0.9, 0.1]], [[0.45, 0.55]]])
    votes = majority_vote(outputs, [0.5, 0.5], exclusive=True).numpy()[0]
    assert votes[0] > votes[1]


def test_labels_that_do_not_exclude_each_other_are_voted_for_one_by_one():
    outputs = tensors([[[0.9, 0.8]], [[0.7, 0.1]], [[0.6, 0.2]]])
    votes = majority_vote(outputs, normalized([1.0] * 3), exclusive=False).numpy()[0]
    np.testing.assert_allclose(votes, [1.0, 1 / 3], atol=1e-3)


def test_the_smallest_vote_outweighs_every_mean_probability():
    outputs = tensors([[[0.51, 0.49]], [[0.0, 1.0]], [[0.51, 0.49]]])
    shares = normalized([1.0, 1.0, 1e-4])
    votes = majority_vote(outputs, shares, exclusive=True).numpy()[0]
    assert votes[0] > votes[1]
