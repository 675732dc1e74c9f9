"""Trains a drawn model bare and with a tool, and compares every bit that is left.

Weights, optimizers, metrics and hidden state, replica by replica, and the History.
"""

import contextlib
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit import callbacks
from keras_trainkit.keras_model.state import parts_of
from tests.random_models.drawing import BATCH, Way

# Bare runs that must be the same before a difference is put down to watching.
BARE_AGAIN = 3


def watchers(seed: int) -> list[Any]:
    """Every monitor, and averaging, in rhythms that the seed draws."""
    random = np.random.default_rng(seed + 2)
    every = [1, 1, 2, "auto"][int(random.integers(4))]
    found = [
        callbacks.LossMonitor(),
        callbacks.UpdateRatioMonitor(every=every),
        callbacks.LayerStatisticsMonitor(every=every, histograms=True),
        callbacks.OverfittingMonitor(examples=BATCH),
    ]
    if random.random() < 0.5:
        found.append(callbacks.FirstLayerFilters())
    if random.random() < 0.5:
        found.append(
            callbacks.WeightAveraging("exponential", start_epoch=0, at_end="raw")
        )
    if random.random() < 0.25:
        found = found[: int(random.integers(1, 4))]
    more = [
        callbacks.ExamplesMonitor(examples=BATCH),
        callbacks.SharpnessMonitor(examples=BATCH, every_epochs=1),
        callbacks.TrainingGuard(patience=99, every=every, examples=BATCH),
    ]
    return found + [one for one in more if random.random() < 0.3]


def _few(way: Way) -> tuple[Any, Any]:
    """The first batch of the training data, as arrays."""
    (x, y), _ = way.data()
    if y is None:
        return next(iter(x.as_numpy_iterator()))
    return x[:BATCH], y[:BATCH]


# What is done with a compiled model before it is trained.
TOOLS = {
    "preflight": lambda model, way: tk.preflight(
        model, *way.data()[0], seconds=0.5, verbose=False
    ),
    "gradcheck": lambda model, way: tk.gradcheck(model, *_few(way)),
    "find_learning_rate": lambda model, way: tk.probes.find_learning_rate(
        model, *way.data()[0], steps=4, batch_size=BATCH
    ),
    "what_if": lambda model, way: tk.probes.what_if(
        model, *_few(way), steps=2, budget_seconds=0.5
    ),
}


def train(
    way: Way, watched: bool, strategy: Any = None, tool: str = ""
) -> dict[str, Any]:
    """Trains two epochs from the seed and returns all that is left, bit by bit.

    Args:
        way: What is trained.
        watched: Whether it is watched, or the tool is used.
        strategy: For two replicas.
        tool: One of `TOOLS`, used before the epochs and, for odd seeds, after the
            first already; "" for the monitors.
    """
    keras.utils.clear_session()
    policy = "mixed_float16" if way.mode == "mixed precision" else "float32"
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(way.seed)
    if way.mode != "replicas":
        strategy = tf.distribute.get_strategy()
    with strategy.scope():
        model = way.build()
        model.compile(**way.compile())
    (x, y), options = way.data()
    if tool and way.seed % 2:
        # Its functions are traced by now, and the tool finds them so.
        model.fit(x, y, epochs=1, verbose=0, **options)
    if tool and watched:
        # It may refuse a model, raw random numbers for example: without a trace, too.
        with contextlib.suppress(ValueError):
            TOOLS[tool](model, way)
    history = model.fit(
        x,
        y,
        epochs=2,
        verbose=0,
        validation_data=way.data()[0] if y is not None else way.data()[0][0],
        validation_batch_size=None if y is None else BATCH,
        callbacks=watchers(way.seed) if watched and not tool else [],
        **options,
    ).history
    keras.config.set_dtype_policy("float32")
    left = {
        # Names count what was named before, which a tool may raise.
        f"variable {number}, {part.shape}": part.numpy()
        for number, part in enumerate(parts_of(model))
    }
    logs = {
        f"History {name}": np.array(values)
        for name, values in history.items()
        if "averaged" not in name
    }
    return left | logs


@dataclasses.dataclass
class Verdict:
    """What watching, or a tool, did to one of the models.

    Args:
        way: What was trained.
        outcome: "equal", "different", "not the same twice" (a bare run is not the
            same again, so that nothing can be told) or "refused" (a bare run fails).
        what: What differs, by name, or why it was refused.
    """

    way: Way
    outcome: str
    what: str = ""

    def __str__(self) -> str:
        drawn_as = ", ".join(self.way.words)
        return f"seed {self.way.seed} ({drawn_as}): {self.outcome} {self.what}".strip()


def judged(way: Way, strategy: Any = None, tool: str = "") -> Verdict:
    """Trains a model bare and watched, and compares all that is left bit by bit.

    Args:
        way: What is trained.
        strategy: For two replicas.
        tool: One of `TOOLS` that is used before the training; "" for the monitors.
    """
    try:
        bare = train(way, False, strategy, tool)
    except Exception as error:
        return Verdict(way, "refused", f"{type(error).__name__}: {error}"[:300])
    try:
        changed = _changed(bare, train(way, True, strategy, tool))
    except Exception as error:
        changed = [f"{type(error).__name__}: {error}"[:300]]
    if not changed:
        return Verdict(way, "equal")
    # XLA's own random numbers go on from run to run, whatever the seed.
    for _ in range(BARE_AGAIN):
        again = _changed(bare, train(way, False, strategy, tool))
        if again:
            return Verdict(way, "not the same twice", str(again[:6]))
    return Verdict(way, "different", str(changed[:6]))


def _changed(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [
        name
        for name, value in one.items()
        if name not in other or other[name].tobytes() != value.tobytes()
    ]
