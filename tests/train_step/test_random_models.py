"""Watching, and the tools for before a training, change no bit of random models.

They are run in random ways. More of them, and others: `RANDOM_MODELS=1000:200 pytest
-m slow` begins at seed 1000 and goes on until 200 were compared. Models that Keras
refuses, and such that are not the same twice even without them, are counted apart.
"""

import collections
import itertools
import os
import time

import pytest
import tensorflow as tf

from tests.random_models import judging
from tests.random_models.drawing import drawn
from tests.random_models.judging import judged

FIRST, COUNT = map(int, os.environ.get("RANDOM_MODELS", "0:200").split(":"))
# By default as many as fit: the rest is for a larger machine, or more time.
SECONDS = 45 if "RANDOM_MODELS" not in os.environ else None
COMPARED = ("equal", "different")


def test_a_seed_draws_the_same_again():
    assert drawn(5).words == drawn(5).words
    assert len({tuple(drawn(seed).words) for seed in range(50)}) > 45
    assert {drawn(seed).mode for seed in range(200)} >= {"xla", "eager", "replicas"}


@pytest.mark.parametrize(
    ("runs", "outcome"),
    [
        ([1, 1], "equal"),
        ([1, 2, 1, 1, 1], "different"),
        ([1, 2, 1, 3], "not the same twice"),
        ([1, ValueError("watched"), 1, 1, 1], "different"),
        ([ValueError("bare")], "refused"),
    ],
    ids=["equal", "different", "not the same twice", "watching fails", "refused"],
)
def test_judging_tells_what_watching_did(monkeypatch, runs, outcome):
    left = iter(runs)

    def train(way, watched, strategy=None, tool=""):
        result = next(left)
        if isinstance(result, Exception):
            raise result
        return {"weight": tf.constant(float(result)).numpy()}

    monkeypatch.setattr(judging, "train", train)
    verdict = judged(drawn(5))
    assert verdict.outcome == outcome
    assert not list(left)
    if outcome != "equal":
        assert "seed 5" in str(verdict)
        assert ", ".join(drawn(5).words) in str(verdict)


@pytest.mark.slow
@pytest.mark.parametrize("tools", [(), tuple(judging.TOOLS)], ids=["watched", "tools"])
def test_no_bit_of_random_models_changes(two_replicas, tools):
    began, found = time.process_time(), collections.defaultdict(list)
    for seed in itertools.count(FIRST):
        if sum(len(found[outcome]) for outcome in COMPARED) == COUNT:
            break
        if SECONDS is not None and time.process_time() - began > SECONDS:
            break
        tool = tools[seed // 2 % len(tools)] if tools else ""
        verdict = judged(drawn(seed), two_replicas, tool)
        found[verdict.outcome].append(verdict)
        if verdict.outcome != "equal":
            print(tool, verdict)
    counts = {outcome: len(verdicts) for outcome, verdicts in found.items()}
    print(f"seeds from {FIRST} up to, not including, {seed}: {counts}")
    assert found["equal"], counts
    assert not found["different"], "\n".join(map(str, found["different"]))
