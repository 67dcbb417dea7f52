"""The cache of compiled kernels: what decides a file, whose folders are used, what is said."""

import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastnet import doctor
from fastnet.cli.display import compiling
from fastnet.native import cache, versions
from fastnet.native.entry import INTERPRETED

posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners and modes of POSIX")
OTHER = 12345  # a user's number that is not ours


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """Two candidates for the cache, nothing remembered of others."""
    found = [tmp_path / "first" / "hash", tmp_path / "second" / "hash"]
    monkeypatch.setattr(cache, "candidates", lambda: iter(found))
    monkeypatch.setattr(cache, "folder", cache.folder.__wrapped__)
    monkeypatch.setattr(cache, "folders", cache.folders.__wrapped__)
    return found


def refuse_writing(monkeypatch, *refused):
    """Make folders unwritable, for root too."""
    of = cache.objection

    def objection(folder):
        return "cannot be written (Permission denied)" if folder in refused else of(folder)

    monkeypatch.setattr(cache, "objection", objection)


# ---------------------------------------------------------------- what decides a file


def test_the_processor_the_path_and_the_kind_decide_the_file(monkeypatch):
    names = {cache.name_of("advance", kind, path) for kind in (1, 2) for path in ("fast", "plain")}
    monkeypatch.setattr(cache, "processor", lambda: ("znver9", ""))
    assert len(names | {cache.name_of("advance", 1, "fast")}) == 5


@pytest.mark.parametrize("variable", [*cache.OVERRIDES, cache.TILE_SHAPE])
def test_variables_that_change_the_code_are_part_of_the_processor(monkeypatch, variable):
    here = cache.processor.__wrapped__()
    monkeypatch.setenv(variable, "another")
    assert cache.processor.__wrapped__() != here


def test_the_compiler_decides_the_folder(monkeypatch):
    before = cache.version_hash()
    monkeypatch.setattr(versions, "compiler_versions", lambda: {"numba": "9", "llvmlite": "9"})
    assert cache.version_hash() != before


def test_every_source_file_decides_the_folder(monkeypatch, tmp_path):
    """All that an entry point is made of: else an edit would run the code from before it."""
    package = Path(cache.__file__).parents[1]
    for path in (path for pattern in cache.SOURCES for path in package.glob(pattern)):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / path.parent.name)
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "native" / "cache.py"))
    hashes = {cache.version_hash()}
    for path in sorted(tmp_path.glob("*/*.py")):
        path.write_text(path.read_text() + "#")
        hashes.add(cache.version_hash())
    assert len(hashes) == 1 + len(list(tmp_path.glob("*/*.py")))


# ---------------------------------------------------------------- files


def test_what_is_written_is_read(folders):
    assert cache.read("a.kernel") is None and not cache.holds("a.kernel")
    cache.write("a.kernel", "symbol", b"code\nof two lines")
    assert cache.read("a.kernel") == ("symbol", b"code\nof two lines") and cache.holds("a.kernel")
    assert [path.name for path in folders[0].iterdir()] == ["a.kernel"]


def test_a_full_disk_leaves_nothing_behind(folders, monkeypatch):
    def full(*paths):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write("a.kernel", "symbol", b"code")
    assert not list(folders[0].iterdir())


def test_a_folder_that_is_gone_does_no_harm(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "gone")
    monkeypatch.setattr(cache, "folders", lambda: [tmp_path / "gone"])
    cache.write("a.kernel", "symbol", b"code")
    assert cache.read("a.kernel") is None


# ---------------------------------------------------------------- folders


