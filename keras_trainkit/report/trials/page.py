"""Writes the trials of a search as one HTML page."""

import os
from collections.abc import Sequence
from pathlib import Path

from keras_trainkit.finding import Finding
from keras_trainkit.report.drawing.document import (
    check_findings,
    check_title,
    compose,
    replace,
)
from keras_trainkit.report.trials import against, curves, parallel, timeline
from keras_trainkit.report.trials.results import SearchResults
from keras_trainkit.report.trials.summary import summarise
from keras_trainkit.report.trials.tables import columns, failures, rows

_MOST_AXES = 24


def write_search(
    results: SearchResults,
    path: str | os.PathLike[str],
    *,
    findings: Sequence[Finding] = (),
    title: str | None = None,
) -> str:
    """Writes a search as one HTML page that fetches nothing.

    Args:
        results: The search, finished or not.
        path: The HTML file to write; missing directories are made.
        findings: What stands on top, such as ranges that are too narrow.
        title: Heading; "Hyperparameter search" if `None`.

    Returns:
        The path written.

    Raises:
        ValueError: If an argument is not of its kind.
    """
    check_findings(findings)
    check_title(title)
    path = os.fspath(path)
    drawn = [parallel.draw(results), timeline.draw(results), curves.draw(results)]
    tried = {name for trial in results.trials for name in trial.values}
    axes = [axis for axis in results.axes if axis.name in tried]
    figures = [figure for figure in drawn[:1] if figure]
    if results.ranked() or results.failed():
        figures += [
            against.draw(results, axis, index)
            for index, axis in enumerate(axes[:_MOST_AXES])
        ]
    figures += [figure for figure in drawn[1:] if figure]
    left_out = [axis.name for axis in axes[_MOST_AXES:]]
    replace(
        path,
        compose(
            Path(__file__).with_name("search.html"),
            title=title or "Hyperparameter search",
            kind="Search report",
            tiles=summarise(
                results, len([one for one in findings if one.severity == "warning"])
            ),
            findings=findings,
            figures=figures,
            facts=results.facts,
            columns=columns(results),
            rows=rows(results),
            failures=failures(results),
            left_out=left_out,
        ),
    )
    return path
