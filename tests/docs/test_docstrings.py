"""Every example in a docstring runs, with what its own module knows."""

import ast
import dataclasses
import functools
import importlib
from pathlib import Path

import pytest

from tests.docs import stand_ins
from tests.docs.blocks import blocks, cut, free_names, run

ROOT = Path(__file__).parents[2]
# They start processes, and are run by the tests of their own room.
APART = ("distributed",)
SLOW = (
    "callbacks",
    "diagnosis",
    "ensembles",
    "preflight",
    "probes",
    "recording",
    "report",
    "search",
    "second_order",
    "testbed",
)


def examples():
    """Module, place and code of each example."""
    found = []
    for path in sorted((ROOT / "keras_trainkit").rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        room = module.split(".")[1]
        if room in APART:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                for _, code in blocks(ast.get_docstring(node) or ""):
                    place = f"{room}.{node.name}"
                    slow = room in SLOW or place in (
                        "gradcheck.gradcheck",
                        "record.Runs",
                    )
                    marks = pytest.mark.slow if slow else ()
                    found.append(
                        pytest.param(module, place, code, id=place, marks=marks)
                    )
    return found


@pytest.mark.parametrize(("module", "place", "code"), examples())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_example_in_a_docstring_runs(module, place, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr("plotly.io.show", lambda *figure, **options: None)
    room = place.partition(".")[0]
    namespace = dict(vars(importlib.import_module(module)))
    wanted = free_names(code)
    if '"runs' in code and room in ("record", "report"):
        wanted.add("monitor")
    namespace |= stand_ins.names(wanted)
    namespace |= stand_ins.LIBRARIES
    namespace |= {"dataclasses": dataclasses, "functools": functools}
    run(cut(code), namespace, place)
