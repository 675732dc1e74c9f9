import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.search import dropout, log_uniform, momentum, standard_space


def draw(declare, count=2000):
    hp = keras_tuner.HyperParameters()
    declare(hp)
    return np.array([hp.space[0].random_sample(seed) for seed in range(count)])


def test_log_uniform_gives_every_decade_the_same_share():
    values = draw(lambda hp: log_uniform(hp, "learning_rate", 1e-6, 1e1))
    assert values.min() >= 1e-6
    assert values.max() <= 1e1
    decades = np.histogram(np.log10(values), bins=7, range=(-6, 1))[0]
    # Five standard deviations of a binomial count.
    np.testing.assert_allclose(decades, 2000 / 7, atol=5 * np.sqrt(2000 / 7))


@settings(deadline=None, derandomize=True)
@given(
    st.floats(-8, 8),
    st.floats(0.01, 8),
    st.floats(0, 1, exclude_max=True),
)
def test_log_uniform_is_ten_to_a_uniform_power(low, width, probability):
    hp = keras_tuner.HyperParameters()
    log_uniform(hp, "rate", 10**low, 10 ** (low + width))
    expected = 10 ** (low + probability * width)
    value = hp.space[0].prob_to_value(probability)
    assert value == pytest.approx(expected, rel=1e-9)
    assert hp.space[0].value_to_prob(value) == pytest.approx(probability, abs=1e-9)


def test_log_uniform_defaults_to_the_geometric_mean():
    hp = keras_tuner.HyperParameters()
    assert log_uniform(hp, "rate", 1e-6, 1e2) == pytest.approx(1e-2)
    assert log_uniform(hp, "other", 1e-6, 1e2, default=0.5) == 0.5


def test_spaces_return_the_values_of_a_trial():
    hp = keras_tuner.HyperParameters()
    hp.values = {"learning_rate": 0.02, "l2": 1e-5, "momentum": 0.95, "dropout": 0.25}
    space = standard_space(hp)
    assert space == (0.02, 1e-5, 0.95, 0.25)
    assert space._asdict() == hp.values
    assert [one.name for one in hp.space] == list(hp.values)


def test_momentum_offers_four_values():
    values = draw(momentum, 100)
    assert set(values) == {0.5, 0.9, 0.95, 0.99}
    assert momentum(keras_tuner.HyperParameters()) == 0.9


def test_dropout_is_linear():
    values = draw(dropout)
    assert values.min() >= 0
    assert values.max() <= 0.7
    assert np.mean(values) == pytest.approx(0.35, abs=0.03)


def test_spaces_follow_conditional_scopes():
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["b"]):
        assert log_uniform(hp, "rate", 1e-3, 1e-1) is None
        assert dropout(hp) is None


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda hp: log_uniform(hp, "r", 0, 1), "`low` must be a finite number > 0."),
        (lambda hp: log_uniform(hp, "r", 1, 1), "`high` must be .* > 1"),
        (lambda hp: log_uniform(hp, "r", 1, 0.1), "Received: high=0.1"),
        (lambda hp: log_uniform(hp, "r", 1, float("inf")), "`high` must be"),
        (lambda hp: log_uniform(hp, "", 1, 2), "`name` must be a non-empty string"),
        (lambda hp: log_uniform(hp, 3, 1, 2), "Received: name=3"),
        (lambda hp: log_uniform(hp, "r", 1, 2, default=3), "`default` must be"),
        (lambda hp: dropout(hp, low=-0.1), "`low` must be a finite number >= 0"),
        (lambda hp: dropout(hp, high=1.0), "`high` must be .* < 1"),
        (lambda hp: dropout(hp, low=0.5, high=0.5), "`high` must be"),
        (lambda hp: momentum(hp, name=""), "`name` must be"),
        (lambda hp: standard_space(hp, l2=1e-3), "`l2` must be the two ends"),
        (lambda hp: standard_space(hp, learning_rate=(0, 1)), "`low` must be"),
    ],
)
def test_spaces_name_a_bad_argument(declare, message):
    with pytest.raises(ValueError, match=message):
        declare(keras_tuner.HyperParameters())
