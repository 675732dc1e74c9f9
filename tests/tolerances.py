"""The only tolerances in the tests; anything else needs a comment."""

EXACT = 0.0
FLOAT64 = 1e-12
FLOAT32 = 1e-5
CONVERGED = 3e-2
