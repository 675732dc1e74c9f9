"""Members that differ in their random numbers only."""

import numpy as np
import pytest

from keras_trainkit.ensembles import Ensemble
from tests import models
from tests.ensembles.members import classifier, compiled


def build():
    # To trace a few steps of a tiny model takes longer than to run them.
    return compiled(classifier(), run_eagerly=True)


def data(**options):
    x, y = models.data()
    return {"x": x, "y": y, "epochs": 1, **options}


def test_members_differ_and_come_out_the_same_again():
    first = Ensemble.from_seeds(build, 2, fit=data(), seed=3)
    again = Ensemble.from_seeds(build, 2, fit=data(), seed=3)
    other = Ensemble.from_seeds(build, 2, fit=data(), seed=4)
    assert not models.same(*(member.get_weights() for member in first.members))
    members = (each.members for each in (first, again, other))
    for one, two, three in zip(*members, strict=True):
        assert models.same(one.get_weights(), two.get_weights())
        assert not models.same(one.get_weights(), three.get_weights())


def test_more_members_begin_with_the_same_ones():
    few = Ensemble.from_seeds(build, 2)
    more = Ensemble.from_seeds(build, 3)
    for one, two in zip(few.members, more.members, strict=False):
        assert models.same(one.get_weights(), two.get_weights())


def test_fit_may_be_a_function():
    trained = []
    ensemble = Ensemble.from_seeds(
        build, 3, fit=lambda model: trained.append(model), vote="majority"
    )
    assert tuple(trained) == ensemble.members
    assert ensemble.vote == "majority"


def test_arguments_of_fit_train():
    x, y = models.data()
    ensemble = Ensemble.from_seeds(build, 2, fit=data(epochs=3))
    untrained = Ensemble.from_seeds(build, 2)
    before = untrained.evaluate(x, y, verbose=0)[0]
    assert ensemble.evaluate(x, y, verbose=0)[0] < before
    assert int(np.asarray(ensemble.members[0].optimizer.iterations)) == 6


def seeded():
    import keras

    keras.utils.set_random_seed(1)
    return build()


ERRORS = {
    "no function": ({"build_model": 3}, "`build_model` must be a function"),
    "no model": ({"build_model": lambda: 3}, "must return a new Keras model"),
    "members": ({"members": 0}, "`members` must be an integer >= 1"),
    "fit": ({"fit": 3}, "`fit` must be a function that trains"),
    "seed": ({"seed": -1}, "`seed` must be an integer >= 0"),
    "own seed": ({"build_model": seeded}, "Members 0 and 1 have the same weights"),
}


@pytest.mark.parametrize(("changes", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Ensemble.from_seeds(**{"build_model": build, "members": 2, **changes})


def test_one_model_for_all_is_refused():
    model = build()
    with pytest.raises(ValueError, match="must return a new Keras model each time"):
        Ensemble.from_seeds(lambda: model, 2)
