"""Watching changes no bit of random models, run in random ways.

More of them, and others: `RANDOM_MODELS=1000:200 pytest -m long` begins at seed 1000
and trains 200.
"""

import os
import time

import pytest

from tests.random_models import difference, drawn

FIRST, COUNT = map(int, os.environ.get("RANDOM_MODELS", "0:200").split(":"))
# By default as many as fit: the rest is for a larger machine, or more time.
SECONDS = 100 if "RANDOM_MODELS" not in os.environ else None


def test_a_seed_draws_the_same_again():
    assert drawn(5).words == drawn(5).words
    assert len({tuple(drawn(seed).words) for seed in range(50)}) > 45
    assert {drawn(seed).mode for seed in range(200)} >= {"xla", "eager", "replicas"}


@pytest.mark.long
def test_watching_changes_no_bit_of_random_models(two_replicas):
    began, found, seeds = time.process_time(), [], []
    for seed in range(FIRST, FIRST + COUNT):
        if SECONDS is not None and time.process_time() - began > SECONDS:
            break
        seeds.append(seed)
        found.append(difference(drawn(seed), two_replicas))
    print(f"seeds {seeds[0]} to {seeds[-1]}")
    assert not any(found), "\n".join(filter(None, found))
