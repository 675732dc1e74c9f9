"""One test of an update rule: a function, its noise, and how it changes."""

import dataclasses
import itertools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_trainkit.arguments import check_flag, received
from keras_trainkit.testbed.drift import Drift, as_drift
from keras_trainkit.testbed.noise import Noise, as_noise
from keras_trainkit.testbed.prototypes import KINKED, chain
from keras_trainkit.testbed.scale import Scale, as_scale
from keras_trainkit.testbed.segments import Segment


@dataclasses.dataclass(frozen=True)
class Problem:
    """A function that an update rule is to minimise, with one difficulty or a few.

    In one variable, a shape or a chain of shapes. In several, the sum of the
    absolute values of one function a variable, which may be rotated; a curl adds a
    rotated `x` to the gradient, which then belongs to no function.

    Args:
        shape: Names of shapes joined by `-`, such as `"quad_convex-cliff"`; a
            sequence of such chains for several variables. The shapes: line, relu,
            abs, bend, cliff, ridge, exponential, quad_bowl, quad_convex,
            gauss_nonconvex, gauss_convex, gauss_bowl, laplace_nonconvex,
            laplace_convex, laplace_bowl.
        noise: A `Noise`, the name of one, or one for each variable.
        scale: A `Scale`, the name of one, or one for each variable.
        drift: A `Drift`, or `"none"`, `"slope"`, `"noise"`, `"offset"`.
        rotated: Whether the variables are mixed by a rotation.
        curled: Whether the gradient is curled.

    Raises:
        ValueError: If a name is not known, a chain is impossible, the counts do
            not agree, or one variable is to be rotated.

    Example:
        ```python
        wall = tk.testbed.Problem("quad_convex-cliff", noise="additive 0.1")
        valley = tk.testbed.Problem(["quad_bowl", "abs"], scale=["steep", "flat"])
        tk.testbed.run(tk.optimizers.Adam(0.1), [wall, valley])
        ```
    """

    shape: str | Sequence[str]
    noise: Noise | str | Sequence[Noise | str] = "none"
    scale: Scale | str | Sequence[Scale | str] = "normal"
    drift: Drift | str = "none"
    rotated: bool = False
    curled: bool = False
    shapes: tuple[str, ...] = dataclasses.field(init=False, repr=False)
    noises: tuple[Noise, ...] = dataclasses.field(init=False, repr=False)
    scales: tuple[Scale, ...] = dataclasses.field(init=False, repr=False)
    drifting: Drift = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        shapes = (self.shape,) if isinstance(self.shape, str) else tuple(self.shape)
        if not shapes or not all(isinstance(shape, str) for shape in shapes):
            raise ValueError(
                "`shape` must be a name, or a sequence of names. "
                + received("shape", self.shape)
            )
        count = len(shapes)
        settle = object.__setattr__  # a frozen record of what was understood
        understood = {
            "shape": shapes,
            "noise": _each("noise", self.noise, as_noise, Noise, count),
            "scale": _each("scale", self.scale, as_scale, Scale, count),
        }
        for name, parts in understood.items():
            settle(self, name, parts)
            settle(self, name + "s", parts)
        settle(self, "drifting", as_drift(self.drift))
        for name in ("rotated", "curled"):
            if check_flag(name, getattr(self, name)) and count == 1:
                raise ValueError(
                    f"`{name}` needs more than one variable. "
                    + received("shape", self.shape)
                )
        self.functions()

    @property
    def dimensions(self) -> int:
        """How many variables it has."""
        return len(self.shapes)

    @property
    def words(self) -> dict[str, str]:
        """Shape, noise and scale as one word each, equal variables counted."""
        return {
            name: " + ".join(
                f"{len(equal)} {word}" if len(equal) > 1 else word
                for word, equal in (
                    (word, list(group))
                    for word, group in itertools.groupby(map(str, parts))
                )
            )
            if len(set(parts)) > 1 or name == "shape"
            else str(parts[0])
            for name, parts in (
                ("shape", self.shapes),
                ("noise", self.noises),
                ("scale", self.scales),
            )
        }

    @property
    def name(self) -> str:
        """Says all of it: `"abs, steep, additive 0.1"`."""
        words = self.words
        parts = [words["shape"], words["scale"], f"noise {words['noise']}"]
        parts += ["rotated"] * self.rotated + ["curled"] * self.curled
        if self.drifting.kind != "none":
            parts.append(f"drifting {self.drifting}")
        return ", ".join(parts)

    @property
    def family(self) -> str:
        """The kind of difficulty, for pass rates."""
        if self.dimensions > 1:
            kind = "curled" if self.curled else "separable"
            kind = "rotated" if self.rotated and not self.curled else kind
        elif self.drifting.kind != "none":
            kind = f"drifting {self.drifting}"
        elif any(noise.heavy for noise in self.noises):
            kind = "heavy noise"
        elif KINKED.intersection(self.shapes[0].split("-")):
            kind = "kinked"
        else:
            kind = "smooth"
        return f"{self.dimensions}-D {kind}"

    @property
    def start(self) -> np.ndarray:
        """Where the optimizer starts, shape `(dimensions,)`."""
        begin = np.array([scale.begin for scale in self.scales])
        return self.rotation().T @ begin

    def functions(self) -> list[tuple[Segment, ...]]:
        """Returns the function of each variable."""
        return [
            chain(
                tuple(shape.split("-")),
                scale.begin,
                scale.end,
                scale.value,
                scale.slope,
            )
            for shape, scale in zip(self.shapes, self.scales, strict=True)
        ]

    def rotation(self) -> np.ndarray:
        """Returns by what the variables are mixed, shape `(d, d)`."""
        if not self.rotated:
            return np.eye(self.dimensions)
        return _orthogonal(self.generator(0, 1), self.dimensions)

    def curl(self) -> np.ndarray:
        """Returns what is added to the gradient for each `x`, shape `(d, d)`."""
        if not self.curled:
            return np.zeros((self.dimensions, self.dimensions))
        return _orthogonal(self.generator(0, 2), self.dimensions)

    def generator(self, *key: int) -> np.random.Generator:
        """Returns a generator of its own, the same beside whatever other problems."""
        return generator_of(self.name, *key)


