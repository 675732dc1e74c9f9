"""The tests of the paper, as data."""

import functools
import itertools
from collections.abc import Iterable, Sequence

from keras_trainkit.arguments import received
from keras_trainkit.testbed.drift import DRIFTS
from keras_trainkit.testbed.noise import NOISES
from keras_trainkit.testbed.problem import Problem
from keras_trainkit.testbed.scale import SCALES

_ADDITIVE = ("none", "additive 0.01", "additive 0.1", "additive 10")
_LAPLACE = "laplace_convex-laplace_nonconvex-quad_convex"

_UNDER_ALL_NOISES = (
    "line",
    "quad_bowl",
    "abs",
    "bend",
    "relu",
    "gauss_bowl",
    "cliff",
    "ridge",
)
_UNDER_ADDITIVE_NOISE = (
    "quad_convex-line",
    "gauss_nonconvex-line",
    "gauss_convex-line",
    "laplace_nonconvex-line",
    "laplace_convex-line",
    "exponential",
    "quad_convex-exponential",
    "gauss_nonconvex-exponential",
    "gauss_convex-exponential",
    "laplace_nonconvex-exponential",
    "laplace_convex-exponential",
    "line-exponential",
    "quad_convex-relu",
    "gauss_nonconvex-relu",
    "gauss_convex-relu",
    "laplace_convex-relu",
    "gauss_nonconvex-gauss_convex-gauss_bowl-gauss_convex-gauss_nonconvex",
    "laplace_nonconvex-laplace_convex-laplace_bowl-laplace_convex-laplace_nonconvex",
    "line-quad_bowl-line",
    "quad_convex-abs-quad_convex",
    "quad_convex-cliff-quad_convex",
    "quad_convex-cliff-gauss_nonconvex",
    "quad_convex-quad_bowl-gauss_nonconvex",
    "quad_convex-abs-gauss_nonconvex",
    "cliff-exponential",
    "cliff-quad_bowl",
    "quad_convex-cliff-quad_bowl",
    "quad_bowl-cliff-exponential",
    "relu-bend-line",
    "quad_convex-relu-bend-line",
    "gauss_nonconvex-relu-line",
    "relu-bend-quad_bowl",
    "quad_convex-relu-bend-quad_bowl",
    "gauss_nonconvex-relu-bend-quad_bowl",
    "relu-bend-exponential",
    "quad_convex-relu-bend-exponential",
    "gauss_nonconvex-relu-bend-exponential",
)

# First shape, the other shape, scales of the first and of the others, turned: how
# often rotation and curl are tried (1 never, 2 rotation, 4 both and each).
_PLAIN, _STEEP_FIRST, _SADDLE_FIRST = (
    ("normal", "normal"),
    ("steep", "normal"),
    ("saddle", "normal"),
)
_ALL_ALIKE = tuple((scale, scale) for scale in SCALES)
_TWO = (
    ("quad_bowl", "quad_bowl", _ALL_ALIKE, 2),
    ("abs", "quad_bowl", (_STEEP_FIRST, ("normal", "steep")), 4),
    ("quad_bowl", "line", (_PLAIN, _STEEP_FIRST), 1),
    ("line", "line", (_PLAIN,), 1),
    ("relu", "line", (_PLAIN,), 1),
    ("exponential", "line", (_PLAIN, _STEEP_FIRST), 1),
    ("abs", "line", (_PLAIN, _STEEP_FIRST), 1),
    ("abs", "abs", (_PLAIN,), 4),
    ("cliff", "abs", (_PLAIN, _STEEP_FIRST), 1),
    ("cliff", "line", (_PLAIN,), 4),
    ("cliff", "quad_bowl", (_PLAIN,), 4),
    ("exponential", "quad_bowl", (_PLAIN,), 1),
    ("gauss_nonconvex", "abs", (_SADDLE_FIRST,), 1),
    ("gauss_nonconvex", "quad_bowl", (_SADDLE_FIRST,), 1),
    (_LAPLACE, _LAPLACE, (_PLAIN, _SADDLE_FIRST), 1),
)
_TEN = (
    ("quad_bowl", "quad_bowl", _ALL_ALIKE, 1),
    (_LAPLACE, _LAPLACE, (_PLAIN, _SADDLE_FIRST), 1),
    ("abs", "quad_bowl", (("normal", "saddle"), ("normal", "steep")), 1),
    ("quad_bowl", "line", (_STEEP_FIRST,), 1),
    ("line", "line", (_PLAIN,), 1),
    ("relu", "line", (_PLAIN,), 1),
    ("exponential", "line", (_PLAIN, _STEEP_FIRST), 1),
    ("abs", "line", (_STEEP_FIRST,), 1),
    ("abs", "abs", (_PLAIN,), 4),
    ("cliff", "abs", (_STEEP_FIRST,), 1),
    ("cliff", "line", (_PLAIN,), 4),
    ("cliff", "quad_bowl", (_PLAIN,), 2),
    ("exponential", "quad_bowl", (_PLAIN,), 1),
    ("gauss_nonconvex", "abs", (_SADDLE_FIRST,), 1),
    ("gauss_nonconvex", "quad_bowl", (_SADDLE_FIRST,), 1),
)
_TURNED = {
    1: ((False, False),),
    2: ((False, False), (True, False)),
    4: ((False, False), (True, False), (False, True), (True, True)),
}


