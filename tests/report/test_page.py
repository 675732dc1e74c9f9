import os
import re
import subprocess
import sys
import tempfile

import pytest

from keras_trainkit.finding import Finding
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report import write
from keras_trainkit.report.drawing.document import plotly_script
from tests.report.records import (
    HOSTILE,
    empty_record,
    extreme_record,
    full_record,
    hostile_finding,
    hostile_record,
    sick_record,
)

RECORDS = {
    "full": full_record,
    "empty": empty_record,
    "hostile": hostile_record,
    "sick": sick_record,
    "extreme": extreme_record,
    "one row": lambda: full_record(layers=2, epochs=1, steps_per_epoch=1),
}


def page_of(record, tmp_path, **arguments):
    path = write(record, tmp_path / "report.html", **arguments)
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_whole_for(name, tmp_path):
    page = page_of(RECORDS[name](), tmp_path)
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize("name", RECORDS)
def test_page_names_no_address_to_fetch(name, tmp_path):
    page = page_of(RECORDS[name](), tmp_path)
    ours = page.replace(plotly_script().decode(), "")
    assert len(ours) < len(page) - 1_000_000
    attributes = re.findall(r"<[a-z][^>]*?\s(?:src|href|action|data)=\"([^\"]*)", ours)
    assert all(address.startswith("data:image/png;") for address in attributes)
    for forbidden in ("url(", "@import", "<link", "<iframe", "fetch(", 'http-equiv="r'):
        assert forbidden not in ours
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page


def test_page_escapes_every_name(tmp_path):
    finding = hostile_finding()
    page = page_of(hostile_record(), tmp_path, findings=[finding], title=HOSTILE)
    ours = page.replace(plotly_script().decode(), "")
    assert HOSTILE not in ours
    assert "<img src=x" not in ours
    assert ours.count("</script>") == 4
    assert 'onmouseover="' not in ours
    assert "%{x} {{ 7 * 7 }} ${y}</th>" in ours


def test_page_says_whether_training_goes_on(tmp_path):
    record = full_record(layers=1, epochs=1)
    live = page_of(record, tmp_path, live=True)
    assert 'data-live="10"' in live
    assert "running" in live
    assert 'data-live="10"' not in page_of(record, tmp_path)


def test_page_shows_findings_gravest_first(tmp_path):
    findings = [
        Finding("Mild.", severity="info", code="mild", category="data"),
        Finding(
            "Grave.",
            severity="error",
            evidence={"loss": 8.123456},
            confidence=0.5,
            code="grave",
            category="data",
        ),
        Finding("Odd.", advice="Do this.", code="odd", category="data"),
    ]
    page = page_of(empty_record(), tmp_path, findings=findings)
    assert page.index("Grave.") < page.index("Odd.") < page.index("Mild.")
    assert "8.12<" in page
    assert "confidence 50 %" in page
    assert "Do this." in page


def test_page_without_findings_does_not_claim_health(tmp_path):
    page = page_of(full_record(layers=1), tmp_path, findings=[])
    assert "No fault found" in page
    assert "does not mean that all is well" in page
    page = page_of(full_record(layers=1), tmp_path)
    assert "Not diagnosed" in page
    assert "No fault found" not in page


def test_page_bears_the_name_of_the_run(tmp_path):
    record = TrainingRecord(tmp_path / "<digits>" / "record.sqlite")
    record.metadata["model_name"] = "net"
    record.add("loss", 1.0, step=0, epoch=0)
    record.close()
    for source in (record, tmp_path / "<digits>"):
        page = page_of(source, tmp_path)
        assert "<title>&lt;digits&gt; · Training report, model net</title>" in page
        assert "<h1>&lt;digits&gt;</h1>" in page
    assert "<h1>many_layers</h1>" in page_of(full_record(layers=1), tmp_path)
    assert "<h1>mine</h1>" in page_of(record, tmp_path, title="mine")


def test_page_tells_of_the_run_in_a_table_and_not_in_json(tmp_path):
    page = page_of(full_record(layers=1), tmp_path)
    for name, value in (
        ("Started", "2026-01-02 03:04:05 UTC"),
        ("Duration", "10 min 0 s"),
        ("Optimizer", "SGD"),
        ("Versions", "keras 3"),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert "<dt>Seed</dt><dd>3</dd>" in page
    assert "&#34;" not in page[: page.index('id="data"')]


def test_page_names_what_the_record_lacks(tmp_path):
    page = page_of(empty_record(), tmp_path)
    assert "Not in this record: the loss of each batch;" in page
    assert "nothing recorded yet" in page


def test_page_is_made_from_a_run_directory(tmp_path):
    record = TrainingRecord(tmp_path / "record.sqlite")
    record.add("loss", 0.5, step=0, epoch=0)
    record.close()
    assert "Loss of each batch" in page_of(tmp_path, tmp_path / "new" / "directory")


def test_page_of_before_survives_a_failed_write(tmp_path, monkeypatch):
    page_of(empty_record(), tmp_path, title="before")

    def fail(*paths):
        raise OSError("no room")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        page_of(empty_record(), tmp_path, title="after")
    assert os.listdir(tmp_path) == ["report.html"]
    assert "before" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_page_does_not_change_the_record(tmp_path):
    record = full_record(layers=2, epochs=2)
    before = record.to_frame()
    page_of(record, tmp_path)
    assert before.equals(record.to_frame())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"live": 1}, "`live` must be True or False"),
        ({"findings": ["bad"]}, "`findings` must be a sequence of Finding"),
        ({"title": 3}, "`title` must be a string"),
    ],
    ids=["live", "findings", "title"],
)
def test_write_names_a_bad_argument(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write(empty_record(), tmp_path / "report.html", **arguments)
    assert os.listdir(tmp_path) == []


def test_write_imports_noplotly_script():
    code = (
        "import sys; from keras_trainkit.record.training_record import TrainingRecord;"
        "from keras_trainkit.report import write;"
        "write(TrainingRecord(), sys.argv[1]);"
        "sys.exit('plotly' in sys.modules)"
    )
    with tempfile.TemporaryDirectory() as directory:
        page = os.path.join(directory, "report.html")
        done = subprocess.run([sys.executable, "-c", code, page], capture_output=True)
        assert done.returncode == 0, done.stderr
