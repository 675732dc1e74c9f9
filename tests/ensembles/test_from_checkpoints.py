"""Members from files, whole, damaged, and in the order of a run."""

import os
import shutil

import keras
import numpy as np
import pytest

from keras_trainkit.ensembles import Ensemble
from tests import models
from tests.ensembles.members import classifier, compiled


@pytest.fixture(scope="module", params=[".keras", ".weights.h5"])
def run(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    model = compiled(classifier(), run_eagerly=True)
    saver = keras.callbacks.ModelCheckpoint(
        str(directory / ("epoch_{epoch}" + request.param)),
        save_weights_only=request.param == ".weights.h5",
    )
    weights = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: history.append(model.get_weights())
    )
    history = []
    options = {"epochs": 10, "batch_size": 48, "verbose": 0}
    model.fit(*models.data(), callbacks=[saver, weights], **options)
    builder = None if request.param == ".keras" else classifier
    return directory, request.param, history, builder


def test_directory_is_read_in_the_order_of_the_numbers(run):
    directory, _, history, build = run
    ensemble = Ensemble.from_checkpoints(directory, build_model=build)
    assert len(ensemble.members) == 10
    for member, weights in zip(ensemble.members, history, strict=True):
        assert models.same(member.get_weights(), weights)


def test_last_ones_and_listed_ones_are_taken(run):
    directory, ending, history, build = run
    ensemble = Ensemble.from_checkpoints(str(directory), 3, build_model=build)
    assert models.same(ensemble.members[0].get_weights(), history[-3])
    paths = [directory / f"epoch_{number}{ending}" for number in (7, 2)]
    ensemble = Ensemble.from_checkpoints(paths, build_model=build, vote="majority")
    assert models.same(ensemble.members[0].get_weights(), history[6])
    assert models.same(ensemble.members[1].get_weights(), history[1])
    one = Ensemble.from_checkpoints(paths[0], build_model=build)
    assert len(one.members) == 1


def truncate(path):
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)


def garble(path):
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"\xff" * (os.path.getsize(path) // 2))


def empty(path):
    with open(path, "wb"):
        pass


@pytest.mark.parametrize("damage", [truncate, garble, empty, os.remove])
def test_damaged_checkpoint_is_named_and_skipped_only_on_request(run, damage, tmp_path):
    directory, ending, history, build = run
    names = [f"epoch_{number}{ending}" for number in (8, 9, 10)]
    paths = [shutil.copy(directory / name, tmp_path) for name in names]
    damage(paths[1])
    with pytest.raises(ValueError, match=r"Checkpoint '.*epoch_9\.") as caught:
        Ensemble.from_checkpoints(paths, build_model=build)
    assert "Pass `skip_damaged=True`" in str(caught.value)
    with pytest.warns(UserWarning, match=r"Left out: Checkpoint '.*epoch_9\."):
        ensemble = Ensemble.from_checkpoints(
            paths, build_model=build, skip_damaged=True
        )
    assert len(ensemble.members) == 2
    assert models.same(ensemble.members[0].get_weights(), history[7])


def test_weights_that_are_not_finite_are_damage(tmp_path):
    model = classifier()
    model.layers[0].kernel.assign(np.full((8, 6), np.nan))
    model.save(tmp_path / "bad.keras")
    with pytest.raises(ValueError, match="keras' cannot be read: weight"):
        Ensemble.from_checkpoints(tmp_path)


def test_impossible_requests_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`paths` must be a directory with files"):
        Ensemble.from_checkpoints(tmp_path)
    classifier().save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="`members` must be at most the 1"):
        Ensemble.from_checkpoints(tmp_path, 2)
    classifier().save_weights(tmp_path / "b.weights.h5")
    with pytest.raises(ValueError, match="both whole models and weights"):
        Ensemble.from_checkpoints(tmp_path)
    with pytest.raises(ValueError, match="`build_model` must be given"):
        Ensemble.from_checkpoints([tmp_path / "b.weights.h5"])
    (tmp_path / "b.weights.h5").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="Left out"),
        pytest.raises(ValueError, match="must name a checkpoint that can be read"),
    ):
        Ensemble.from_checkpoints(
            [tmp_path / "b.weights.h5"], build_model=classifier, skip_damaged=True
        )


def test_half_a_file_that_a_killed_run_left_is_no_member(tmp_path):
    classifier().save(tmp_path / "snapshot_001.keras")
    (tmp_path / ".part7.snapshot_002.keras").write_text("half a mod")
    assert len(Ensemble.from_checkpoints(tmp_path).members) == 1
