"""Snapshots are taken at the ends of cycles, at no other step."""

import os

import keras
import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit.ensembles import Ensemble, SnapshotSaver
from tests import models
from tests.ensembles.members import classifier, compiled


class Weights(keras.callbacks.Callback):
    """Remembers the weights after every batch."""

    def on_train_begin(self, logs=None):
        self.after = []

    def on_train_batch_end(self, batch, logs=None):
        self.after.append(self.model.get_weights())


def fit(model, *callbacks, epochs=3, **options):
    x, y = models.data()  # 6 batches of 8
    model.fit(
        x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=[*callbacks], **options
    )


def model_with(rate, **options):
    model = classifier()
    optimizer = keras.optimizers.SGD(rate, **options)
    # To trace its few steps would take longer than to run them.
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    return model


def names(saver):
    return [os.path.basename(path) for path in saver.paths]


@pytest.mark.parametrize(
    ("cycle", "ends"),
    [
        pytest.param(4, [4, 8, 12, 16], id="length"),
        pytest.param([5, 18], [5, 18], id="list"),
        pytest.param(np.array([7]), [7], id="array", marks=pytest.mark.slow),
    ],
)
def test_weights_are_those_after_the_last_update_of_a_cycle(tmp_path, cycle, ends):
    saver, weights = SnapshotSaver(tmp_path / "new", cycle), Weights()
    fit(model_with(0.1), saver, weights)
    assert len(saver.paths) == len(ends)
    ensemble = Ensemble.from_checkpoints(saver.paths)
    for member, end in zip(ensemble.members, ends, strict=True):
        assert models.same(member.get_weights(), weights.after[end - 1])
    assert sorted(os.listdir(tmp_path / "new")) == names(saver)


def test_cycles_are_read_from_the_rate_of_the_optimizer(tmp_path):
    rate = tk.schedules.CosineRestarts(0.1, period=3, period_factor=2)
    saver = SnapshotSaver(tmp_path, weights_only=True)
    fit(model_with(rate), saver, epochs=4)
    assert names(saver) == [f"snapshot_00{n}.weights.h5" for n in (1, 2, 3)]
    given = SnapshotSaver(tmp_path, rate)
    fit(model_with(0.1), given, epochs=2)
    assert names(given) == ["snapshot_001.keras", "snapshot_002.keras"]


def test_second_fit_starts_anew_and_a_resumed_run_goes_on(tmp_path):
    saver = SnapshotSaver(tmp_path, 4)
    model = model_with(0.1)
    fit(model, saver, epochs=1)
    assert names(saver) == ["snapshot_001.keras"]
    fit(model, saver, epochs=1)  # updates 7 to 12
    assert names(saver) == ["snapshot_002.keras", "snapshot_003.keras"]
    fit(model_with(0.1), saver, epochs=1)
    assert names(saver) == ["snapshot_001.keras"]


def test_accumulated_batches_count_as_the_schedule_counts_them(tmp_path):
    saver = SnapshotSaver(tmp_path, 4)
    fit(model_with(0.1, gradient_accumulation_steps=2), saver, epochs=1)
    assert len(saver.paths) == 1  # Keras' schedules count batches
    model = classifier()
    optimizer = tk.optimizers.Momentum(0.1, gradient_accumulation_steps=2)
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    with pytest.warns(UserWarning, match="ended after update 3, and the next cycle"):
        fit(model, saver, epochs=1)
    assert not saver.paths
    fit(model, saver, epochs=1)
    assert len(saver.paths) == 1


def test_executions_of_several_steps_must_fit_the_cycles(tmp_path):
    model = compiled(classifier())
    model.steps_per_execution = 2
    weights = Weights()
    saver = SnapshotSaver(tmp_path, 4)
    fit(model, saver, weights, epochs=2)
    assert len(saver.paths) == 3
    with pytest.raises(ValueError, match="update 5 is in the midst of one"):
        fit(compiled_twice(), SnapshotSaver(tmp_path, 5))


def compiled_twice():
    model = classifier()
    model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=2)
    return model


def test_a_failing_save_leaves_no_file(tmp_path, monkeypatch):
    model = model_with(0.1)

    def broken(path):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(model, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        fit(model, SnapshotSaver(tmp_path, 4))
    assert not os.listdir(tmp_path)


ERRORS = {
    "zero": (0, "`cycle` must be an integer >= 1"),
    "order": ([5, 3], "in rising order"),
    "empty": ([], "in rising order"),
    "word": ("epoch", "`cycle` must be an integer >= 1"),
}


@pytest.mark.parametrize(("cycle", "message"), ERRORS.values(), ids=ERRORS)
def test_wrong_cycles_are_refused(tmp_path, cycle, message):
    with pytest.raises(ValueError, match=message):
        SnapshotSaver(tmp_path, cycle)


def test_rate_without_cycles_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`cycle` must be given unless"):
        fit(model_with(0.1), SnapshotSaver(tmp_path))


@pytest.mark.parametrize(
    ("cycle", "message"),
    [
        (100, r"ended after update 18, and the next cycle ends with update 100\."),
        ([2, 100], r"ended after update 18, and the next cycle ends with update 100\."),
    ],
    ids=["too long", "over before"],
)
def test_saver_that_saved_nothing_says_so(cycle, message, tmp_path):
    model = model_with(0.1)
    if cycle == [2, 100]:
        model.optimizer.iterations.assign(3)  # a run that goes on
        message = message.replace("18", "21")
    with pytest.warns(UserWarning, match=f"SnapshotSaver saved nothing: .*{message}"):
        fit(model, SnapshotSaver(tmp_path, cycle))
