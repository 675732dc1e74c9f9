"""A question is read once each part of it has its form, and refused in words."""

import keras_tuner
import pytest

from keras_trainkit.search.distribute.questions import read_question
from keras_trainkit.search.engine.keras_tuner import HyperParameters, Trial


def space():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 0.0, 1.0)
    return hp


def ended(status="COMPLETED"):
    return Trial(space(), "0003", status).get_state()


def asked(ask, **given):
    return read_question({"worker": "a", "ask": ask, "with": given})


@pytest.mark.parametrize(
    ("ask", "given"),
    [
        ("join", {"space": [{"a": 1}], "course": {"seed": 0}}),
        ("beat", {}),
        ("lost", {"why": ""}),
        ("create_trial", {}),
        (
            "update_trial",
            {"trial_id": "0", "metrics": {"loss": 1, "nan": float("nan")}, "step": 0},
        ),
        ("get_trial", {"trial_id": "0003"}),
        ("get_space", {}),
        ("get_best_trials", {"num_trials": 3}),
    ],
)
def test_plain_words_come_as_they_are(ask, given):
    assert asked(ask, **given) == ("a", ask, given)


def test_trials_and_spaces_are_made_of_what_tells_of_them():
    _, _, words = asked("update_space", space=space().get_config())
    assert isinstance(words["space"], HyperParameters)
    assert words["space"].get_config()["space"] == space().get_config()["space"]
    _, _, words = asked("end_trial", trial=ended())
    assert isinstance(words["trial"], Trial)
    assert words["trial"].trial_id == "0003"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"ask": "beat", "with": {}}, "`worker` must be a name"),
        ({"worker": "", "ask": "beat", "with": {}}, "`worker` must be a name"),
        ({"worker": "a" * 201, "ask": "beat", "with": {}}, "`worker` must be a name"),
        ({"worker": 3, "ask": "beat", "with": {}}, "`worker` must be a name"),
        ({"worker": "a", "ask": "stop", "with": {}}, "`ask` must be one of join, beat"),
        ({"worker": "a", "ask": ["beat"], "with": {}}, "`ask` must be one of"),
        ({"worker": "a", "ask": "beat"}, "`with` must hold nothing to ask beat"),
        ({"worker": "a", "ask": "beat", "with": []}, "`with` must hold nothing"),
        ({"worker": "a", "ask": "beat", "with": {"x": 1}}, "`with` must hold nothing"),
        ({"worker": "a", "ask": "lost", "with": {}}, "must hold why to ask lost"),
    ],
    ids=str,
)
def test_a_question_of_another_form_is_refused(question, words):
    with pytest.raises(ValueError, match=words):
        read_question(question)


UPDATE = {"trial_id": "0", "metrics": {"loss": 1.0}, "step": 0}


@pytest.mark.parametrize(
    ("ask", "given", "words"),
    [
        ("lost", {"why": 3}, "a text is wanted"),
        ("join", {"space": {}, "course": {}}, "a list is wanted"),
        ("join", {"space": [], "course": []}, "values by name are wanted"),
        ("update_trial", UPDATE | {"metrics": [1.0]}, "values by name are wanted"),
        ("update_trial", UPDATE | {"metrics": {"a": "1"}}, "a number is wanted"),
        ("update_trial", UPDATE | {"metrics": {"a": True}}, "a number is wanted"),
        ("update_trial", UPDATE | {"step": -1}, "an integer >= 0"),
        ("get_best_trials", {"num_trials": 1.5}, "an integer >= 0"),
        ("end_trial", {"trial": ended("RUNNING")}, "`status` must be one of"),
        ("end_trial", {"trial": {"trial_id": "0"}}, "a trial must have"),
        ("update_space", {"space": []}, "a space must have"),
    ],
    ids=str,
)
def test_a_word_of_another_form_is_refused(ask, given, words):
    with pytest.raises(ValueError, match=words):
        asked(ask, **given)


def test_a_name_of_two_hundred_letters_is_not_too_long():
    name = "a" * 200
    assert read_question({"worker": name, "ask": "beat", "with": {}})[0] == name
