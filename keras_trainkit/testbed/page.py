"""Writes a result as one HTML page that needs nothing else to be read."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from keras_trainkit.report.drawing.document import check_title, compose, replace
from keras_trainkit.report.drawing.notebook import figure
from keras_trainkit.report.drawing.tile import Tile
from keras_trainkit.testbed.heat_map import ROW, draw_heat_map, draw_rates

_TEMPLATE = Path(__file__).parent / "page.html"
_AROUND = 150  # names of families above, colours below


def heat_map_figure(table: pd.DataFrame) -> Any:
    """Draws the heat map as a Plotly figure.

    Args:
        table: As from `Result.to_frame`.
    """
    drawn = figure(draw_heat_map(table), "tests")
    drawn.update_layout(height=_height(table) + 60)
    return drawn


def write_page(
    table: pd.DataFrame,
    families: pd.DataFrame,
    sensitivity: pd.DataFrame,
    dropped: tuple[str, ...],
    path: str | os.PathLike[str],
    title: str | None,
) -> str:
    """Writes the page; see `Result.write`.

    Args:
        table: As from `Result.to_frame`.
        families: Pass rates by family.
        sensitivity: As from `Result.sensitivity`.
        dropped: Names of the tests left out.
        path: The file to write.
        title: Heading, `None` for one of its own.

    Returns:
        The path.
    """
    check_title(title)
    path = os.fspath(path)
    rates = draw_rates(table)
    tables = [_table("Pass rates by family", "optimizer", families, "%.2f")]
    if rates:
        sensitivity = sensitivity.rename(columns=lambda name: name.replace("_", " "))
        tables.insert(0, _table("Sensitivity", "rule", sensitivity, "%.3g"))
    replace(
        path,
        compose(
            _TEMPLATE,
            title=title or "Which rule, and how sensitive is it",
            tiles=_tiles(table, dropped),
            findings=(),
            figures=[draw_heat_map(table), *([rates] if rates else [])],
            facts={},
            heat_map_height=_height(table),
            rate_tables=tables,
            dropped=dropped,
        ),
    )
    return path


def _height(table: pd.DataFrame) -> int:
    return ROW * table["optimizer"].nunique() + _AROUND


def _tiles(table: pd.DataFrame, dropped: tuple[str, ...]) -> list[Tile]:
    passed = table["verdict"].eq("pass").groupby(table["optimizer"], sort=False).mean()
    tests = table["test"].nunique()
    note = f"{len(dropped)} left out" if dropped else ""
    return [
        Tile("Tests", str(tests), note),
        Tile("Optimizers", str(len(passed))),
        Tile("Best", str(passed.idxmax()), f"passes {passed.max():.3f} of the tests"),
    ]


def _table(title: str, first: str, frame: pd.DataFrame, style: str) -> dict[str, Any]:
    captions = {
        "Sensitivity": "Pass rates of each rule over its configurations: at its best "
        "rate, at the median one, and the part of the tests that some rate passes; "
        "decades: how far around the best rate 0.9 of its pass rate holds.",
        "Pass rates by family": "The part of the tests of a family that is passed. "
        "Click a heading to sort.",
    }
    return {
        "title": title,
        "caption": captions[title],
        "first": first,
        "columns": [str(column) for column in frame.columns],
        "rows": [
            {"name": str(name), "cells": [float(value) for value in row]}
            for name, row in zip(frame.index, frame.to_numpy(), strict=True)
        ],
        "style": style,
    }
