"""The bookkeeping, killed at every single write."""

import itertools
import json
import threading

import keras_tuner
import pytest

from keras_trainkit.search.engine import oracle as oracle_module
from keras_trainkit.search.tuners.stage import Stage

from ..oracles import ORACLES, make_oracle, opened, score, search, told


class Killed(BaseException):
    """The end of a process, as far as a test can act it."""


@pytest.fixture
def kill_at(monkeypatch):
    """Ends the process at one write, before or after the file is replaced."""
    write = oracle_module.write_state

    def arm(place, moment):
        count = 0

        def counted(path, content):
            nonlocal count
            count += 1
            if count == place and moment == "before":
                with open(f"{path}.1.new", "w", encoding="utf-8") as file:
                    file.write(json.dumps(content)[:40])  # half a file, beside
                raise Killed
            write(path, content)
            if count == place:
                raise Killed

        monkeypatch.setattr(oracle_module, "write_state", counted)
        return lambda: count

    return arm


def writes_of(kind, directory, kill_at):
    counted = kill_at(-1, "never")
    oracle = opened(kind, directory)
    search(oracle)
    return told(oracle), counted()


QUICK = {("random", "before"), ("hyperband", "before"), ("coarse_to_fine", "after")}


@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
        for case in itertools.product(ORACLES, ("before", "after"))
    ],
)
def test_search_killed_at_any_write_ends_as_if_it_had_not_been(
    kind, moment, tmp_path, kill_at
):
    whole, writes = writes_of(kind, tmp_path / "whole", kill_at)
    # A proposal of the Gaussian process takes half a second: not all of them here.
    places = (14, 18, writes) if kind == "bayesian" else range(1, writes + 1)
    for place in places:
        directory = tmp_path / f"{place}"
        kill_at(place, moment)
        with pytest.raises(Killed):
            search(opened(kind, directory))
        kill_at(-1, "never")
        resumed = opened(kind, directory)
        search(resumed)
        assert told(resumed) == whole, place


@pytest.mark.parametrize("kind", ["random", "hyperband", "grid"])
def test_search_killed_at_every_other_write_still_ends_the_same(
    kind, tmp_path, kill_at
):
    whole, _ = writes_of(kind, tmp_path / "whole", kill_at)
    for _ in range(200):
        kill_at(6, "after")
        oracle = opened(kind, tmp_path / "killed")
        try:
            search(oracle)
        except Killed:
            continue
        break
    assert told(oracle) == whole


def test_failed_trials_in_a_row_end_the_search_and_are_kept(tmp_path):
    def broken(trial):
        raise ValueError("no such layer")

    oracle = make_oracle("random", tmp_path, max_consecutive_failed_trials=3)
    assert search(oracle, broken) == "STOPPED"
    assert "3 trials in a row failed" in oracle.stopped_because
    assert "no such layer" in oracle.stopped_because
    assert [trial.status for trial in oracle.trials.values()] == ["FAILED"] * 3
    resumed = opened("random", tmp_path, max_consecutive_failed_trials=3)
    resumed.resume()
    search(resumed)
    statuses = [trial.status for trial in resumed.trials.values()]
    assert statuses == ["FAILED"] * 3 + ["COMPLETED"] * 3


def test_count_of_failures_outlives_a_kill(tmp_path):
    def broken(trial):
        if int(trial.trial_id) == 2:
            raise Killed
        raise ValueError("broken")

    oracle = make_oracle("random", tmp_path, max_consecutive_failed_trials=3)
    with pytest.raises(Killed):
        search(oracle, broken)
    resumed = opened("random", tmp_path, max_consecutive_failed_trials=3)
    resumed.resume()

    def still_broken(trial):
        raise ValueError("broken")

    search(resumed, still_broken)
    assert len(resumed.trials) == 3


def test_error_in_a_call_leaves_no_lock_held(tmp_path):
    oracle = make_oracle("random", tmp_path)
    with pytest.raises(KeyError):
        oracle.update_trial("no such trial", {"val_loss": 1.0})
    worker = threading.Thread(target=oracle.create_trial, args=("other",))
    worker.start()
    worker.join(10)
    assert not worker.is_alive()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_score_that_is_not_finite_fails_the_trial(value, tmp_path):
    oracle = make_oracle("random", tmp_path)
    search(oracle, lambda trial: value if trial.trial_id == "000001" else score(trial))
    failed = oracle.trials["000001"]
    assert failed.status == "FAILED"
    assert failed.score is None
    assert str(value) in failed.message
    assert len(oracle.get_best_trials(10)) == 5


