"""Problems side by side are the problems alone, and scores are expected values."""

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.testbed.batch import Batch
from keras_trainkit.testbed.drift import Drift
from keras_trainkit.testbed.noise import Noise
from keras_trainkit.testbed.problem import FunctionProblem, Problem
from tests.tolerances import EXACT, FLOAT64

STEPS = 12


def points(batch, seed=0):
    noise = np.random.default_rng(seed).normal(size=batch.start.shape)
    return tf.constant(batch.start.numpy() + noise)


def test_problem_is_the_same_beside_whatever_others():
    chosen = Problem(["abs", "quad_bowl"], "additive 0.1", rotated=True, curled=True)
    others = [Problem("cliff", "cauchy 1"), Problem(["line", "relu"]), Problem("line")]
    alone = Batch([chosen], [0, 7], STEPS)
    among = Batch([*others, chosen], [0, 7], STEPS)
    x = points(alone)
    whole = np.array(points(among))
    # Blocks stand in the order in which their dimensions first occur.
    place = 2 * 2 + 2 * 2
    whole[place : place + 4] = x
    for step in (0, STEPS - 1):
        mine = alone.see(x, step)
        theirs = among.see(tf.constant(whole), step)
        np.testing.assert_array_equal(
            among.in_order(theirs.values)[3], alone.in_order(mine.values)[0]
        )
        np.testing.assert_array_equal(
            theirs.gradients[place : place + 4], mine.gradients
        )


def test_gradient_of_a_rotated_sum_is_its_derivative():
    problem = Problem(["abs", "quad_bowl", "gauss_bowl"], scale="steep", rotated=True)
    batch = Batch([problem], [0, 1], STEPS)
    x = points(batch)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = batch.see(x, 0).values
    expected = tape.gradient(values, x)
    seen = batch.see(x, 0)
    np.testing.assert_allclose(seen.gradients, expected, rtol=1e-9)
    np.testing.assert_allclose(seen.values, batch.score(x), rtol=FLOAT64)
    rotation = problem.rotation()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=FLOAT64)


def test_curl_turns_the_gradient_and_not_the_value():
    plain, curled = Problem(["line", "line"]), Problem(["line", "line"], curled=True)
    x = points(Batch([plain], [0], STEPS))
    before, after = (Batch([one], [0], STEPS).see(x, 0) for one in (plain, curled))
    np.testing.assert_array_equal(before.values, after.values)
    np.testing.assert_allclose(
        after.gradients - before.gradients, curled.curl() @ x.numpy(), rtol=1e-9
    )


@pytest.mark.parametrize("name", ["additive 10", "multiplicative 1", "masked 0.9"])
def test_score_is_the_mean_over_the_noise(name):
    problem = Problem(["line", "abs"], name)
    batch = Batch([problem], range(3000), 1)
    x = tf.reshape(tf.tile([[199.0, 3.0]], [3000, 1]), [-1])
    block = batch.blocks[0]
    y, values, _ = block._parts(tf.reshape(tf.cast(x, tf.float64), [1, 3000, 2]), 0)
    noisy = np.abs(values * block.factors[0] + y * block.summands[0]).sum(axis=2)
    mean_factor = np.exp(problem.noises[0].log_mean_factor())
    expected = batch.score(tf.cast(x, tf.float64)).numpy()[0, 0] * mean_factor
    error = noisy.std() / np.sqrt(noisy.size)
    assert abs(noisy.mean() - expected) < 4 * error


def test_noise_has_the_size_it_says():
    generator, growth = np.random.default_rng(0), np.ones(20_000)
    factors, summands = Noise("additive", 10.0).draws(generator, growth)
    assert (factors == 1).all()
    assert summands.std() == pytest.approx(10, rel=0.03)
    factors, _ = Noise("masked", 0.9).draws(generator, growth)
    assert set(factors) == {0.0, 1.0}
    assert factors.mean() == pytest.approx(0.1, abs=0.01)
    factors, _ = Noise("multiplicative", 1.0).draws(generator, growth)
    assert np.log(factors).std() == pytest.approx(1, rel=0.03)
    _, summands = Noise("cauchy", 2.0).draws(generator, growth)
    assert np.median(np.abs(summands)) == pytest.approx(2, rel=0.05)


def test_drift_changes_every_so_many_steps():
    generator = np.random.default_rng(0)
    steepness, growth, offset = Drift("slope", 0.1, every=5).draws(generator, 20)
    assert (steepness[:5] == 1).all()
    assert len(set(steepness)) == 5
    assert (growth == 1).all()
    assert (offset == 0).all()
    _, _, offset = Drift("offset", 0.1, every=5).draws(generator, 20)
    assert offset[4] == 0 != offset[5] == offset[9] != offset[10]


def test_moved_function_is_judged_where_it_ended():
    problem = Problem("quad_bowl", drift="offset")
    batch = Batch([problem], [3], 20)
    bottom = 0.5 + float(batch.blocks[0].offset[20, 0, 0, 0])
    best = batch.score(tf.constant([bottom], tf.float64))
    assert float(best[0, 0]) == pytest.approx(199.75, rel=FLOAT64)
    assert batch.start_values()[0] == pytest.approx(200, rel=FLOAT64)


def test_function_of_the_user_gets_its_gradient_and_noise():
    problem = FunctionProblem(
        "bowl", lambda x: tf.reduce_sum(x * x, axis=1), [3.0, 4.0], "additive 0.1"
    )
    batch = Batch([Problem("line"), problem], [0, 1], STEPS)
    seen = batch.see(batch.start, 2)
    assert batch.in_order(seen.values)[1].tolist() == [25.0, 25.0]
    summands = batch.blocks[1].summands[2, 0].numpy()
    found = np.reshape(seen.gradients[2:], (2, 2))
    np.testing.assert_allclose(found, [[6.0, 8.0]] * 2 + summands, rtol=FLOAT64)
    assert np.ptp(summands) > EXACT
