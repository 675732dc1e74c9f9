import numpy as np

from keras_trainkit.callbacks.summary_of_epoch import summary_of_epoch
from keras_trainkit.record import Series, TrainingRecord
from tests.tolerances import FLOAT64


def record_of(norms, epoch=0):
    record = TrainingRecord()
    for (measure, layer), values in norms.items():
        steps = np.arange(len(values))
        column = [Series(measure, layer, "kernel")]
        record.append(
            column, steps, np.full(len(values), epoch), np.array(values)[:, None]
        )
    return record


def test_an_epoch_without_a_reading_has_no_numbers():
    record = record_of({("update_norm", "a"): [1.0], ("weight_norm", "a"): [10.0]})
    record.add("dead_fraction", 0.5, step=0, epoch=0, layer="a")
    record.add("overfitting_gap", 0.1, step=0, epoch=0, metric="loss")
    assert {"update_ratio", "dead_fraction", "overfitting_gap"} <= set(
        summary_of_epoch(record, 0)
    )
    assert summary_of_epoch(record, 1) == {}


def test_the_worst_layer_is_never_nearer_to_health_than_the_whole():
    random = np.random.default_rng(0)
    for _ in range(200):
        layers = [f"layer_{number}" for number in range(random.integers(1, 6))]
        norms = {}
        for layer in layers:
            norms["update_norm", layer] = 10 ** random.normal(-3, 3, 4)
            norms["weight_norm", layer] = 10 ** random.normal(0, 2, 4)
        found = summary_of_epoch(record_of(norms), 0)
        distances = [
            abs(np.log10(found[name]) + 3)
            for name in ("update_ratio", "update_ratio_worst")
        ]
        assert distances[1] >= distances[0] - FLOAT64


def test_what_is_not_finite_is_the_worst():
    norms = {
        ("update_norm", "a"): [1e-3],
        ("weight_norm", "a"): [1.0],
        ("update_norm", "b"): [np.nan],
        ("weight_norm", "b"): [1.0],
    }
    found = summary_of_epoch(record_of(norms), 0)
    assert np.isnan(found["update_ratio_worst"])
    assert np.isnan(found["update_ratio"])
