"""The report says what an ensemble gains, and what looks wrong."""

import keras
import matplotlib
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.ensembles import Ensemble
from keras_trainkit.ensembles.bootstrap import paired_gain
from keras_trainkit.ensembles.class_order import class_order_findings
from tests import models
from tests.ensembles.members import classifier, compiled, regressor, several
from tests.tolerances import FLOAT32


class Planted(keras.Model):
    """Says what its input holds: predictions made beforehand."""

    def __init__(self, index, **kwargs):
        super().__init__(**kwargs)
        self.index = index

    def call(self, inputs):
        return inputs[:, self.index]


def planted(predicted, loss="sparse_categorical_crossentropy", **options):
    """Returns an ensemble, and inputs for which members predict the given."""
    members = [Planted(index) for index in range(len(predicted))]
    for member in members:
        member.compile(loss=loss)
    x = np.swapaxes(np.asarray(predicted, "float32"), 0, 1)
    return Ensemble(members, **options), x


def noisy(right=0.7, members=5, examples=400, classes=4, seed=0):
    """Members that are right by chance, each for itself."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes, examples)
    said = np.where(
        random.random((members, examples)) < right,
        y,
        random.integers(0, classes, (members, examples)),
    )
    return np.eye(classes)[said] * 0.9 + 0.1 / classes, y


def test_scores_are_those_of_keras():
    x, y = models.data()
    ensemble = Ensemble([compiled(member) for member in several()])
    report = ensemble.report(x, y)
    scores = [member.evaluate(x, y, verbose=0)[1] for member in ensemble.members]
    np.testing.assert_allclose(report.member_scores, scores, atol=FLOAT32)
    assert report.score == pytest.approx(ensemble.evaluate(x, y, verbose=0)[1])
    losses = ensemble.report(x, y, metric="log_loss")
    assert losses.score == pytest.approx(
        ensemble.evaluate(x, y, verbose=0)[0], abs=FLOAT32
    )


def test_a_real_gain_is_beyond_noise_and_none_is_within():
    predicted, y = noisy()
    ensemble, x = planted(predicted)
    report = ensemble.report(x, y)
    assert report.gain.value > 0.1
    assert all(gain.beyond_noise for gain in report.gains)
    assert "beyond noise" in str(report)
    alike, x = planted([predicted[0]] * 3)
    report = alike.report(x, y)
    assert report.gain[1:] == (0.0, 0.0, 0.0)
    assert not report.gain.beyond_noise
    assert report.mean_disagreement == 0.0


def test_intervals_cover_the_mean_as_often_as_they_say():
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        found = paired_gain("x", random.normal(0.3, 1.0, 60), 0.9, 400, seed)
        covered += found.low <= 0.3 <= found.high
    # 180 of 200 expected, with a standard deviation of 4.2; the percentile
    # interval of 60 examples is a little short.
    assert 160 <= covered <= 195


def test_disagreement_counts_decisions():
    predicted = np.eye(3)[[[0, 0, 1, 1], [0, 0, 1, 2], [2, 2, 2, 2]]]
    ensemble, x = planted(predicted)
    report = ensemble.report(x, np.array([0, 0, 1, 1]))
    expected = [[0, 0.25, 1], [0.25, 0, 0.75], [1, 0.75, 0]]
    np.testing.assert_allclose(report.disagreement, expected)
    assert report.mean_disagreement == pytest.approx(2 / 3)


@pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "dataset"])
def test_targets_of_every_form_score_alike(form):
    predicted, y = noisy(examples=64)
    ensemble, x = planted(predicted)
    expected = ensemble.report(x, y, metric="log_loss").score
    target = {"column": y[:, None], "one-hot": np.eye(4)[y]}.get(form, y)
    data = (x, target)
    if form == "dataset":
        data = (tf.data.Dataset.from_tensor_slices(data).shuffle(64).batch(10),)
    found = ensemble.report(*data, metric="log_loss").score
    assert found == pytest.approx(expected, abs=FLOAT32)


def test_values_are_scored_by_squared_error():
    x, _ = models.data()
    ensemble = Ensemble(several(regressor))
    report = ensemble.report(x, x[:, :1])
    assert report.metric == "squared_error"
    assert report.score == pytest.approx(
        ensemble.evaluate(x, x[:, :1], verbose=0)[0], abs=FLOAT32
    )
    assert report.gain.value >= 0  # the mean never loses to the mean member
    absolute = ensemble.report(x, x[:, :1], metric="absolute_error")
    own = ensemble.report(
        x, x[:, :1], metric=lambda target, predicted: abs(target - predicted)
    )
    assert own.score == pytest.approx(absolute.score)


def test_labels_are_scored_one_by_one():
    predicted = np.array([[[0.9, 0.2], [0.6, 0.7]], [[0.2, 0.1], [0.9, 0.9]]])
    ensemble, x = planted(predicted, "binary_crossentropy")
    report = ensemble.report(x, np.array([[1, 0], [1, 0]]))
    np.testing.assert_allclose(report.member_scores, [0.75, 0.5])


def test_one_of_several_outputs_is_scored():
    members = several(models.two_outputs, 2)
    for member in members:
        losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
        member.compile("adam", losses)
    x, y = models.data()
    ensemble = Ensemble(members)
    targets = {"kind": y, "size": x[:, :1]}
    assert ensemble.report(x, targets, output="size").metric == "squared_error"
    assert ensemble.report(x, targets, output="kind").metric == "accuracy"
    with pytest.raises(ValueError, match="`output` must be one of 'kind', 'size'"):
        ensemble.report(x, targets)


def test_member_with_permuted_classes_is_found():
    predicted, y = noisy(right=0.9)
    predicted[2] = predicted[2][:, [1, 2, 0, 3]]
    ensemble, x = planted(predicted)
    found = ensemble.report(x, y).findings
    assert [finding.where for finding in found] == [ensemble.member_labels()[2]]
    assert "its unit 0 stands for class 1" in found[0].message
    assert found[0].severity == "error"


@pytest.mark.parametrize("right", [0.0, 0.3, 0.95])
def test_members_that_are_only_wrong_are_not_called_permuted(right):
    predicted, y = noisy(right)
    ensemble, x = planted(predicted)
    assert ensemble.report(x, y).findings == ()


@pytest.mark.parametrize("examples", [1, 2, 5, 10, 20, 60, 300])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_members_that_guess_are_not_called_permuted(examples, classes):
    random = np.random.default_rng(0)
    called = 0
    for _ in range(150):
        y = random.integers(0, classes, examples)
        predicted = random.random((2, examples, classes))
        called += len(class_order_findings(y, predicted, ["a", "b"]))
    assert called == 0


@pytest.mark.parametrize("examples", [20, 400])
def test_permuted_members_are_found_once_there_are_examples_enough(examples):
    predicted, y = noisy(right=0.95, members=1, examples=examples)
    moved = predicted[..., [1, 2, 3, 0]]
    assert len(class_order_findings(y, moved, ["a"])) == 1
    assert class_order_findings(y[:4], moved[:, :4], ["a"]) == []


@pytest.mark.parametrize(
    "gains", [[0.5], [0.5, 0.7], [1.0] * 5, [0.0] * 95 + [1.0] * 5]
)
def test_a_handful_of_gains_is_within_noise(gains):
    found = paired_gain("x", np.array(gains), 0.95, 1000, 0)
    assert found.low == 0.0 < found.value
    assert not found.beyond_noise


def test_logits_averaged_as_values_are_pointed_out():
    x, y = models.data()
    ensemble = Ensemble([classifier(activation=None) for _ in range(2)])
    (finding,) = ensemble.report(10 * x, y).findings
    assert "logits" in finding.message
    assert "from_logits=True" in finding.advice


def test_table_and_text_hold_every_member():
    predicted, y = noisy()
    ensemble, x = planted(predicted, weights=[1, 1, 1, 1, 4])
    report = ensemble.report(x, y)
    frame = report.to_frame()
    assert frame["model"].tolist() == [*ensemble.member_labels(), "ensemble"]
    assert frame["accuracy"].tolist() == [*report.member_scores, report.score]
    assert frame["share"].tolist() == [*[0.125] * 4, 0.5, 1.0]
    assert repr(report) == str(report)
    assert "95% interval" in str(report)


@pytest.mark.parametrize("vote", ["mean", "majority"])
def test_score_by_size_ends_at_the_ensemble(vote):
    predicted, y = noisy(right=0.6)
    ensemble, x = planted(predicted, vote=vote)
    report = ensemble.report(x, y)
    sizes = report.by_size(subsets=6)
    assert sizes["members"].tolist() == [1, 2, 3, 4, 5]
    assert sizes["subsets"].tolist() == [5, 6, 6, 5, 1]
    assert sizes["mean"].iloc[0] == pytest.approx(report.member_scores.mean())
    assert sizes["mean"].iloc[-1] == pytest.approx(report.score)
    assert sizes["std"].iloc[-1] == 0
    assert sizes["mean"].iloc[-1] > sizes["mean"].iloc[0]


def test_plot_draws_mean_band_and_members():
    matplotlib.use("Agg")
    predicted, y = noisy()
    ensemble, x = planted(predicted)
    axes = ensemble.report(x, y).plot(subsets=3)
    assert axes.get_xlabel() == "members"
    assert len(axes.lines) == 2
    assert len(axes.collections) == 1
    matplotlib.pyplot.close("all")


ERRORS = {
    "metric": ({"metric": "f1"}, "`metric` must be one of 'accuracy'"),
    "confidence": ({"confidence": 1}, "`confidence` must be a finite number > 0 and"),
    "resamples": ({"resamples": 0}, "`resamples` must be an integer >= 1"),
    "targets": ({"y": None}, "`y` must be given with arrays"),
    "rows": ({"y": np.zeros(3)}, "`y` must have a row for each of the 400 rows"),
    "output": ({"output": "b"}, "`output` must be one of None"),
}


@pytest.mark.parametrize(("changes", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_arguments_are_refused(changes, message):
    predicted, y = noisy()
    ensemble, x = planted(predicted)
    with pytest.raises(ValueError, match=message):
        ensemble.report(**{"x": x, "y": y, **changes})


@pytest.mark.parametrize("moved", [-1, 1])
def test_classes_without_a_unit_are_named(moved):
    predicted, y = noisy()
    ensemble, x = planted(predicted)
    with pytest.raises(ValueError, match="`y` must hold classes from 0 to 3"):
        ensemble.report(x, y + moved)


def test_accuracy_of_values_is_refused():
    ensemble = Ensemble(several(regressor))
    with pytest.raises(ValueError, match="where members predict values"):
        ensemble.report(*models.data(), metric="accuracy")


def test_outputs_of_a_list_go_by_name_or_number():
    def build():
        inputs = keras.Input((8,))
        names = ("size", "width")
        return keras.Model(
            inputs, [keras.layers.Dense(1, name=name)(inputs) for name in names]
        )

    ensemble = Ensemble([build(), build()])
    x, _ = models.data()
    size, width = x[:, :1], 3 * x[:, 1:2]
    ways = [("width", [size, width]), (1, [size, width])]
    ways += [("width", {"size": size, "width": width}), ("width", width)]
    scores = [
        ensemble.report(x, y, output=output, metric="squared_error").score
        for output, y in ways
    ]
    assert len(set(scores)) == 1
    with pytest.raises(ValueError, match=r"`output` must be one of 'size', 'width'\."):
        ensemble.report(x, [size, width])
    with pytest.raises(ValueError, match="`y` must have targets of the output 'width'"):
        ensemble.report(x, {"size": size}, output="width", metric="squared_error")
