"""Compares searches with KerasTuner's: what a trial costs, where proposals go.

The cost is process CPU time a trial, rounds interleaved, ratios of one run. The
proposals are those of a Bayesian search for a rate whose best value is 1e-3 and that
diverges above 0.1, where the score is infinite.
Usage: python benchmarks/search.py [--rounds 3] [--trials 12] [--proposals 20]
"""

import argparse
import contextlib
import io
import math
import os
import tempfile
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_tuner
import numpy as np

from keras_trainkit import search

warnings.filterwarnings("ignore")


def build(hp):
    rate = hp.Float("rate", 1e-5, 1e-1, sampling="log")
    layers = [keras.Input((64,)), keras.layers.Dense(64, "relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def training(tuner_class, trials):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(512, 64)).astype("float32")
    y = generator.integers(0, 10, 512)

    def run(directory):
        objective = keras_tuner.Objective("val_loss", "min")
        settings = {"max_trials": trials, "seed": 1, "directory": directory}
        tuner = tuner_class(build, objective, **settings)
        tuner.search(x, y, epochs=3, validation_split=0.25, verbose=0)

    return run


def nothing(tuner_class, trials):
    class Nothing(tuner_class):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", 0.0, 1.0)

    def run(directory):
        Nothing(max_trials=trials, seed=1, directory=directory).search(verbose=0)

    return run


def seconds(run):
    with tempfile.TemporaryDirectory() as directory:
        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            run(directory)
        return time.process_time() - began


def proposed(tuner_class, count, seed):
    class Rate(tuner_class):
        def run_trial(self, trial, *args, **kwargs):
            rate = trial.hyperparameters.Float("rate", 1e-6, 1e1, sampling="log")
            if rate > 0.1:
                return float("inf")
            return (math.log10(rate) + 3) ** 2 + 0.1

    with tempfile.TemporaryDirectory() as directory:
        settings = {"num_initial_points": 6, "max_consecutive_failed_trials": 99}
        tuner = Rate(max_trials=6 + count, seed=seed, directory=directory, **settings)
        with contextlib.redirect_stdout(io.StringIO()):
            tuner.search(verbose=0)
        rates = [
            trial.hyperparameters["rate"] for trial in tuner.oracle.trials.values()
        ][-count:]
    return sum(rate > 0.1 for rate in rates), min(
        abs(math.log10(rate) + 3) for rate in rates
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--proposals", type=int, default=20)
    parsed = parser.parse_args()
    peers = {
        "KerasTuner": keras_tuner.RandomSearch,
        "keras_trainkit": search.RandomSearch,
    }
    print("| CPU ms a trial | KerasTuner | keras_trainkit | ratio |\n|---|---|---|---|")
    for name, case, trials in (
        ("small training, 3 epochs", training, parsed.trials),
        ("no training at all", nothing, 10 * parsed.trials),
    ):
        times = {peer: [] for peer in peers}
        for _ in range(parsed.rounds):
            for peer, tuner_class in peers.items():
                times[peer].append(seconds(case(tuner_class, trials)))
        theirs, ours = (1e3 * float(np.median(times[peer])) / trials for peer in peers)
        print(f"| {name} | {theirs:.1f} | {ours:.1f} | {ours / theirs:.2f} |")
    print(f"\n| Bayesian search, {parsed.proposals} proposals | diverge | nearest |")
    print("|---|---|---|")
    for name, tuner_class in (
        ("KerasTuner", keras_tuner.BayesianOptimization),
        ("keras_trainkit", search.BayesianOptimization),
    ):
        for seed in (1, 2):
            bad, near = proposed(tuner_class, parsed.proposals, seed)
            print(f"| {name}, seed {seed} | {bad} | {near:.2f} decades |", flush=True)


if __name__ == "__main__":
    main()
