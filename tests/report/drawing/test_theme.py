"""Roles become colours where colours belong, and nowhere else."""

from keras_trainkit.report.drawing.theme import DARK, LIGHT, TEMPLATE, resolve

FIGURE = {
    "name": "@train",
    "x": ["@train", 1],
    "marker": {"color": ["@train", "red", 3, None], "size": 7},
    "colorscale": [[0, "@good"], [1.0, "@bad"]],
    "gridcolor": "@grid",
    "nested": [{"bordercolor": "@axis"}, "@axis"],
    "colorbar": {"title": "@text", "tickcolor": "@text"},
    "fillcolor": "@unknown",
}


def test_roles_become_colours_under_the_keys_of_colours_only():
    found = resolve(FIGURE, DARK)
    assert found == {
        "name": "@train",
        "x": ["@train", 1],
        "marker": {"color": [DARK["@train"], "red", 3, None], "size": 7},
        "colorscale": [[0, DARK["@good"]], [1.0, DARK["@bad"]]],
        "gridcolor": DARK["@grid"],
        "nested": [{"bordercolor": DARK["@axis"]}, "@axis"],
        "colorbar": {"title": "@text", "tickcolor": DARK["@text"]},
        "fillcolor": "@unknown",
    }


def test_a_figure_is_copied_not_changed():
    assert resolve(FIGURE)["marker"]["color"][0] == LIGHT["@train"]
    assert FIGURE["marker"]["color"][0] == "@train"


def test_both_schemes_know_every_role_of_the_template():
    assert LIGHT.keys() == DARK.keys()
    for colors in (LIGHT, DARK):
        assert "@" not in str(resolve(TEMPLATE, colors))
