"""The chief's answers, with a clock of our own and no network."""

import json
import random

import pytest

from keras_trainkit.search.distribute.chief import Chief

from ..oracles import make_oracle, score, told
from ..oracles import search as search_alone


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Worker:
    """Asks as a worker does."""

    def __init__(self, chief, name):
        self.chief, self.name = chief, name

    def ask(self, ask, **words):
        question = {"token": "secret", "worker": self.name, "ask": ask, "with": words}
        return self.chief.answer(question)

    def join(self):
        # As it travels.
        identity = json.loads(json.dumps(self.chief.oracle.identity()))
        return self.ask("join", **identity)

    def take(self):
        return self.ask("create_trial")["trial"]

    def finish(self, state, status="COMPLETED"):
        trial_id = state["trial_id"]
        value = score(self.chief.oracle.trials[trial_id])
        self.ask("update_trial", trial_id=trial_id, metrics={"val_loss": value}, step=1)
        self.ask("end_trial", trial=state | {"status": status})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def chief(tmp_path, clock):
    return Chief(make_oracle("random", tmp_path, max_trials=3), 60.0, "secret", clock)


def test_one_worker_gets_what_a_search_alone_gets(chief, tmp_path):
    worker = Worker(chief, "a")
    assert worker.join() == {"seed": 0}
    while (state := worker.take())["status"] == "RUNNING":
        worker.finish(state)
    assert chief.done()
    assert chief.failure is None
    alone = make_oracle("random", tmp_path / "alone", max_trials=3)
    search_alone(alone)
    assert told(chief.oracle) == told(alone)


def test_trial_of_a_silent_worker_goes_to_another(chief, clock):
    quick, slow = Worker(chief, "quick"), Worker(chief, "slow")
    quick.join()
    slow.join()
    lost = slow.take()
    clock.now = 50.0
    quick.ask("beat")
    clock.now = 70.0
    assert not chief.done()
    assert "silent for 70 s" in chief.lost["slow"]
    assert quick.take()["trial_id"] == lost["trial_id"]


def test_worker_that_was_only_slow_ends_nothing_of_another(chief, clock):
    quick, slow = Worker(chief, "quick"), Worker(chief, "slow")
    slow.join()
    state = slow.take()
    slow.ask("lost", why="was killed")
    quick.join()
    quick.take()
    slow.finish(state, "FAILED")
    assert chief.oracle.trials[state["trial_id"]].status == "RUNNING"
    assert slow.take()["trial_id"] != state["trial_id"]


def test_chief_ends_when_all_workers_are_gone(chief, clock):
    worker = Worker(chief, "a")
    clock.now = 1000.0
    assert not chief.done()  # nobody has come yet
    worker.join()
    worker.take()
    worker.ask("lost", why="was ended by SIGKILL")
    assert not chief.done()  # one may come back
    clock.now += 61.0
    assert chief.done()
    assert "All workers are gone (a: was ended by SIGKILL)" in chief.failure


def test_chief_waits_for_the_last_trial(chief):
    first, last = Worker(chief, "first"), Worker(chief, "last")
    first.join()
    last.join()
    for worker in (first, first, last):
        state = worker.take()
        if worker is first:
            worker.finish(state)
    assert first.take()["status"] == "IDLE"
    assert not chief.done()
    last.finish(state)
    assert first.take()["status"] == last.take()["status"] == "STOPPED"
    assert chief.done()


def test_too_many_failures_end_all_with_the_reason(tmp_path, clock):
    oracle = make_oracle("random", tmp_path, max_consecutive_failed_trials=2)
    chief = Chief(oracle, 60.0, "secret", clock)
    workers = [Worker(chief, name) for name in "ab"]
    for worker in workers:
        worker.join()
        state = worker.take()
        worker.finish(state | {"message": "no such layer"}, "INVALID")
    for worker in workers:
        answer = worker.ask("create_trial")
        assert answer["trial"]["status"] == "STOPPED"
        assert "no such layer" in answer["stopped_because"]
    assert chief.done()
    assert "no such layer" in chief.failure


