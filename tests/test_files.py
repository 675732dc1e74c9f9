import json
import math
import os

import pytest

from keras_trainkit.files import read_json, whole_file, write_json


def test_json_round_trip_keeps_nan_and_infinity(tmp_path):
    path = tmp_path / "deep" / "file.json"
    write_json(path, {"a": [1.5, math.inf, math.nan], "b": None})
    found = read_json(path)
    assert found["a"][:2] == [1.5, math.inf]
    assert math.isnan(found["a"][2])


def test_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "model.weights.h5"
    path.write_text("old")
    with whole_file(path) as beside:
        assert beside.endswith(".weights.h5")  # Keras looks at the ending
        assert os.path.basename(beside).startswith(".")  # globs pass it over
        with open(beside, "w", encoding="utf-8") as file:
            file.write("ne")
            file.flush()
            assert path.read_text() == "old"
            file.write("w")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_file_stays_the_old_one_if_writing_fails(error, tmp_path):
    path = tmp_path / "file.json"
    write_json(path, "old")

    def write_half():
        with whole_file(path) as beside, open(beside, "w", encoding="utf-8") as file:
            file.write("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert read_json(path) == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_content_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == "old"
    assert os.listdir(tmp_path) == [path.name]
