"""Names stand for what the catalogue holds; rates are sorted once."""

import keras
import numpy as np
import pytest

from keras_trainkit.testbed.candidates import candidates_at, check_rates
from keras_trainkit.testbed.drift import DRIFTS, Drift, as_drift
from keras_trainkit.testbed.noise import NOISES, Noise, as_noise
from keras_trainkit.testbed.problem import generator_of
from keras_trainkit.testbed.scale import SCALES, Scale, as_scale

KINDS = {
    "drift": (as_drift, DRIFTS, Drift("slope", 0.75)),
    "noise": (as_noise, NOISES, Noise("cauchy", 0.75)),
    "scale": (as_scale, SCALES, Scale("own", 3.0)),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_name_stands_for_what_the_catalogue_holds(name):
    understand, catalogue, own = KINDS[name]
    for word, one in catalogue.items():
        assert understand(word) is one
        assert str(one) == word
    assert understand(own) is own
    for wrong in ("odd", None, 3, ["none"]):
        with pytest.raises(ValueError, match=f"`{name}` must be a .*one of '"):
            understand(wrong)


def test_noises_are_named_by_kind_and_size():
    assert as_noise("additive 0.01").size == 0.01
    assert as_noise("masked 0.9").kind == "masked"
    assert as_scale("saddle").slope > 0
    assert as_drift("noise").size == 0.5


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([0.1, 0.01, 1, 0.1], [0.01, 0.1, 1.0]),
        (np.array([1.0, 0.5]), [0.5, 1.0]),
        (np.float32([0.5]), [0.5]),
        ({0.5: "a", 0.25: "b"}, [0.25, 0.5]),
        ((rate for rate in (2, 1)), [1.0, 2.0]),
    ],
)
def test_rates_are_floats_in_rising_order_each_once(rates, expected):
    found = check_rates(rates)
    assert found == expected
    assert {type(one) for one in found} == {float}


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ([], "at least one"),
        ("0.1", "several rates"),
        (0.1, "several rates"),
        ([0.0], "a finite number > 0"),
        ([0.1, np.nan], "a finite number > 0"),
        ([True], "a finite number > 0"),
    ],
)
def test_what_are_no_rates_is_named(rates, words):
    with pytest.raises(ValueError, match=f"`rates` must .*{words}"):
        check_rates(rates)


def test_each_rule_is_made_at_each_rate():
    rules = {"one": keras.optimizers.SGD, "": keras.optimizers.Adam(beta_1=0.5)}
    found = candidates_at(rules, [0.5, 0.25])
    other = "keras.Adam(beta_1=0.5)"
    assert [(one.label, one.rule, one.rate) for one in found] == [
        ("one at 0.5", "one", 0.5),
        ("one at 0.25", "one", 0.25),
        (f"{other} at 0.5", other, 0.5),
        (f"{other} at 0.25", other, 0.25),
    ]
    for one in found:
        optimizer = one.make()
        assert float(optimizer.learning_rate) == one.rate
        assert optimizer is not one.make()
    assert found[3].make().beta_1 == 0.5
    with pytest.raises(ValueError, match="must return a Keras optimizer"):
        candidates_at([lambda rate: rate], [0.5])


def test_numbers_depend_on_the_name_and_the_key_only():
    keys = [("a", 0, 1), ("a", 0, 2), ("a", 1, 1), ("a", 1, 0), ("b", 0, 1)]
    drawn = [tuple(generator_of(*key).random(4)) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert tuple(generator_of("a", 1, 0).random(4)) == drawn[3]
