"""Compares the gradient of a model, a layer or a function with finite differences."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    received,
)
from keras_trainkit.gradcheck.entries import Entry, make_entries, sweep, worst_first
from keras_trainkit.gradcheck.evaluator import Evaluator
from keras_trainkit.gradcheck.lift import lift
from keras_trainkit.gradcheck.locate import Comparison
from keras_trainkit.gradcheck.notes import forward_note, notes_on
from keras_trainkit.gradcheck.point import Point, look_at_point
from keras_trainkit.gradcheck.result import GradientCheck
from keras_trainkit.gradcheck.sampling import sample_jobs
from keras_trainkit.gradcheck.search import search
from keras_trainkit.gradcheck.variants import (
    burn_in,
    held_stops,
    noting_stops,
    second_order,
)
from keras_trainkit.keras_model.batches import layer_rows, take_batch
from keras_trainkit.keras_model.state import kept
from keras_trainkit.problems.of_function import function_problem
from keras_trainkit.problems.of_layer import layer_problem
from keras_trainkit.problems.of_model import model_problem
from keras_trainkit.problems.problem import Problem

TOLERANCE = 1e-6
SINGLE = 1e-2  # tolerance where everything is computed in float32


def gradcheck(
    target: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    wrt: str | None = None,
    order: int = 1,
    coordinates: int | str = 6,
    directions: int = 3,
    joint: bool = False,
    examples: int = 32,
    tolerance: float | None = None,
    gradient: Callable[..., Any] | Sequence[Any] | None = None,
    forward_mode: bool = False,
    burn_in_steps: int = 0,
    training: bool = True,
    hold_stopped: bool | None = None,
    double: bool = True,
    seed: int = 0,
    verbose: bool = True,
) -> GradientCheck:
    """Checks a gradient against centred differences, in float64.

    Every parameter tensor is compared along random directions over all its
    entries and at a few coordinates. Steps are chosen for each comparison from
    the function's own rounding noise; comparisons in which a ReLU, maximum, clip
    or comparison changes sides are repeated with smaller steps, and set apart if
    none avoids it. A tensor that fails is searched for the entries that are
    wrong, and the likely mistake is named. A `stop_gradient` too many is found;
    one that is missing cannot be, because no difference shows what was meant.

    Nothing of the model changes: not its weights, optimizer, metrics, plain variables
    of its layers and losses, nor any random state. Dropout and noise draw one fixed
    mask. Costs 0.3 to 1 s on small nets; for large ones use `joint=True` and few
    `examples`.

    Args:
        target: A compiled model (its training loss), a layer (its outputs,
            weighted at random), or any function of tensors.
        x: Inputs: arrays for a model; arrays for a layer, a tuple being several
            arguments; for a function one array, a list of arguments or a mapping
            of keyword arguments.
        y: Targets, for a model; `None` if `x` is a dataset.
        sample_weight: Weights of the examples, for a model.
        wrt: "parameters" (default for a model), "inputs" (for a function) or
            "both" (for a layer).
        order: 1 for gradients, 2 for second derivatives along a random direction.
        coordinates: Coordinates a tensor, int >= 0, or "all".
        directions: Random directions a tensor, int >= 1.
        joint: Whether only directions over all tensors together are compared,
            about a dozen evaluations; failing ones are still searched.
        examples: Rows used, int >= 1, drawn from those given. Few rows mean few
            kinks. All rows of a function's inputs are used.
        tolerance: Largest relative error that counts as agreement, > 0. By
            default 1e-6, more for models deeper than ten layers.
        gradient: A gradient to check in place of the automatic one: one array a
            tensor, or a function of the list of tensors that returns them.
        forward_mode: Whether to add a forward-mode derivative as a note. It is
            advice only: some operations have no or no complete forward rule.
        burn_in_steps: Steps of Adam taken on a copy of the values first, int >= 0;
            a fresh net can hide mistakes.
        training: Whether a layer runs in training mode.
        hold_stopped: Whether what `stop_gradient` stops is held constant in the
            differences too: for code that stops a gradient on purpose. By default
            what Keras' own layers stop, as `SpectralNormalization` does, and nothing
            else.
        double: Whether to compute in float64 whatever the dtype policy.
        seed: Seed of rows, directions and coordinates.
        verbose: Whether checks expected to take over 5 s show a progress bar.

    Returns:
        The comparisons, worst first; print it, or use `.ok`, `.to_frame()`,
        `.plot()` and `.raise_if_failed()`.

    Raises:
        ValueError: If an argument is out of range, the loss is not finite, the
            function is random, or there is nothing to differentiate.

    Example:
        ```python
        layer = keras.layers.Dense(3, activation="tanh")
        check = tk.gradcheck(layer, np.ones((2, 4)))
        check.ok                     # True
        check.max_relative_error     # about 1e-10
        ```

    Reference:
        [Griewank and Walther, Evaluating Derivatives, 2008](
        https://doi.org/10.1137/1.9780898717761);
        [Moré and Wild, Estimating computational noise, 2011](
        https://doi.org/10.1137/100786125)
    """
    check_choice("order", order, (1, 2))
    if coordinates != "all":
        coordinates = check_integer("coordinates", coordinates, minimum=0)
    check_integer("directions", directions, minimum=1)
    check_integer("examples", examples, minimum=1)
    check_integer("burn_in_steps", burn_in_steps, minimum=0)
    check_integer("seed", seed, minimum=0)
    for name, flag in (
        ("joint", joint),
        ("forward_mode", forward_mode),
        ("training", training),
        ("double", double),
        ("verbose", verbose),
    ):
        check_flag(name, flag)
    if hold_stopped is not None:
        check_flag("hold_stopped", hold_stopped)
    if tolerance is not None:
        check_number("tolerance", tolerance, 0.0, 1.0, open_minimum=True)
    if gradient is not None and order == 2:
        raise ValueError(
            f"`gradient` can be checked with order=1 only. {received('order', order)}"
        )
    if not callable(target):
        raise ValueError(
            "`target` must be a Keras model, a layer or a function. "
            f"{received('target', target)}"
        )
    with kept(target):
        make, rows = _maker(target, x, y, sample_weight, wrt, examples, training, seed)
        options = (order, directions, seed, double, verbose)
        by_keras: list[bool] = []
        if hold_stopped is None:
            problem, evaluator = _traced(_noting(make, by_keras), *options)
            evaluator.value()
            if any(by_keras):
                problem, evaluator = _traced(_holding(make, of_keras=True), *options)
        else:
            chosen = _holding(make, of_keras=False) if hold_stopped else make
            problem, evaluator = _traced(chosen, *options)
        if burn_in_steps:
            problem = burn_in(problem, evaluator, burn_in_steps)
            evaluator = Evaluator(
                problem, directions=directions, seed=seed, progress=verbose
            )
            if not problem.double:
                lift(evaluator)
        point = look_at_point(evaluator)
        claimed, own_noise = _claimed(evaluator, gradient)
        widening = max(1.0, problem.depth / 10)
        limit = TOLERANCE * widening if tolerance is None else tolerance
        if not evaluator.double:
            limit = max(limit, SINGLE)
        if problem.double and _is_coarse(point) and evaluator.single_precision:
            names = ", ".join(dict.fromkeys(evaluator.single_precision[:3]))
            lifted = lift(evaluator)
            problem.notes.append(
                f"part of the computation is in single precision ({names}); "
                + ("lifted to float64" if lifted else "judged with its noise")
            )
            point = look_at_point(evaluator)
            claimed, own_noise = _claimed(evaluator, gradient)
        # A loss of zero says nothing about the rounding of its gradient.
        relative_noise = min(point.relative_noise, 1e-6)
        comparison = Comparison(
            evaluator, claimed, point, limit, max(own_noise, 16 * relative_noise)
        )
        jobs = sample_jobs(
            evaluator,
            claimed,
            directions=directions,
            coordinates=evaluator.total if coordinates == "all" else int(coordinates),
            joint=joint,
            seed=seed,
        )
        measured = comparison.measure(jobs)
        entries = make_entries(evaluator, jobs, measured)
        causes = search(comparison, jobs, measured, entries, rows, seed)
        notes = problem.notes + notes_on(comparison, widening)
        stops = evaluator.stops if causes and not hold_stopped else []
        if stops:
            notes.append(
                f"stop_gradient at {', '.join(stops[:3])}: if it is meant, pass "
                "hold_stopped=True"
            )
        if forward_mode:
            notes.append(forward_note(comparison))

        def swept(entry: Entry) -> tuple[np.ndarray, np.ndarray]:
            with kept(target):
                return sweep(evaluator, entry)

        return GradientCheck(
            title=problem.title,
            entries=worst_first(entries),
            causes=causes,
            notes=notes,
            tolerance=limit,
            widening=widening,
            sweep=swept,
        )


def _maker(
    target: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    wrt: str | None,
    examples: int,
    training: bool,
    seed: int,
) -> tuple[Callable[[bool], Problem], int]:
    """Returns what makes the problem at a given precision, and the rows used."""
    choices = ("parameters", "inputs", "both")
    if isinstance(target, keras.Model) and (
        y is not None or getattr(target, "compiled", False)
    ):
        wrt = check_choice("wrt", wrt or "parameters", choices)
        x, y, sample_weight = take_batch(
            x, y, sample_weight, examples=examples, seed=seed, model=target
        )
        rows = len(tf.nest.flatten(x)[0])
        return (
            lambda double: model_problem(
                target, x, y, sample_weight, wrt=wrt, double=double
            ),
            rows,
        )
    if y is not None or sample_weight is not None:
        raise ValueError(
            "`y` and `sample_weight` must be None unless `target` is a compiled "
            f"model; pass a function's arguments as a list. {received('y', y)}"
        )
    if isinstance(target, keras.layers.Layer):
        wrt = check_choice("wrt", wrt or "both", choices)
        _check_arguments(target, x)
        x = layer_rows(target, x, examples=examples, seed=seed)
        return (
            lambda double: layer_problem(
                target, x, wrt=wrt, double=double, training=training, seed=seed
            ),
            0,
        )
    check_choice("wrt", wrt or "inputs", ("inputs",))
    return lambda double: function_problem(target, x, double=double, seed=seed), 0


def _check_arguments(layer: Any, x: Any) -> None:
    """Says so where a layer takes several inputs and `x` is not a tuple of them."""
    names = [
        name
        for name, one in inspect.signature(layer.call).parameters.items()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        and one.default is one.empty
        and name not in ("self", "training")
    ]
    given = len(x) if isinstance(x, tuple) else 1
    if given < len(names):
        kind = f"a tuple of {given}" if isinstance(x, tuple) else type(x).__name__
        raise ValueError(
            f"`x` must be a tuple of the layer's inputs, ({', '.join(names)}). "
            f"Received: x, {kind}"
        )


def _holding(
    make: Callable[[bool], Problem], of_keras: bool
) -> Callable[[bool], Problem]:
    return lambda double: held_stops(make(double), of_keras)


def _noting(
    make: Callable[[bool], Problem], by_keras: list[bool]
) -> Callable[[bool], Problem]:
    return lambda double: noting_stops(make(double), by_keras)


def _traced(
    make: Callable[[bool], Problem],
    order: int,
    directions: int,
    seed: int,
    double: bool,
    verbose: bool,
) -> tuple[Problem, Evaluator]:
    """Traces in float64, or in the target's own precision if that cannot be."""
    problem = make(double)
    if not problem.values or not sum(np.size(value) for value in problem.values):
        raise ValueError(
            "there must be something to differentiate: no trainable Keras variable "
            "or float input was found (a raw tf.Variable is invisible to Keras). "
            f"{received('target', problem.title)}"
        )
    if order == 2:
        problem = second_order(problem, seed)
    evaluator = Evaluator(problem, directions=directions, seed=seed, progress=verbose)
    if not double:
        return problem, evaluator
    try:
        evaluator.value()
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        problem = make(False)
        if order == 2:
            problem = second_order(problem, seed)
        evaluator = Evaluator(
            problem, directions=directions, seed=seed, progress=verbose
        )
        if lift(evaluator):
            problem.notes.append(
                "insists on float32: traced as it is, then lifted to float64"
            )
        else:
            problem.notes.append(
                "insists on float32 and cannot be lifted to float64: judged in its "
                f"own precision, with its noise and a tolerance of {SINGLE:g}"
            )
    return problem, evaluator


def _claimed(evaluator: Evaluator, gradient: Any) -> tuple[np.ndarray, float]:
    """Returns the gradient under test and the rounding it may carry."""
    automatic = evaluator.gradient()
    if not np.all(np.isfinite(automatic)) and gradient is None:
        names = [
            name
            for tensor, name in enumerate(evaluator.problem.names)
            if not np.all(np.isfinite(automatic[:, evaluator.packing.places(tensor)]))
        ]
        raise ValueError(
            "the gradient must be finite where it is checked. "
            f"{received('not finite', names)}"
        )
    if gradient is None:
        return automatic, 0.0
    if callable(gradient):
        values = [
            tf.cast(tf.convert_to_tensor(value), tf.float64)
            for value in evaluator.problem.values
        ]
        gradient = gradient(values)
    parts = [np.asarray(part) for part in gradient]
    if [part.shape for part in parts] != [tuple(s) for s in evaluator.shapes]:
        raise ValueError(
            "`gradient` must give one array of the same shape for each of "
            f"{evaluator.problem.names}. "
            f"{received('shapes', [part.shape for part in parts])}"
        )
    # The last term is the whole loss; the others keep their automatic gradient.
    automatic[-1] = np.concatenate([part.ravel() for part in parts])
    coarse = max(
        (np.finfo(p.dtype).eps for p in parts if p.dtype.kind == "f"), default=0.0
    )
    return automatic, 16.0 * float(coarse) if coarse > 1e-12 else 0.0


def _is_coarse(point: Point) -> bool:
    """Whether the noise is far above that of float64."""
    return point.relative_noise > 1e-11
