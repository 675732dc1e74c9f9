import math

import pytest

from keras_trainkit.search.distribute.messages import pack, this_place, unpack


@pytest.fixture
def environment(monkeypatch):
    def put(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


def test_message_keeps_every_number():
    sent = {"rate": 0.1, "third": 1 / 3, "bad": [math.inf, -math.inf]}
    assert unpack(pack(sent)) == sent
    assert math.isnan(unpack(pack({"x": math.nan}))["x"])


def test_process_alone_has_no_place():
    assert this_place() is None


def test_place_is_read_from_the_environment_of_keras_tuner(environment):
    environment(
        KERASTUNER_TUNER_ID="chief",
        KERASTUNER_ORACLE_IP="10.0.0.1",
        KERASTUNER_ORACLE_PORT="8000",
        KERAS_TRAINKIT_TOKEN="secret",
    )
    place = this_place()
    assert place.is_chief
    assert place.address == "10.0.0.1:8000"
    assert place.silence == 60.0
    assert place.token == "secret"
    environment(KERASTUNER_TUNER_ID="worker-3", KERAS_TRAINKIT_SILENCE="5")
    assert not this_place().is_chief
    assert this_place().silence == 5.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "KERASTUNER_ORACLE_PORT, KERASTUNER_TUNER_ID, KERAS_TRAINKIT_TOKEN"),
        (
            {"KERASTUNER_ORACLE_PORT": "1", "KERASTUNER_TUNER_ID": "a"},
            "Missing: KERAS_TRAINKIT_TOKEN",
        ),
        (
            {
                "KERASTUNER_ORACLE_PORT": "1",
                "KERASTUNER_TUNER_ID": "a",
                "KERAS_TRAINKIT_TOKEN": "secret",
                "KERAS_TRAINKIT_SILENCE": "long",
            },
            "KERAS_TRAINKIT_SILENCE='long'",
        ),
    ],
)
def test_half_an_environment_is_an_error(values, words, environment):
    environment(KERASTUNER_ORACLE_IP="10.0.0.1", **values)
    with pytest.raises(ValueError, match=words):
        this_place()
