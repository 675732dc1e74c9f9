import numpy as np
import pytest

from keras_trainkit import diagnosis
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord


def with_losses(losses):
    record = TrainingRecord()
    steps = np.arange(len(losses))
    record.append([Series("loss")], steps, steps // 50, np.asarray(losses)[:, None])
    return record


def curve(kind, seed):
    random = np.random.default_rng(seed)
    time = np.arange(300)
    noise = random.normal(size=300)
    if kind == "good":
        return 2.3 * np.exp(-time / 40) + 0.1 + 0.02 * noise
    if kind == "low":
        return 2.3 - 0.003 * time + 0.02 * noise
    if kind == "flat":
        return 2.3 + 0.05 * noise
    if kind == "diverging":
        return 2.3 * np.exp(time / 60) + 0.02 * noise
    return np.where(time < 10, 2.3 - 0.05 * time, 0.8 + 0.8 * np.abs(noise))


@pytest.mark.parametrize("kind", ["good", "low", "flat", "diverging", "high"])
def test_loss_curve_is_told_by_its_shape(kind):
    for seed in range(5):
        found = diagnosis.describe_loss_curve(with_losses(curve(kind, seed)))
        assert found.shape == kind, seed
        assert (found.finding() is None) == (kind == "good")


def test_noise_around_a_low_loss_is_no_alarm():
    for seed in range(20):
        losses = 0.02 * np.random.default_rng(seed).exponential(size=300)
        found = diagnosis.describe_loss_curve(with_losses(losses))
        assert found.shape == "flat", seed
        assert found.finding().severity == "info"


def test_small_last_batches_are_no_swings():
    for seed in range(20):
        random = np.random.default_rng(seed)
        losses = 1.0 + np.exp(-np.arange(480) / 40) + 0.1 * random.normal(size=480)
        losses[11::12] += 1.5 * random.normal(size=40)  # of one example each
        found = diagnosis.describe_loss_curve(with_losses(losses))
        assert found.shape in ("good", "low"), seed


def test_loss_curve_of_a_few_steps_is_not_judged():
    found = diagnosis.describe_loss_curve(with_losses([2.0, 1.0, 0.5]))
    assert found.shape == "unknown"
    assert found.finding() is None


def test_loss_that_ends_not_finite_diverges():
    assert (
        diagnosis.describe_loss_curve(with_losses([1.0, np.nan])).shape == "diverging"
    )


def with_ratios(values, variable="kernel"):
    record = TrainingRecord()
    steps = np.arange(len(values))
    columns = [Series("update_ratio", layer, variable) for layer in ("one", "two")]
    record.append(columns, steps, steps * 0, np.stack([values, values], axis=1))
    return record


def test_long_first_updates_are_found_and_healthy_ones_are_not():
    healthy = np.geomspace(2e-2, 1e-3, 60)
    assert diagnosis.describe_update_ratios(with_ratios(healthy)) is None
    found = diagnosis.describe_update_ratios(with_ratios(100 * healthy))
    assert found.severity == "error"
    once = np.concatenate([[2.0], np.zeros(59)])  # it killed every unit at once
    assert diagnosis.describe_update_ratios(with_ratios(once)) is not None
    bias = with_ratios(np.full(60, np.inf), variable="bias")
    assert diagnosis.describe_update_ratios(bias) is None


def test_long_first_updates_of_a_run_that_learns_are_no_alarm():
    record = with_ratios(np.full(60, 0.3))
    learnt = np.geomspace(30_000.0, 300.0, 60)
    blown_up = np.concatenate([[2.3], np.geomspace(5_000.0, 2.2, 59)])
    for losses, severity in ((learnt, "info"), (blown_up, "error")):
        both = TrainingRecord()
        for series in record.select("update_ratio"):
            steps, epochs, values = record.values(*series)
            both.append([series], steps, epochs, values[:, None])
        both.append([Series("loss")], steps, epochs, losses[:, None])
        assert diagnosis.describe_update_ratios(both).severity == severity


def test_dead_layers_are_found_and_sparse_ones_are_not():
    record = TrainingRecord()
    for layer, values in {"sparse": [0.1, 0.3], "dead": [0.2, 0.95]}.items():
        for epoch, value in enumerate(values):
            record.add("dead_fraction", value, step=epoch, epoch=epoch, layer=layer)
    found = diagnosis.describe_dead_units(record)
    assert found.where == "dead"
    assert found.evidence == {"dead": 0.95, "since_epoch": 1, "threshold": 0.5}


def with_gap(validation, training):
    record = TrainingRecord()
    for epoch, (val, train) in enumerate(zip(validation, training, strict=True)):
        place = {"step": epoch, "epoch": epoch}
        record.add("val_loss", val, **place)
        record.add("train_loss_eval", train, **place)
        for name in ("overfitting_gap_smoothed", "overfitting_gap_trend"):
            value = val - train if name.endswith("smoothed") else 0.05
            record.add(name, value, metric="loss", **place)
    return record


def test_overfitting_is_found_only_where_validation_gets_worse():
    training = np.geomspace(1.0, 0.1, 10)
    rising = np.concatenate([np.linspace(1.0, 0.6, 5), np.linspace(0.7, 1.2, 5)])
    found = diagnosis.describe_overfitting(with_gap(rising, training))
    assert found.evidence["best_epoch"] == 4
    falling = np.geomspace(1.0, 0.4, 10)
    assert diagnosis.describe_overfitting(with_gap(falling, training)) is None


def test_findings_are_ranked_worst_first():
    record = with_losses(curve("flat", 0))
    for layer in ("one", "two"):
        for step, value in enumerate([3.0, 0.0]):
            record.add(
                "update_ratio",
                value,
                step=step,
                epoch=0,
                layer=layer,
                variable="kernel",
            )
    severities = [finding.severity for finding in diagnosis.diagnose(record)]
    assert severities == ["error", "warning"]