@dataclasses.dataclass(frozen=True)
class FunctionProblem:
    """A function of the user's own as a test.

    Args:
        name: Its name, unlike that of any other.
        function: Called with float64 points of shape `(runs, dimensions)`,
            returns values of shape `(runs,)`, in TensorFlow.
        start: Where the optimizer starts, one number a variable.
        noise: A `Noise` on each component of the gradient, or its name.
        family: Which family it counts for.

    Raises:
        ValueError: If an argument is not of its kind.

    Example:
        ```python
        def valley(x):
            a, b = tf.unstack(x, axis=1)
            return (1 - a) ** 2 + 100 * (b - a * a) ** 2

        problem = tk.testbed.FunctionProblem("valley", valley, start=[-1.0, 1.0])
        tk.testbed.run(tk.optimizers.Adam(0.1), [problem])
        ```
    """

    name: str
    function: Callable[[Any], Any]
    start: Any
    noise: Noise | str = "none"
    family: str = "own"
    noises: tuple[Noise, ...] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"`name` must be a word. {received('name', self.name)}")
        if not callable(self.function):
            raise ValueError(
                "`function` must be callable. " + received("function", self.function)
            )
        try:
            start = tuple(float(value) for value in np.ravel(self.start))
        except (TypeError, ValueError):
            start = ()
        if not start or not np.all(np.isfinite(start)):
            raise ValueError(
                "`start` must be finite numbers, one a variable. "
                + received("start", self.start)
            )
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "noises", (as_noise(self.noise),) * len(start))
        object.__setattr__(self, "noise", self.noises[0])

    @property
    def dimensions(self) -> int:
        """How many variables it has."""
        return len(self.start)

    @property
    def words(self) -> dict[str, str]:
        """Shape, noise and scale, as of a `Problem`."""
        return {"shape": self.name, "noise": str(self.noise), "scale": "own"}

    @property
    def drifting(self) -> Drift:
        """None."""
        return Drift()

    def generator(self, *key: int) -> np.random.Generator:
        """Returns a generator of its own, the same beside whatever other problems."""
        return generator_of(self.name, *key)


def generator_of(name: str, *key: int) -> np.random.Generator:
    """Returns a generator whose numbers depend on a name and a key only."""
    return np.random.default_rng([zlib.crc32(name.encode()), *key])


def _each(name: str, given: Any, understand: Any, kind: type, count: int) -> tuple:
    if isinstance(given, str | kind):
        return (understand(given),) * count
    parts = tuple(understand(part) for part in given)
    if len(parts) != count:
        raise ValueError(
            f"`{name}` must be one, or one for each of the {count} variables. "
            f"{received(name, given)}"
        )
    return parts


def _orthogonal(generator: np.random.Generator, size: int) -> np.ndarray:
    """A random rotation or reflection, none more likely than another."""
    q, r = np.linalg.qr(generator.standard_normal((size, size)))
    return q * np.sign(np.diag(r))