def test_retries_run_a_failed_trial_again(tmp_path):
    attempts = []

    def flaky(trial):
        attempts.append(trial.trial_id)
        if attempts.count("000001") == 1 and trial.trial_id == "000001":
            raise ValueError("out of memory")
        return score(trial)

    oracle = make_oracle("random", tmp_path, max_retries_per_trial=1)
    search(oracle, flaky)
    assert attempts[:4] == ["000000", "000001", "000001", "000002"]
    assert len(oracle.get_best_trials(10)) == 6


def test_trial_of_a_lost_process_goes_to_another(tmp_path):
    oracle = make_oracle("random", tmp_path)
    lost = oracle.create_trial("a")
    assert oracle.give_up("a") == lost.trial_id
    assert oracle.create_trial("b").trial_id == lost.trial_id
    assert oracle.give_up("nobody") is None
    oracle.give_up("b")
    assert oracle.trials[lost.trial_id].status == "FAILED"
    assert "2 times" in oracle.trials[lost.trial_id].message


def test_tuners_wait_while_another_may_still_be_lost(tmp_path):
    oracle = make_oracle("random", tmp_path, max_trials=1)
    oracle.create_trial("a")
    assert oracle.create_trial("b").status == "IDLE"
    oracle.give_up("a")
    assert oracle.create_trial("b").status == "RUNNING"


def test_names_of_trials_sort_however_many_there_will_be(tmp_path):
    search(opened("random", tmp_path, max_trials=9))
    oracle = opened("random", tmp_path, max_trials=12)
    search(oracle)
    folders = sorted(path.name for path in (tmp_path / "p").glob("trial_*"))
    assert folders == [f"trial_{trial_id}" for trial_id in oracle.start_order]
    assert len(folders) == 12


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("random", {"seed": -1}),
        ("bayesian", {"seed": -1}),
        ("random", {"seed": 0.5}),
        ("random", {"max_trials": 0}),
        ("random", {"max_retries_per_trial": -1}),
        ("random", {"max_consecutive_failed_trials": 0}),
        ("random", {"on_changed_space": "ask"}),
        ("grid", {"points": 1}),
    ],
    ids=str,
)
def test_argument_out_of_range_is_an_error_that_names_it(kind, settings, tmp_path):
    (name,) = settings
    with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: {name}="):
        make_oracle(kind, tmp_path, **settings)


@pytest.mark.parametrize("kind", ["random", "bayesian", "hyperband", "coarse_to_fine"])
def test_ten_seeds_share_no_trial(kind, tmp_path):
    hp = keras_tuner.HyperParameters()
    for name in "ab":
        hp.Float(name, 0.0, 1.0)
    settings = {
        "random": {"max_trials": 12},
        "bayesian": {"max_trials": 12, "num_initial_points": 12},
        "hyperband": {},
        "coarse_to_fine": {"stages": (Stage(12, epochs=1),)},
    }[kind]
    seen = []
    for seed in [*range(9), 2**32]:
        place = tmp_path / str(seed)
        oracle = make_oracle(kind, place, hyperparameters=hp, seed=seed, **settings)
        search(oracle, lambda trial: trial.hyperparameters["a"])
        drawn = [
            trial.hyperparameters
            for trial in oracle.trials.values()
            if "tuner/trial_id" not in trial.hyperparameters.values  # no promotion
        ]
        assert len(drawn) >= 5
        seen += [values[name] for values in drawn for name in "ab"]
    # Not even one value of one hyperparameter.
    assert len(set(seen)) == len(seen)


def test_trial_drawn_before_is_drawn_again_until_the_space_is_used_up(tmp_path):
    hp = keras_tuner.HyperParameters()
    hp.Choice("units", [1, 2, 3])
    oracle = make_oracle("random", tmp_path, hyperparameters=hp, max_trials=9)
    assert search(oracle, lambda trial: 1.0) == "STOPPED"
    units = [trial.hyperparameters["units"] for trial in oracle.trials.values()]
    assert sorted(units) == [1, 2, 3]
