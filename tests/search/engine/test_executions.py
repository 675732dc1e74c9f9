"""Each training of a search has a seed of its own, the same each time."""

import hashlib

import numpy as np

from keras_trainkit.search.engine.executions import training_seed


def test_seeds_are_those_of_the_search_the_trial_and_the_execution():
    keys = [
        (seed, f"{trial:04d}", k)
        for seed in (0, 1)
        for trial in range(500)
        for k in (0, 1)
    ]
    seeds = np.array([training_seed(*key) for key in keys])
    assert len(set(seeds.tolist())) == len(keys)
    assert seeds.min() >= 0
    assert 2**30 < seeds.max() < 2**31  # all bits are used
    digest = hashlib.sha256(b"7/0003/1").hexdigest()
    assert training_seed(7, "0003", 1) == int(digest[:8], 16) // 2
