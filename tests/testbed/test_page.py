"""The page and the figure show what the table holds."""

import itertools
import pathlib
import re

import numpy as np
import pytest

import keras_trainkit as tk
from keras_trainkit.report.drawing.specification import decode
from keras_trainkit.testbed.grading import GRADES
from keras_trainkit.testbed.heat_map import COLORS, draw_heat_map, draw_rates


@pytest.fixture(scope="module")
def result():
    problems = tk.testbed.problems(["abs", "quad_bowl"], noise=["none", "additive 10"])
    rules = {"a <b> rule": "sgd", "Adam": tk.optimizers.Adam}
    return tk.testbed.compare(
        rules,
        [1e-3, 1e-1],
        [tk.testbed.Problem("bend"), *problems],
        seeds=3,
        steps=30,
        verbose=False,
    )


def test_cells_are_the_grades_of_the_frame(result):
    frame = result.to_frame()
    (trace,) = draw_heat_map(frame).traces
    codes = decode(trace["z"])
    assert codes.shape == (4, frame["test"].nunique())
    grades = frame.set_index(["optimizer", "test"])["grade"]
    for row, optimizer in enumerate(result.optimizers):
        for column, test in enumerate(trace["x"]):
            assert GRADES[int(codes[row, column])] == grades[optimizer, test]


def test_families_stand_together(result):
    frame = result.to_frame()
    specification = draw_heat_map(frame)
    family = frame.drop_duplicates("test").set_index("test")["family"]
    found = [family[test] for test in specification.traces[0]["x"]]
    changes = sum(a != b for a, b in itertools.pairwise(found))
    assert changes == family.nunique() - 1 == len(specification.layout["shapes"])
    names = [one["text"] for one in specification.layout["annotations"]]
    assert names == list(dict.fromkeys(found))


def test_a_line_a_rule_over_its_rates(result):
    specification = draw_rates(result.to_frame())
    assert [len(trace["x"]) for trace in specification.traces] == [2, 2]
    best = result.sensitivity()["best"].to_numpy()
    found = [max(trace["y"]) for trace in specification.traces]
    np.testing.assert_allclose(found, best)
    frame = result.to_frame()
    assert draw_rates(frame[frame["optimizer"].eq("Adam at 0.1")]) is None


def test_page_needs_nothing_else_and_escapes_names(result, tmp_path):
    path = result.write(tmp_path / "deep" / "page.html", title="Mine")
    page = pathlib.Path(path).read_text(encoding="utf-8")
    assert "<h1>Mine</h1>" in page
    assert "a &lt;b&gt; rule" in page
    assert "<b> rule" not in page
    assert "bend, normal, noise none" in page  # what was left out
    assert "default-src 'none'" in page
    assert not re.findall(r'<(?:link|script|img)[^>]+(?:src|href)="https?:', page)
    with pytest.raises(ValueError, match="`title` must be a string"):
        result.write(tmp_path / "page.html", title=3)


def test_figure_opens_in_a_notebook(result):
    figure = result.heat_map()
    assert len(figure.data[0].y) == 4
    assert figure.layout.height > 0


def test_picture_has_the_colours_of_the_grades(result):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    axes = result.plot(axes=pyplot.figure().add_subplot())
    shown = axes.images[0].get_array()
    codes = decode(draw_heat_map(result.to_frame()).traces[0]["z"]).astype(int)
    expected = [
        [list(bytes.fromhex(COLORS[code][1:])) for code in row] for row in codes
    ]
    np.testing.assert_array_equal(shown, expected)
    assert [label.get_text() for label in axes.get_yticklabels()] == result.optimizers
    pyplot.close("all")
