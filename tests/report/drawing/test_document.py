"""A page in parts: what the template shows, the figures as data, the script."""

import json

import pytest

from keras_trainkit.finding import Finding
from keras_trainkit.report.drawing.document import (
    check_findings,
    check_title,
    compose,
    embed,
    plotly_script,
)
from keras_trainkit.report.drawing.specification import Choice, Specification
from tests.report.records import HOSTILE, HOSTILE_NAMES


def finding(severity, message):
    return Finding(message, severity=severity, code="fault", category="data")


def parts_of(tmp_path, **content):
    template = tmp_path / "own.html"
    template.write_text(
        "{% extends 'base.html' %}{% block pictures %}<p>{{ own }}</p>{% endblock %}"
    )
    given = {"title": "A", "tiles": (), "findings": (), "figures": (), "facts": {}}
    return compose(template, **{**given, "own": "", **content})


def test_a_page_is_the_template_around_the_data_and_the_script(tmp_path):
    choice = Choice("Epoch", [{"label": "1", "traces": [0]}])
    figures = [
        Specification("one", "One", "It is.", [{"y": [1]}], {"xaxis": {}}, rest=[0]),
        Specification("two", "Two", "It is.", [], {}, choice=choice),
    ]
    before, data, between, script, after = parts_of(
        tmp_path, title="<A>", figures=figures, own="<own>"
    )
    assert b"<h1>&lt;A&gt;</h1>" in before
    assert b"<p>&lt;own&gt;</p>" in before
    assert before.index(b'id="plot-one"') < before.index(b'id="plot-two"')
    assert script == plotly_script()
    assert b"</html>" in after
    assert b"<script" in between
    first, second = json.loads(data)["figures"]
    assert (first["name"], first["traces"], first["rest"]) == ("one", [{"y": [1]}], [0])
    assert first["layout"] == {"xaxis": {}}
    assert first["choice"] is None
    assert second["choice"] == {
        "label": "Epoch",
        "options": [{"label": "1", "traces": [0]}],
        "selected": 0,
        "slider": False,
    }


def test_findings_stand_the_gravest_first(tmp_path):
    findings = [finding(one, f"It is {one}.") for one in ("info", "error", "warning")]
    page = parts_of(tmp_path, findings=findings)[0]
    places = [page.index(f"It is {one}.".encode()) for one in ("error", "warning")]
    assert places == sorted(places)
    assert places[-1] < page.index(b"It is info.")


def test_facts_are_written_for_a_reader(tmp_path):
    page = b"".join(
        part.replace(plotly_script(), b"")
        for part in parts_of(
            tmp_path, facts={"batch_size": 32, "note": "a_b", "more": [None, 1.5]}
        )
    )
    for words in (b"batch size", b"32", b"a_b", b"[null, 1.5]"):
        assert words in page
    assert b"batch_size" not in page


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_embedded_data_hold_no_markup_and_come_back(name):
    text = embed({name: [name, 1.5]})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {name: [name, 1.5]}


def test_what_json_does_not_know_is_embedded_as_text(tmp_path):
    assert json.loads(embed({"path": tmp_path})) == {"path": str(tmp_path)}


def test_arguments_that_are_no_findings_or_no_title_are_named():
    check_findings([])
    check_findings([finding("info", HOSTILE)])
    with pytest.raises(ValueError, match="`findings` must be a sequence of Finding"):
        check_findings([finding("info", "It is."), "It is."])
    check_title(None)
    check_title("")
    with pytest.raises(ValueError, match=r"`title` must be a string.*title=3"):
        check_title(3)
