"""Estimates the rounding noise of a function from differences of its values."""

import numpy as np

POINTS = 9
SPACINGS = (2.0**-34, 2.0**-27, 2.0**-20, 2.0**-14)


def noise_level(values: np.ndarray) -> float | None:
    """Estimates the standard deviation of the noise in equally spaced values.

    The k-th difference of a smooth function dies out with k while that of
    independent noise keeps the variance `(2k)! / (k!)**2` times that of the noise;
    so levels that agree over several k, in differences that change sign, are noise.

    Args:
        values: Function values at equally spaced points, shape `(points,)`.

    Returns:
        The noise, >= 0; `None` where the differences do not look like noise.

    Example:
        ```python
        noise_level(np.random.default_rng(0).normal(size=9))  # about 1.0
        ```

    Reference:
        [Moré and Wild, Estimating computational noise, 2011, section 3](
        https://doi.org/10.1137/100786125)
    """
    differences = np.asarray(values, np.float64)
    levels, changes = [], []
    factor = 1.0
    for order in range(1, len(differences)):
        differences = np.diff(differences)
        factor *= order / (2.0 * (2.0 * order - 1.0))  # (k!)**2 / (2k)!
        levels.append(float(np.sqrt(factor * np.mean(differences**2))))
        changes.append(bool(np.any(differences[1:] * differences[:-1] < 0)))
    for first in range(len(levels) - 3):
        group = levels[first : first + 3]
        if changes[first] and max(group) <= 4.0 * min(group):
            return levels[first]
    return None
