"""How often `edge_warnings` is wrong, and how often right, over simulated searches.

First table: scores that depend on nothing, so that every warning is false. Second:
one of four hyperparameters matters, its optimum lies at a given distance from the
upper end (as a share of the range; below 0 it lies beyond), the others add noise of a
given size. A search counts as warned if the end that matters is named.

    python benchmarks/edges.py --searches 1000
"""

import argparse

import numpy as np

from keras_trainkit.search.ranges.edges import crowd
from keras_trainkit.search.ranges.positions import LOWER, UPPER

CHANCE = 0.05
DISTANCES = (-0.2, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5)


def warned(places, scores):
    """The ends named, as `edge_warnings` does, of ranges without natural ends."""
    ranked = places[np.argsort(scores)].T.tolist()
    found = set()
    for number, column in enumerate(ranked):
        for end in (LOWER, UPPER):
            crowding = crowd(column, end)
            if crowding.at_end and crowding.chance * 2 * len(ranked) <= CHANCE:
                found.add((number, end))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=1000)
    searches = parser.parse_args().searches
    generator = np.random.default_rng(0)

    print("| trials | 1 hyperparameter | 4 | 8 |\n|---|---|---|---|")
    for trials in (10, 20, 30, 60, 100):
        shares = []
        for count in (1, 4, 8):
            false = sum(
                bool(
                    warned(generator.random((trials, count)), generator.random(trials))
                )
                for _ in range(searches)
            )
            shares.append(f"{false / searches:.1%}")
        print("|", trials, "|", " | ".join(shares), "|", flush=True)

    print("\n| trials | noise |", " | ".join(map(str, DISTANCES)), "|")
    print("|---|---" + "|---" * len(DISTANCES) + "|")
    for trials in (20, 40, 100):
        for noise in (0.0, 0.3):
            shares = []
            for distance in DISTANCES:
                right = 0
                for _ in range(searches):
                    places = generator.random((trials, 4))
                    scores = np.abs(places[:, 0] - (1 - distance))
                    scores += noise * generator.normal(size=trials)
                    right += (0, UPPER) in warned(places, scores)
                shares.append(f"{right / searches:.0%}")
            print(f"| {trials} | {noise} |", " | ".join(shares), "|", flush=True)


if __name__ == "__main__":
    main()
