"""What a list of runs shows, notes about runs, and deleting them."""

import fcntl
import os
import shutil

import pytest

import fastnet
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.results import listing


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("listed") / "one"
    fastnet.train(task=1, n1=2, seeds=1, samples=20, max_epochs=2, out=folder)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a finished run."""
    return shutil.copytree(trained, tmp_path / "one")


def test_the_facts_of_a_finished_run(run):
    found = listing.facts(run)
    assert (found["run"], found["data"], found["target"]) == ("one", "sine (task 1)", "y")
    assert found["members"] == 1 and found["n1"] == 2 and found["seconds"] > 0
    assert found["result"].startswith("R2 ") and found["result"].endswith(" (train)")


def test_the_facts_of_a_table_are_of_the_test_rows(tmp_path, rng):
    text = "size,price\n" + "".join(f"{i},{2 * i + 1}\n" for i in range(40))
    (tmp_path / "shop.csv").write_text(text)
    data = {"data": tmp_path / "shop.csv", "target": "price", "test_fraction": 0.2}
    fastnet.train(**data, n1=2, seeds=1, max_epochs=2, out=tmp_path / "run")
    found = listing.facts(tmp_path / "run")
    assert (found["data"], found["target"]) == ("shop.csv", "price")
    assert found["result"].endswith(" (test)") and ", RMSE " in found["result"]


def test_the_facts_of_a_broken_or_unfinished_run_are_none(run):
    (run / "summary.json").write_text("{")
    found = listing.facts(run)
    assert found["data"] == "sine (task 1)" and found["members"] is None
    (run / "config.json").unlink()
    assert listing.facts(run)["started"] is None


# ---------------------------------------------------------------- notes


def test_a_note_is_kept_and_removed(run):
    assert listing.read_note(run) == ""
    listing.write_note(run, " as in the book, ä \n")
    assert listing.read_note(run) == listing.facts(run)["note"] == "as in the book, ä"
    fastnet.load(run)
    listing.write_note(run, " ")
    assert not (run / listing.NOTE).exists()


def test_a_note_is_not_written_elsewhere(run, tmp_path):
    other = tmp_path / "mine.txt"
    other.write_text("mine")
    (run / listing.NOTE).symlink_to(other)
    assert listing.read_note(run) == ""
    listing.write_note(run, "new")
    assert other.read_text() == "mine" and listing.read_note(run) == "new"


def test_notes_that_are_refused(run, tmp_path):
    with pytest.raises(UsageError, match="a note has at most 2,000 characters, got 2,001"):
        listing.write_note(run, "x" * 2001)
    with pytest.raises(FastnetError, match="no run folder at"):
        listing.write_note(tmp_path / "none", "x")


def test_a_note_that_cannot_be_removed_is_told(run):
    (run / listing.NOTE).mkdir()
    with pytest.raises(FastnetError, match=r"note\.txt cannot be written"):
        listing.write_note(run, "")


# ---------------------------------------------------------------- deleting


def test_a_run_is_deleted_and_nothing_else(run, tmp_path):
    listing.write_note(run, "old")
    (tmp_path / "one.csv").write_text("")
    listing.delete(run)
    assert os.listdir(tmp_path) == ["one.csv"]


def test_a_run_that_has_only_begun_is_deleted(tmp_path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "environment.json").write_text("{}")
    listing.delete(tmp_path / "begun")
    assert not os.listdir(tmp_path)


def test_a_run_in_use_is_not_deleted(run):
    with open(run / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(FastnetError, match="is in use by another fastnet process"):
            listing.delete(run)
    assert (run / "summary.json").exists()


def test_a_link_to_a_run_is_not_deleted(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    with pytest.raises(FastnetError, match="is a link; go to the folder"):
        listing.delete(tmp_path / "link")
    assert (run / "summary.json").exists()


@pytest.mark.parametrize("name", ["model.h", "best/notes.md", "deep/er/file"])
def test_a_folder_with_files_of_a_person_is_not_deleted(run, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).write_text("")
    with pytest.raises(FastnetError, match=f"files that are not of the run: '{name}'; move them"):
        listing.delete(run)
    assert (run / "summary.json").exists()


def test_a_link_in_a_run_is_not_followed(run, tmp_path):
    (tmp_path / "data").mkdir()
    (run / "data").symlink_to(tmp_path / "data")
    with pytest.raises(FastnetError, match="not of the run: 'data'"):
        listing.delete(run)


def test_what_is_no_run_is_not_deleted(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("")
    with pytest.raises(DataError, match="is not a run folder of fastnet"):
        listing.delete(tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is not a run folder of fastnet"):
        listing.delete(tmp_path / "empty")
    with pytest.raises(FastnetError, match="no run folder at"):
        listing.delete(tmp_path / "none")
    assert (tmp_path / "photos" / "cat.png").exists()


def test_a_folder_that_cannot_be_removed_is_told(run, monkeypatch):
    def refuse(*given):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(listing.os, "replace", refuse)
    with pytest.raises(FastnetError, match=r"one cannot be deleted \(Operation not permitted\)"):
        listing.delete(run)
    assert fastnet.load(run)