def problems(
    shape: str | Sequence[str] | None = None,
    *,
    dimensions: int | Sequence[int] | None = 1,
    noise: str | Sequence[str] | None = None,
    scale: str | Sequence[str] | None = None,
    drift: str | Sequence[str] | None = "none",
    family: str | Sequence[str] | None = None,
) -> list[Problem]:
    """Returns tests of the catalogue, by default the 912 of one still variable.

    Each argument narrows the choice to one value or to several; `None` takes all.
    All 3,944 tests: `problems(dimensions=None, drift=None)`.

    Args:
        shape: Shapes, such as `"abs"` or `"quad_convex-relu"`; in several
            variables `"cliff + 9 line"`.
        dimensions: Numbers of variables: 1, 2, 10.
        noise: Noises, such as `"additive 0.1"`.
        scale: Scales: `"normal"`, `"steep"`, `"saddle"`, `"flat"`.
        drift: `"none"`, `"slope"`, `"noise"`, `"offset"`.
        family: Families, such as `"1-D kinked"`.

    Returns:
        The tests, in the order of the catalogue.

    Raises:
        ValueError: If a value is not one of the catalogue's; the known ones are
            listed. Also if no test has all that is asked for.

    Example:
        ```python
        walls = tk.testbed.problems(["cliff", "ridge"], noise="none")
        ```

    Reference:
        [Schaul, Antonoglou and Silver, 2014](https://arxiv.org/abs/1312.6055)
    """
    wanted = {
        "shape": shape,
        "dimensions": dimensions,
        "noise": noise,
        "scale": scale,
        "drift": drift,
        "family": family,
    }
    chosen = list(catalogue())
    for name, values in wanted.items():
        if values is None:
            continue
        allowed = {values} if isinstance(values, str | int) else set(values)
        known = dict.fromkeys(_word(problem, name) for problem in catalogue())
        if unknown := [value for value in allowed if value not in known]:
            listed = ", ".join(repr(value) for value in known)
            raise ValueError(
                f"`{name}` must be one or several of {listed}. "
                f"{received(name, unknown[0])}"
            )
        chosen = [problem for problem in chosen if _word(problem, name) in allowed]
    if not chosen:
        raise ValueError(
            "No test of the catalogue has all of this. "
            + ", ".join(f"{name}={value!r}" for name, value in wanted.items() if value)
        )
    return chosen


@functools.cache
def catalogue() -> tuple[Problem, ...]:
    """Returns all tests of the paper: 3,648 of one variable, 172 of two, 124 of ten."""
    found = [
        Problem(shape, noise, scale, drift)
        for shapes, noises in (
            (_UNDER_ALL_NOISES, tuple(NOISES)),
            (_UNDER_ADDITIVE_NOISE, _ADDITIVE),
        )
        for shape, noise, scale, drift in itertools.product(
            shapes, noises, SCALES, DRIFTS
        )
    ]
    two = [(noise, noise) for noise in ("none", "additive 0.1")]
    two += [("additive 0.01", "additive 10"), ("additive 10", "additive 0.01")]
    for first, others, scales, turned in _TWO:
        found += _several(1, first, others, two, scales, turned)
    for first, others, scales, turned in _TEN:
        noises = list(_ADDITIVE)
        if first == others == "quad_bowl":
            noises += [name for name in NOISES if name.startswith("multipl")]
        ten = [(noise, noise) for noise in noises]
        found += _several(9, first, others, ten, scales, turned)
    return tuple(found)


def _several(
    repeated: int,
    first: str,
    others: str,
    noises: Iterable[tuple[str, str]],
    scales: Iterable[tuple[str, str]],
    turned: int,
) -> list[Problem]:
    def spread(pair: tuple[str, str]) -> tuple[str, ...]:
        return (pair[0], *[pair[1]] * repeated)

    return [
        Problem(
            spread((first, others)),
            spread(noise),
            spread(scale),
            rotated=rotated,
            curled=curled,
        )
        for noise, scale, (rotated, curled) in itertools.product(
            noises, scales, _TURNED[turned]
        )
    ]


def _word(problem: Problem, name: str) -> object:
    if name in ("dimensions", "family"):
        return getattr(problem, name)
    return problem.drifting.kind if name == "drift" else problem.words[name]
