import numpy as np
import pytest

from keras_trainkit.gradcheck.cause import (
    Sample,
    few_entries,
    likely_cause,
    transposed_places,
)

RANDOM = np.random.default_rng(0)
GRADIENT = RANDOM.normal(size=(6, 5))
VALUES = RANDOM.normal(size=(6, 5))


def sample(analytic, numeric=GRADIENT):
    places = np.arange(numeric.size)
    turned = transposed_places(places, numeric.shape)
    return Sample(
        places=places,
        shape=numeric.shape,
        analytic=analytic.ravel(),
        numeric=numeric.ravel(),
        wrong=(analytic != numeric).ravel(),
        values=VALUES.ravel(),
        transposed=numeric.ravel()[turned],
    )


def masked(gradient):
    changed = gradient.copy()
    changed[:, 2] = 0
    return changed


def holed(gradient):
    changed = gradient.copy()
    changed.ravel()[::4] = 0
    return changed


CAUSES = {
    "missing": (lambda g: 0 * g, "missing: the analytic gradient is zero"),
    "factor": (lambda g: 1.5 * g, "1.5 times"),
    "sign": (lambda g: -g, "sign"),
    "sum": (lambda g: 32 * g, "a sum taken where the loss takes a mean"),
    "mean": (lambda g: g / 32, "a mean taken where the loss takes a sum"),
    "transposed": (lambda g: g.T.reshape(g.shape), "transposed"),
    "l2": (lambda g: g - 0.3 * VALUES, "0.3 times the value itself"),
    "l1": (lambda g: g - 0.3 * np.sign(VALUES), "0.3 times its sign"),
    "offset": (lambda g: g + 0.25, "the constant -0.25"),
    "mask": (masked, "only indices [2] of axis 1"),
    "holes": (holed, "entries missing"),
    "dense": (lambda g: g + RANDOM.normal(size=g.shape), "dense mismatch"),
}


@pytest.mark.parametrize("kind", CAUSES, ids=str)
def test_likely_cause_names(kind):
    change, words = CAUSES[kind]
    assert words in likely_cause(sample(change(GRADIENT)), examples=32)


def test_likely_cause_names_a_loss_that_does_not_change():
    assert "surrogate" in likely_cause(sample(GRADIENT, 0 * GRADIENT))


def test_few_entries_names_whole_slices():
    assert "indices [1] of axis 0" in few_entries(np.arange(5, 10), (6, 5))
    assert few_entries(np.array([7]), (6, 5)) == "one entry of 30 wrong: (1, 2)"


def test_transposed_places_are_those_of_the_transposed_matrix():
    matrix = np.arange(30).reshape(6, 5)
    places = transposed_places(np.arange(30), (6, 5))
    assert matrix.ravel()[places].tolist() == matrix.T.ravel().tolist()
    assert transposed_places(np.arange(5), (5,)) is None
