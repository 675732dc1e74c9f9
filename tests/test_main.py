import pytest

from keras_trainkit.__main__ import main
from keras_trainkit.record.training_record import TrainingRecord


@pytest.fixture
def run(tmp_path):
    record = TrainingRecord(tmp_path / "run" / "record.sqlite")
    record.add("loss", 0.5, step=0, epoch=0)
    record.close()
    return tmp_path / "run"


def test_report_command_writes_beside_the_record(run, capsys):
    assert main(["report", str(run)]) == 0
    page = run / "report.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert "Loss of each batch" in page.read_text(encoding="utf-8")


def test_report_command_takes_a_record_file(run, capsys):
    assert main(["report", str(run / "record.sqlite")]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"


def test_report_command_writes_where_it_is_told(run, tmp_path, capsys):
    page = tmp_path / "elsewhere" / "page.html"
    assert main(["report", str(run), "--output", str(page)]) == 0
    assert page.is_file()
    assert not (run / "report.html").exists()
    assert capsys.readouterr().out == f"{page}\n"


def test_report_command_says_in_one_line_what_is_wrong(tmp_path, capsys):
    (tmp_path / "record.sqlite").write_text("no database")
    for place in (tmp_path, tmp_path / "missing"):
        assert main(["report", str(place)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("error: `path` must be ")
        assert printed.err.count("\n") == 1


def test_search_command_passes_the_words_after_two_dashes_on(monkeypatch, capsys):
    from keras_trainkit.search.distribute import launch

    def remember(*words):
        return f"asked for {words}"

    monkeypatch.setattr(launch, "launch", remember)
    words = ["search", "run.py", "--workers", "3", "--", "--data", "x"]
    assert main(words) == 0
    assert capsys.readouterr().out == (
        "asked for ('run.py', ['--data', 'x'], 3, None)\n"
    )


def test_search_command_says_in_one_line_what_is_wrong(capsys):
    assert main(["search", "missing.py"]) == 1
    assert capsys.readouterr().err == (
        "error: `script` must be a file. Received: script='missing.py'\n"
    )
    assert main(["search", __file__, "--workers", "0"]) == 1
    assert "`workers` must be >= 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["report"], ["search"], ["report", "x", "--", "y"]]
)
def test_wrong_words_end_with_the_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: python -m keras_trainkit" in capsys.readouterr().err