@posix
def test_folders_are_made_for_this_user_alone(folders):
    assert cache.folder() == folders[0] and cache.folders() == [folders[0]]
    for folder in (folders[0], folders[0].parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("depth, mode, safe", [
    (0, 0o755, True), (0, 0o777, False), (0, 0o1777, False), (0, 0o702, False),
    (1, 0o755, True), (1, 0o777, False), (1, 0o1777, True), (2, 0o703, False), (2, 0o1777, True),
])  # fmt: skip
def test_no_folder_that_others_can_write_to_is_used(tmp_path, depth, mode, safe):
    """Above it they may write where the sticky bit keeps them from renaming what is ours."""
    parts = [tmp_path / "a" / "b" / "c", tmp_path / "a" / "b", tmp_path / "a"]
    cache.make(parts[0])
    parts[depth].chmod(mode)
    exposed = cache.exposed_part(parts[0])
    assert exposed == (None if safe else parts[depth])
    assert cache.is_readable(parts[0]) == safe
    if not safe:
        told = f"is open to other users through {parts[depth]}"
        assert cache.objection(parts[0]) == told


@posix
def test_a_link_is_followed_to_the_folder_that_is_meant(tmp_path):
    cache.make(tmp_path / "open" / "hash")
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert cache.exposed_part(tmp_path / "link" / "hash") == (tmp_path / "open").resolve()


@posix
@pytest.mark.parametrize("owner, mode, closed, keeps", [
    ("me", 0o755, True, True), ("root", 0o755, True, True), (OTHER, 0o755, False, False),
    (OTHER, 0o1777, False, False), ("root", 0o1777, False, True), ("root", 0o777, False, False),
    ("me", 0o775, False, False),
])  # fmt: skip
def test_folders_of_root_are_trusted_and_those_of_others_are_not(
    monkeypatch, owner, mode, closed, keeps
):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(cache, "is_group_of_one", lambda group: False)
    uid = {"me": 1000, "root": 0}.get(owner, owner)
    status = SimpleNamespace(st_uid=uid, st_mode=stat.S_IFDIR | mode, st_gid=7)
    assert (cache.is_closed(status), cache.keeps_entries(status)) == (closed, keeps)


@posix
@pytest.mark.parametrize("name, members, alone", [
    ("ann", [], True), ("ann", ["ann"], True), ("ann", ["ann", "bob"], False), ("users", [], False),
])  # fmt: skip
def test_a_group_that_has_the_user_alone_may_write(monkeypatch, name, members, alone):
    import grp
    import pwd

    group = SimpleNamespace(gr_name=name, gr_mem=members)
    monkeypatch.setattr(grp, "getgrgid", lambda number: group)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name="ann"))
    status = SimpleNamespace(st_uid=os.getuid(), st_mode=stat.S_IFDIR | 0o775, st_gid=7)
    assert cache.is_closed(status) == alone


@posix
def test_a_group_without_a_name_may_not_write(monkeypatch):
    import grp

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(grp, "getgrgid", unknown)
    assert not cache.is_group_of_one(7)


def test_a_folder_that_cannot_be_written_is_read_and_the_next_is_written(folders, monkeypatch):
    cache.write("image.kernel", "symbol", b"code")
    refuse_writing(monkeypatch, folders[0])
    assert cache.folder() == folders[1] and cache.folders() == folders
    assert cache.read("image.kernel") == ("symbol", b"code") and cache.holds("image.kernel")
    cache.write("own.kernel", "symbol", b"own")
    assert [path.name for path in folders[1].iterdir()] == ["own.kernel"]
    (folders[0] / "image.kernel").write_bytes(b"damaged")
    cache.write("image.kernel", "symbol", b"code")
    assert cache.read("image.kernel") == ("symbol", b"code")


def test_a_folder_that_others_can_write_to_is_not_read(folders, monkeypatch):
    cache.write("planted.kernel", "symbol", b"code")
    monkeypatch.setattr(cache, "exposed_part", lambda folder: {folders[0]: folder}.get(folder))
    assert cache.folder() == folders[1] and cache.folders() == [folders[1]]
    assert cache.read("planted.kernel") is None


# ---------------------------------------------------------------- what is said


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")
def test_it_is_said_that_no_folder_can_be_written(folders, monkeypatch):
    refuse_writing(monkeypatch, *folders)
    line = compiling(["lm with sin"])
    assert "(no cache folder can be written, so every run does it: see fastnet doctor" in line
    (advice,) = doctor.cache_advice()
    assert advice == (
        f"The first choice of cache folder, {folders[0]}, cannot be written (Permission denied). "
        "No other can be written, so every process compiles what it does not find there (about "
        "6 s): set NUMBA_CACHE_DIR to a folder of yours."
    )


def test_doctor_says_why_the_first_folder_is_not_written(folders, monkeypatch):
    assert doctor.cache_advice() == []
    refuse_writing(monkeypatch, folders[0])
    assert doctor.cache_advice() == [
        f"The first choice of cache folder, {folders[0]}, cannot be written (Permission denied). "
        f"It is still read. New kernels go to {folders[1]}."
    ]
