"""Draws relative error against step size."""

from typing import Any

from keras_trainkit.arguments import check_integer


def draw(check: Any, entries: int, ax: Any) -> Any:
    """Draws the sweep of a check's first entries; see `GradientCheck.plot`."""
    check_integer("entries", entries, minimum=1)
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "`GradientCheck.plot` needs matplotlib: pip install matplotlib"
        ) from error
    if ax is None:
        _, ax = pyplot.subplots(figsize=(7.0, 4.5), layout="constrained")
    # One curve a place: the terms of a regularised loss often share their worst.
    lively = {
        (entry.parameter, entry.index): entry
        for entry in reversed(check.entries)
        if entry.verdict not in ("zero", "kink")
    }
    for entry in list(reversed(lively.values()))[:entries]:
        steps, errors = check.sweep(entry)
        ax.loglog(
            steps,
            errors,
            marker=".",
            linestyle="--" if entry.verdict == "FAIL" else "-",
            label=f"{entry.parameter} {entry.index} {entry.term}: {entry.verdict}",
        )
    ax.axhline(check.tolerance, color="0.4", linewidth=0.8)
    ax.annotate(
        "tolerance",
        (1.0, check.tolerance),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=8,
        color="0.4",
    )
    ax.set_xlabel("step size, relative to the size of the values")
    ax.set_ylabel("relative error")
    ax.set_title(f"Gradient check of {check.title}", fontsize=10)
    ax.grid(alpha=0.3)
    if lively:
        ax.legend(fontsize=7, frameon=False)
    return ax
