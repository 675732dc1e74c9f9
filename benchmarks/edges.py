"""How often `edge_warnings` is wrong, and how often right, over simulated searches.

First table: scores that depend on nothing, so that every warning is false. Second:
one hyperparameter matters, its optimum lies at a given distance from the upper end
(as a share of the range; below 0 it lies outside), three others add noise of a given
size. A search counts as warned if the end that matters is named.

    python benchmarks/edges.py --searches 1000
"""

import argparse

import numpy as np

from keras_trainkit.search import edge_warnings, log_uniform
from tests.search.stand_in import tuner_of

DISTANCES = (-0.2, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5)


def warned(generator, trials, hyperparameters, score):
    def declare(hp):
        for index in range(hyperparameters):
            log_uniform(hp, f"h{index}", 1e-6, 1e1)

    places = generator.random((trials, hyperparameters))
    scores = score(places)
    rows = [
        ({f"h{index}": 10 ** (7 * one - 6) for index, one in enumerate(row)}, value)
        for row, value in zip(places, scores, strict=True)
    ]
    return edge_warnings(tuner_of(declare, rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=1000)
    searches = parser.parse_args().searches
    generator = np.random.default_rng(0)

    print("| trials | 1 hyperparameter | 4 | 8 |\n|---|---|---|---|")
    for trials in (10, 20, 30, 60, 100):
        shares = []
        for hyperparameters in (1, 4, 8):
            false = sum(
                bool(
                    warned(
                        generator,
                        trials,
                        hyperparameters,
                        lambda places: generator.random(len(places)),
                    )
                )
                for _ in range(searches)
            )
            shares.append(f"{false / searches:.1%}")
        print("|", trials, "|", " | ".join(shares), "|", flush=True)

    print("\n| trials, noise |", " | ".join(map(str, DISTANCES)), "|")
    print("|---" * (1 + len(DISTANCES)) + "|")
    for trials in (20, 40, 100):
        for noise in (0.0, 0.3):
            shares = []
            for distance in DISTANCES:

                def score(places, distance=distance, noise=noise):
                    spread = generator.normal(size=len(places)) * noise
                    return np.abs(places[:, 0] - (1 - distance)) + spread

                right = sum(
                    any(
                        finding.where == "h0" and "upper" in finding.what
                        for finding in warned(generator, trials, 4, score)
                    )
                    for _ in range(searches // 4)
                )
                shares.append(f"{right / (searches // 4):.0%}")
            print("|", f"{trials}, {noise}", "|", " | ".join(shares), "|", flush=True)


if __name__ == "__main__":
    main()
