"""Short trainings on a copy: which change would help, and by how much?"""

import dataclasses
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.keras_model.arrays import keep_rows
from keras_trainkit.keras_model.batches import Batches, fixed_batch_size
from keras_trainkit.keras_model.state import restored
from keras_trainkit.probes.changes import CHANGES, Change, as_it_is

_REPEATS = 3  # trainings without a change, whose differences are the noise
_HELD = 0.25  # share of the rows that the loss is taken on
_MOST_HELD = 512


@dataclasses.dataclass(frozen=True)
class Tried:
    """What came of one change.

    Args:
        name: Of the change.
        category: Of the findings that it confirms where it helps.
        loss: On the rows held back, after the short training; NaN or infinite if it
            diverged.
        gain: Fall of the loss against no change, as a share of the latter.
        helps: Whether that is beyond the noise.
        advice: What to do if it helps.
    """

    name: str
    category: str
    loss: float
    gain: float
    helps: bool
    advice: str


@dataclasses.dataclass(frozen=True)
class WhatIf:
    """What a probe has found; print it.

    Args:
        start: Loss of the model as it was given.
        unchanged: Mean loss of short trainings without a change.
        noise: Their deviation.
        steps: Steps of each training.
        tried: The changes, the best first.
        left_out: Names of changes that there was no time for.
    """

    start: float
    unchanged: float
    noise: float
    steps: int
    tried: tuple[Tried, ...]
    left_out: tuple[str, ...] = ()

    @property
    def helpful(self) -> tuple[Tried, ...]:
        """The changes that help beyond the noise, the best first."""
        return tuple(one for one in self.tried if one.helps)

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories of the helpful changes, as `tk.diagnose(probe=...)` reads them."""
        return tuple(dict.fromkeys(one.category for one in self.helpful))

    def to_frame(self) -> Any:
        """Returns the changes as a pandas table."""
        import pandas

        return pandas.DataFrame(map(dataclasses.asdict, self.tried))

    def __str__(self) -> str:
        lines = [
            f"Loss {self.start:.4g}; after {self.steps} steps {self.unchanged:.4g} "
            f"(+- {self.noise:.2g}) without a change:"
        ]
        for one in self.tried:
            mark = f"helps: {one.advice}" if one.helps else ""
            lines.append(f"  {one.name:<26} {one.loss:<10.4g} {one.gain:+.0%}  {mark}")
        if self.left_out:
            lines.append(f"  no time for: {', '.join(self.left_out)}")
        return "\n".join(lines)


def what_if(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    budget_seconds: float = 30.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
) -> WhatIf:
    """Tries changes in short trainings, and says which help beyond the noise.

    Tried are the learning rate times 10 and divided by 10, Adam, standardised inputs,
    standard initial weights, leaky ReLU, and no regularisation. Each begins where the
    model stands, is trained on the same batches for equally many steps, and is judged
    by the loss, without penalties, on rows held back. Three trainings without a change
    say what is noise. Afterwards the model is as it was, bit for bit.

    Args:
        model: A compiled model whose train step is Keras' own.
        x: Inputs, arrays in any nesting.
        y: Targets.
        budget_seconds: Time for all together, > 0. The first training settles how
            many steps each has.
        steps: Most steps of each, int >= 1.
        batch_size: Rows in a batch, int >= 1; a model of fixed batch size gets that.
        seed: Of the rows drawn, int >= 0.

    Returns:
        The changes, the best first; print it, or pass it to `tk.diagnose` as `probe`.

    Raises:
        ValueError: If the model is not compiled, has a train step of its own or
            several replicas, or an argument is out of range.

    Example:
        ```python
        probe = tk.probes.what_if(model, x, y)
        print(probe)
        tk.diagnose(monitor, probe=probe)
        ```
    """
    if not isinstance(model, keras.Model) or not model.compiled:
        raise ValueError(
            f"`model` must be a compiled Keras model. {received('model', model)}"
        )
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas > 1:
        raise ValueError(
            "`model` must lie on one device, where the changes are tried; build it "
            f"outside of the strategy. {received('replicas', replicas)}"
        )
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            "`model` must have Keras' own train step, which is repeated here with "
            f"other optimizers. {received('model', type(model).__name__)}"
        )
    budget = check_number("budget_seconds", budget_seconds, 0.0, open_minimum=True)
    steps = check_integer("steps", steps, 1)
    batch_size = check_integer("batch_size", batch_size, 1)
    seed = check_integer("seed", seed, 0)
    data = Batches(x, y, model=model)
    if data.streamed:
        raise ValueError(f"`x` must be arrays. {received('x', type(x).__name__)}")
    begun = time.monotonic()
    x, y, _ = data.arrays
    fixed = fixed_batch_size(model)
    if fixed and data.rows < fixed:
        raise ValueError(
            f"`x` must have the {fixed} rows of the model's fixed batch size, at "
            f"least. {received('rows', data.rows)}"
        )
    runner = _Runner(model, x, y, batch_size, seed, fixed)
    left_out: list[str] = []
    tried: list[tuple[Change, float]] = []
    with restored(model):
        start = runner.loss(x)
        share = budget / (_REPEATS + len(CHANGES))
        unchanged, steps = runner.train(as_it_is, 0, steps, begun + share)
        losses = [unchanged]
        losses += [runner.train(as_it_is, n, steps)[0] for n in range(1, _REPEATS)]
        for change in CHANGES:
            if time.monotonic() - begun > budget:
                left_out.append(change.name)
                continue
            found = runner.train(change.make, 0, steps)
            if found[1]:
                tried.append((change, found[0]))
    return _judged(start, losses, steps, tried, left_out)


def _judged(
    start: float,
    losses: list[float],
    steps: int,
    tried: list[tuple[Change, float]],
    left_out: list[str],
) -> WhatIf:
    # A run that diverged is worse than the one that it began with, by any measure.
    finite = [one for one in losses if np.isfinite(one)]
    mean = float(np.mean(finite)) if finite else float("inf")
    noise = float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0
    base = mean if np.isfinite(mean) else start
    margin = max(3.0 * noise, 0.05 * abs(base))
    rows = [
        Tried(
            change.name,
            change.category,
            loss,
            (base - loss) / max(abs(base), 1e-12),
            bool(loss < base - margin),
            change.advice,
        )
        for change, loss in tried
    ]
    rows.sort(key=lambda one: one.loss if np.isfinite(one.loss) else np.inf)
    return WhatIf(start, mean, noise, steps, tuple(rows), tuple(left_out))


class _Runner:
    """Trains one model again and again from where it stands."""

    def __init__(
        self, model: Any, x: Any, y: Any, size: int, seed: int, fixed: int | None
    ) -> None:
        self._model, self._x, self._y = model, x, y
        rows = len(keras.tree.flatten(y)[0])
        order = np.random.default_rng(seed).permutation(rows)
        cut = min(_MOST_HELD, int(rows * _HELD)) if rows > 8 else 0
        if fixed:  # whole batches only
            cut = max(fixed, cut - cut % fixed) if rows >= 2 * fixed else 0
        # So few rows cannot be parted: the loss is taken where it is trained.
        self._held, self._kept = (order[:cut], order[cut:]) if cut else (order, order)
        if fixed:
            size, self._held = fixed, self._held[: len(self._held) // fixed * fixed]
        self._size, self._seed = min(size, len(self._kept)), seed
        self._at_once = fixed or len(self._held)

    def train(
        self, make: Any, number: int, steps: int, until: float | None = None
    ) -> tuple[float, int]:
        """Trains with a change; gives the loss and the steps done, 0 if it has none."""
        model = self._model
        with restored(model), make(model, self._x) as changed:
            if changed is None:
                return float("nan"), 0
            optimizer, x = changed
            variables = list(model.trainable_variables)
            optimizer.build(variables)

            @tf.function(autograph=False)
            def step(inputs: Any, targets: Any) -> Any:
                with tf.GradientTape() as tape:
                    loss = _total(model, inputs, targets, True)
                found = tape.gradient(loss, variables, unconnected_gradients="zero")
                optimizer.apply([tf.convert_to_tensor(one) for one in found], variables)
                return loss

            random = np.random.default_rng([self._seed, number])
            done = 0
            while done < steps:
                rows = random.choice(self._kept, self._size, replace=False)
                step(*(_tensors(keep_rows(part, rows)) for part in (x, self._y)))
                done += 1
                if until is not None and done > 1 and time.monotonic() > until:
                    break
            return self.loss(x), done

    def loss(self, x: Any) -> float:
        """The loss without penalties on the rows held back."""
        losses = []
        for start in range(0, len(self._held), self._at_once):
            rows = self._held[start : start + self._at_once]
            inputs, targets = (_tensors(keep_rows(part, rows)) for part in (x, self._y))
            total = float(_total(self._model, inputs, targets, False))
            losses.append(total - float(sum(map(float, self._model.losses))))
        return float(np.mean(losses))


def _total(model: Any, x: Any, y: Any, training: bool) -> Any:
    predicted = model(x, training=training)
    return model.compute_loss(x=x, y=y, y_pred=predicted, training=training)


def _tensors(structure: Any) -> Any:
    return keras.tree.map_structure(tf.convert_to_tensor, structure)
