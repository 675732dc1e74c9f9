"""The chief's answers, with a clock of our own and no network."""

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
        return self.chief.answer({"worker": self.name, "ask": ask, "with": words})

    def join(self):
        return self.ask("join", **self.chief.oracle.identity())

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
    return Chief(make_oracle("random", tmp_path, max_trials=3), 60.0, clock)


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
    chief = Chief(oracle, 60.0, clock)
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
    assert "KeyError" in worker.ask("get_trial", trial_id="none")["error"]
    assert worker.take()["status"] == "RUNNING"
