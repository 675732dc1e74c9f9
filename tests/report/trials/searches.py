"""Searches that were never run, from one trial to five hundred."""

import numpy as np

from keras_trainkit.report.trials.results import Axis, SearchResults, Stage, Trial
from tests.report.records import HOSTILE, HOSTILE_NAMES

AXES = (
    Axis("learning_rate", 1e-6, 1e1, logarithmic=True, crowded=((0.4, 1e1),)),
    Axis("l2", 1e-7, 1.0, logarithmic=True),
    Axis("momentum", options=(0.5, 0.9, 0.95, 0.99)),
    Axis("dropout", 0.0, 0.7),
)


def search(trials=60, stages=3, failing=0.15, maximised=False, axes=AXES):
    generator = np.random.default_rng(0)
    parts = [
        Stage(
            f"stage {index + 1}",
            {
                "learning_rate": (1e-6 * 20**index, 10 / 4**index),
                "l2": (1e-7 * 3**index, 1 / 6**index),
            },
        )
        for index in range(stages)
    ]
    made = []
    for index in range(trials):
        stage = index * stages // trials
        values = {axis.name: value(axis, parts[stage], generator) for axis in axes}
        rate = values.get("learning_rate", 0.1)
        distance = abs(np.log10(rate) + 1.5) / 6
        score = 0.05 + distance**2 * 2 + generator.normal() ** 2 * 0.05
        epochs = 1 + 4 * stage
        fails = rate > 3 or generator.random() < failing / 3
        message = 'Traceback:\n  File "x.py"\nValueError: loss is nan' if fails else ""
        made.append(
            Trial(
                f"{index:03d}",
                values,
                None if fails else float(1 / (1 + score) if maximised else score),
                "failed" if fails else "completed",
                stage,
                epochs,
                1.5 + epochs,
                {}
                if fails
                else {
                    "val_loss": [score * (1 + 1 / (1 + at)) for at in range(epochs)],
                    "loss": [score * (0.5 + 1 / (1 + at)) for at in range(epochs)],
                },
                message,
            )
        )
    return SearchResults(
        "val_accuracy" if maximised else "val_loss",
        maximised,
        axes,
        made,
        parts if stages > 1 else (Stage("search"),),
        {"directory": "runs/search", "seed": 0},
    )


def value(axis, stage, generator):
    if axis.options:
        return axis.options[generator.integers(len(axis.options))]
    low, high = stage.ranges.get(axis.name, (axis.low, axis.high))
    if axis.logarithmic:
        return float(10 ** generator.uniform(np.log10(low), np.log10(high)))
    return float(generator.uniform(low, high))


def hostile_search():
    """Every text that a user chooses tries to break out of the page."""
    axes = [
        Axis(HOSTILE + "0", 1e-3, 1.0, logarithmic=True),
        *(Axis(name, options=HOSTILE_NAMES) for name in HOSTILE_NAMES),
    ]
    generator = np.random.default_rng(0)
    trials = [
        Trial(
            f"{index}{HOSTILE}",
            {axis.name: value(axis, Stage(""), generator) for axis in axes},
            float(index),
            "failed" if index == 7 else "completed",
            index % 2,
            1,
            1.0,
            {HOSTILE: [1.0], "val_loss": [2.0]},
            HOSTILE + "\n" + HOSTILE if index == 7 else "",
        )
        for index in range(12)
    ]
    trials[7] = Trial(
        trials[7].name, trials[7].values, status="failed", message=trials[7].message
    )
    stages = (Stage(HOSTILE), Stage(HOSTILE))
    return SearchResults(HOSTILE, False, axes, trials, stages, {HOSTILE: HOSTILE})


def odd_search():
    """Scores of any sign and size, a range of one value, values beyond the ends."""
    axes = (
        Axis("fixed", options=(3,)),
        Axis("point", 2.0, 2.0),
        Axis("rate", 1e-3, 1e-2, logarithmic=True),
        Axis("flag", options=(False, True)),
    )
    scores = [-1e30, 0.0, 1e30, 5.0, float("nan")]
    trials = [
        Trial(
            str(index),
            {"fixed": 3, "point": 2.0, "rate": 10.0 ** (index - 4), "flag": index > 2},
            score,
        )
        for index, score in enumerate(scores)
    ]
    return SearchResults("val_loss", False, axes, trials)
