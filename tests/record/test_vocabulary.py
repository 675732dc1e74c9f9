import math

import pytest

from keras_trainkit.record import vocabulary
from keras_trainkit.record.vocabulary import Band, Measure, measure_named


@pytest.fixture
def own_measures(monkeypatch):
    """Measures registered in a test are forgotten after it."""
    known = dict(vocabulary._registered)
    monkeypatch.setattr(vocabulary, "_registered", known)


def test_a_registered_measure_is_found_and_others_are_numbers_of_epochs(own_measures):
    own = Measure("own_sharpness", of="layer", unit="s")
    registered = vocabulary.register(own)
    assert measure_named("own_sharpness") == registered
    assert vocabulary.register(own) == registered
    assert measure_named("val_auc") == Measure("val_auc", when="epoch")
    assert measure_named("val_auc").words == "Val auc"
    assert vocabulary.is_registered("own_sharpness")
    assert not vocabulary.is_registered("val_auc")


def test_two_measures_do_not_share_a_name(own_measures):
    with pytest.raises(ValueError, match="must not bear the name of another"):
        vocabulary.register(Measure("update_ratio", of="run"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "Received: name=''"),
        ({"name": 3}, "Received: name=3"),
        ({"name": "a", "of": "layers"}, "Received: of='layers'"),
        ({"name": "a", "when": "batch"}, "Received: when='batch'"),
        ({"name": "a", "unit": "ms"}, "Received: unit='ms'"),
    ],
)
def test_bad_measures_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Measure(**arguments)
    with pytest.raises(ValueError, match="must be a Measure"):
        vocabulary.register("update_ratio")


def test_a_band_holds_what_lies_within_and_never_nan():
    band = Band(0.1, 1.0)
    values = (0.1, 0.5, 1.0, 0.09, 1.1, math.nan, math.inf)
    assert [band.holds(value) for value in values] == [True] * 3 + [False] * 4
    with pytest.raises(ValueError, match="in this order"):
        Band(0.1, 1.0, aim=2.0)


def test_badness_is_decades_from_the_aim_or_the_value_itself():
    ratio = measure_named("update_ratio")
    assert ratio.badness(1e-1) == pytest.approx(2.0)
    assert ratio.badness(1e-5) == pytest.approx(2.0)
    assert ratio.badness(0.0) == math.inf
    assert measure_named("gradient_norm").badness(1e-3) == pytest.approx(3.0)
    assert measure_named("dead_fraction").badness(0.25) == 0.25


def test_values_are_written_in_their_unit():
    assert measure_named("dead_fraction").written(0.251) == "25%"
    assert measure_named("update_ratio").written(math.nan) == "NaN"
    assert measure_named("update_ratio").written(-math.inf) == "-infinity"
    assert Measure("step_seconds", unit="s").written(0.01234) == "0.0123 s"


@pytest.mark.parametrize("measure", vocabulary.MEASURES, ids=lambda one: one.name)
def test_a_measure_survives_as_plain_data(measure):
    assert Measure.from_dict(measure.to_dict()) == measure


@pytest.mark.parametrize(
    ("logged", "recorded", "metric"),
    [
        ("loss", "epoch_loss", "loss"),
        ("val_loss", "val_loss", "loss"),
        ("train_loss_eval", "train_loss_eval", "loss"),
        ("accuracy", "accuracy", "accuracy"),
        ("epoch_loss", "epoch_loss", "loss"),
        ("epoch_number", "epoch_number", "epoch_number"),
        ("learning_rate", "epoch_learning_rate", "learning_rate"),
    ],
)
def test_metrics_keep_their_names_beside_the_measures_of_steps(
    logged, recorded, metric
):
    assert vocabulary.recorded_name(logged) == recorded
    assert vocabulary.metric_named(recorded) == metric
    if logged != "epoch_loss":  # would be the mean of an epoch itself
        assert vocabulary.logged_name(recorded) == logged