def test_worker_with_another_program_is_refused(chief):
    identity = chief.oracle.identity()
    identity["course"] |= {"objective": [["val_accuracy", "max"]]}
    answer = Worker(chief, "other").ask("join", **identity)
    assert "must run the program of its chief" in answer["error"]


def test_mistaken_question_is_answered_and_leaves_no_lock(chief):
    worker = Worker(chief, "a")
    worker.join()
    assert "`trial_id` must be a" in worker.ask("get_trial", trial_id="none")["error"]
    assert worker.take()["status"] == "RUNNING"


def untouched(chief):
    """What no refused question may change."""
    oracle = chief.oracle
    return told(oracle), list(oracle.ongoing_trials), chief._heard.copy(), chief.lost


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token": "guess"}, "The token is not the one of this search"),
        ({"token": None}, "The token is not the one of this search"),
        ({"token": "\ud800"}, "The token is not the one of this search"),
        ({"worker": 3}, "`worker` must be a name"),
        ({"worker": ""}, "`worker` must be a name"),
        ({"worker": "stranger"}, "A worker must join first"),
        ({"ask": "_lost"}, "`ask` must be one of join, beat, lost, create_trial"),
        ({"ask": "read"}, "`ask` must be one of"),
        ({"ask": "answer"}, "`ask` must be one of"),
        ({"ask": "_class__"}, "`ask` must be one of"),
        ({"ask": ["beat"]}, "`ask` must be one of"),
        ({"with": None}, "`with` must hold nothing to ask beat"),
        ({"with": {"worker": "b"}}, "`with` must hold nothing to ask beat"),
        ({"ask": "lost", "with": {"why": 3}}, "a text is wanted"),
        (
            {
                "ask": "update_trial",
                "with": {
                    "trial_id": "000000",
                    "metrics": {"val_loss": "low"},
                    "step": 1,
                },
            },
            "a number is wanted",
        ),
        ({"ask": "end_trial", "with": {"trial": {}}}, "a trial must have trial_id"),
        ({"ask": "update_space", "with": {"space": {"space": 3}}}, "a space must have"),
        ({"ask": "get_best_trials", "with": {"num_trials": -1}}, "an integer >= 0"),
    ],
)
def test_question_of_another_form_is_refused_and_changes_nothing(
    changes, message, chief
):
    worker = Worker(chief, "a")
    worker.join()
    worker.take()
    before = untouched(chief)
    question = {"token": "secret", "worker": "a", "ask": "beat", "with": {}}
    assert message in chief.answer({**question, **changes})["error"]
    assert untouched(chief) == before


def test_trial_cannot_end_as_what_is_no_end(chief):
    worker = Worker(chief, "a")
    worker.join()
    state = worker.take()
    answer = worker.ask("end_trial", trial=state)  # it still runs
    assert "`status` must be one of" in answer["error"]


def test_any_bytes_get_an_answer_and_the_search_goes_on(chief):
    worker = Worker(chief, "a")
    worker.join()
    state = worker.take()
    draw = random.Random(0)
    whole = json.dumps(
        {
            "token": "secret",
            "worker": "a",
            "ask": "end_trial",
            "with": {"trial": state | {"status": "COMPLETED"}},
        }
    ).encode()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if b"secret" in data and b"val_loss" not in data:
            data = data.replace(b"COMPLETED", b"RUNNING__")  # or it would end
        assert isinstance(json.loads(chief.respond(bytes(data))), dict)
    for data in (b"", b"[]", b"3", b"[" * 10**5, b"\xff"):
        assert "The question must be one" in json.loads(chief.respond(data))["error"]
    worker.finish(state)
    assert chief.oracle.trials[state["trial_id"]].status == "COMPLETED"
