import pytest

from keras_trainkit.recording.surroundings import commit, surroundings
from tests import models

HASH = "0123456789abcdef0123456789abcdef01234567"


def git(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.mark.parametrize(
    "files",
    [
        {".git/HEAD": HASH},
        {".git/HEAD": "ref: refs/heads/main", ".git/refs/heads/main": HASH},
        {
            ".git/HEAD": "ref: refs/heads/main",
            ".git/packed-refs": f"# pack-refs\n{HASH} refs/heads/main",
        },
        {
            ".git": "gitdir: elsewhere/worktrees/a",
            "elsewhere/worktrees/a/HEAD": "ref: refs/heads/a",
            "elsewhere/worktrees/a/commondir": "../..",
            "elsewhere/refs/heads/a": HASH,
        },
    ],
    ids=["detached", "loose", "packed", "worktree"],
)
def test_commit_is_read_from_the_files_of_git(files, tmp_path):
    git(tmp_path, files)
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)
    assert commit(str(below)) == HASH


@pytest.mark.parametrize(
    "files", [{}, {".git/HEAD": "ref: refs/heads/main"}, {".git/other": ""}]
)
def test_commit_of_no_repository_is_none(files, tmp_path):
    git(tmp_path, files)
    assert commit(str(tmp_path)) == ""


def test_surroundings_name_machine_command_and_loss():
    model = models.sequential()
    model.compile("sgd", "sparse_categorical_crossentropy")
    found = surroundings(model)
    assert found["loss"] == "sparse_categorical_crossentropy"
    assert "CPU" in found["device"]
    assert found["command"].startswith("python")
    assert found["host"]
    assert found["directory"]
