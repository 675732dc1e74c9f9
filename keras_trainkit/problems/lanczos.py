"""The largest eigenvalues of a symmetric matrix, from products with vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np


def lanczos(
    product: Callable[[np.ndarray], np.ndarray],
    total: int,
    count: int,
    tolerance: float,
    max_products: int,
    seed: int,
    dtype: Any = np.float64,
) -> tuple[np.ndarray, bool]:
    """Returns the largest eigenvalues of a symmetric matrix, and whether they are near.

    Every vector is made orthogonal to all before it, twice, so that no eigenvalue
    shows up again as its own ghost.

    Args:
        product: Multiplies the matrix with a vector of length `total`.
        total: Rows of the matrix.
        count: How many eigenvalues.
        tolerance: Relative error.
        max_products: Largest number of products.
        seed: Seed of the first vector.
        dtype: Type of the vectors, and so the memory of as many as products.
    """
    random = np.random.default_rng(seed)
    basis = np.zeros((min(max_products, total), total), dtype)
    nothing = max(1e-12, 10 * float(np.finfo(dtype).eps))
    diagonal: list[float] = []
    beside: list[float] = []
    vector = random.normal(size=total)
    for place in range(len(basis)):
        basis[place] = vector / np.linalg.norm(vector)
        vector = product(basis[place])
        diagonal.append(float(basis[place] @ vector))
        known = basis[: place + 1]
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        length = float(np.linalg.norm(vector))
        matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        values, parts = np.linalg.eigh(matrix)
        scale = max(float(np.abs(values).max()), 1e-300)
        if length <= nothing * scale:
            # The space so far holds its images: go on in a direction outside of it.
            vector, length = random.normal(size=total), 0.0
            for _ in range(2):
                vector = vector - known.T @ (known @ vector)
        found, missed = values[::-1][:count], length * np.abs(parts[-1, ::-1][:count])
        least = np.maximum(np.abs(found), 1e-12 * scale)
        if place + 1 == total:
            return found, True
        near = len(found) == count and (missed <= tolerance * least).all()
        # A space that is its own image may have missed the largest ones.
        if near and length > 0:
            return found, True
        beside.append(length)
    return values[::-1][:count], False
