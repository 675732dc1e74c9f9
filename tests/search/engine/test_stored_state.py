"""Files of a search that were damaged: one clear sentence, or no harm done."""

import functools
import json
import random
import shutil

import keras_tuner
import pytest

from keras_trainkit.search import trials_frame
from keras_trainkit.search.engine.stored_state import (
    read_state,
    space_from,
    trial_from,
    write_state,
)

from ..oracles import make_oracle, opened, search, told


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("project")
    oracle = make_oracle("random", directory)
    search(oracle)
    return directory, told(oracle)


def flipped(data, draw):
    place = draw.randrange(len(data))
    return (
        data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
    )


def other_digit(data, draw):
    places = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
    place = draw.choice(places)
    digit = draw.choice([each for each in b"0123456789" if each != data[place]])
    return data[:place] + bytes([digit]) + data[place + 1 :]


def zeroed(data, draw):
    start = draw.randrange(len(data))
    end = min(len(data), start + draw.randrange(1, 64))
    return data[:start] + bytes(end - start) + data[end:]


def cut(data, draw):
    return data[: draw.randrange(len(data))]


def without_a_part(data, draw):
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.randrange(1, 40) :]


def with_a_part_twice(data, draw):
    start = draw.randrange(len(data))
    end = start + draw.randrange(1, 40)
    return data[:end] + data[start:]


def without_a_key(data, draw):
    state = json.loads(data)
    del state[draw.choice(list(state))]
    return json.dumps(state).encode()


def other_json(data, draw):
    return draw.choice([b"", b"null", b"[]", b"{}", b"7", b"[" * 10**5, b"\xff\xfe"])


def other_kind(data, draw):
    state = json.loads(data)
    state[draw.choice(list(state))] = draw.choice([None, [], {}, 7, "x", [None]])
    return json.dumps(state).encode()


DAMAGES = [
    *(flipped, other_digit, zeroed, cut, without_a_part),
    *(with_a_part_twice, without_a_key, other_json, other_kind),
]


def message_of(read):
    """What a `ValueError` said, or `None` if there was none."""
    try:
        read()
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("file", ["oracle.json", "trial_000002/trial.json"])
def test_any_damage_ends_in_a_sentence_with_a_way_out(damage, file, project, tmp_path):
    directory, before = project
    draw = random.Random(f"{damage.__name__} of {file}")
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "p" / file
    whole = path.read_bytes()
    readers = (
        lambda: opened("random", tmp_path),
        lambda: trials_frame(tmp_path / "p"),
    )
    messages = []
    for _ in range(25):
        path.write_bytes(damage(whole, draw))
        for read in readers:
            message = message_of(read)
            if message is None:
                # What is read all the same is what was written.
                assert json.loads(path.read_bytes()) == json.loads(whole)
                assert told(opened("random", tmp_path)) == before
            else:
                messages.append(message)
    assert len(messages) >= 40
    for message in messages:
        assert "overwrite=True" in message
        assert str(path) in message or "this version of keras_trainkit" in message


@pytest.mark.parametrize("lost", ["trial_000002/trial.json", "trial_000002"])
def test_missing_file_of_a_trial_is_named(lost, project, tmp_path):
    shutil.copytree(project[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "p" / lost
    path.unlink() if path.is_file() else shutil.rmtree(path)
    words = r"000002/trial\.json is damaged: it is missing"
    with pytest.raises(ValueError, match=words):
        opened("random", tmp_path)
    with pytest.raises(ValueError, match=words):
        trials_frame(tmp_path / "p")


def test_file_of_another_trial_or_of_another_time_is_damage(project, tmp_path):
    shutil.copytree(project[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "p" / "trial_000002" / "trial.json"
    shutil.copy(tmp_path / "p" / "trial_000001" / "trial.json", path)
    with pytest.raises(ValueError, match="it tells of trial 000001"):
        opened("random", tmp_path)
    shutil.copy(project[0] / "p" / "trial_000002" / "trial.json", path)
    state = read_state(str(path))
    write_state(str(path), state | {"status": "RUNNING", "score": None})
    with pytest.raises(ValueError, match=r"older than oracle\.json"):
        opened("random", tmp_path)


def test_state_keeps_every_number(tmp_path):
    state = {"a": [0.1, 1e-300, float("inf")], "b": {"c": 2**70, "d": "ä\u2028"}}
    write_state(str(tmp_path / "x.json"), state)
    assert read_state(str(tmp_path / "x.json")) == state


def parts(state):
    """All places within a state."""
    yield state, None
    for key, value in state.items() if isinstance(state, dict) else enumerate(state):
        yield state, key
        if isinstance(value, dict | list):
            yield from (pair for pair in parts(value) if pair[1] is not None)


def test_trials_and_spaces_of_another_form_are_refused_in_words(tmp_path):
    hp = keras_tuner.HyperParameters()
    kind = hp.Choice("kind", ["a", "b"])
    assert kind == "a"
    with hp.conditional_scope("kind", ["a"]):
        hp.Float("rate", 1e-3, 1.0, sampling="log")
    trial = make_oracle("random", tmp_path, hyperparameters=hp).create_trial("a")
    trial.metrics.register("val_loss", "min")
    trial.metrics.update("val_loss", 0.5)
    text = json.dumps(trial.get_state())
    assert trial_from(json.loads(text)).get_state() == trial.get_state()
    draw = random.Random(0)
    for _ in range(400):
        state = json.loads(text)
        place, key = draw.choice([pair for pair in parts(state) if pair[1] is not None])
        place[key] = draw.choice([None, [], {}, 7, -1, "x", [None], True, {"a": 1}])
        assert message_of(functools.partial(trial_from, state)) != ""


def test_nothing_but_hyperparameters_is_made_of_data():
    entry = {"class_name": "Lambda", "config": {"conditions": []}}
    with pytest.raises(ValueError, match="hyperparameters of KerasTuner"):
        space_from({"space": [entry], "values": {}})
