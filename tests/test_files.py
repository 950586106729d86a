"""Files are whole or not there: interrupted writes, full disks, damage and foreign content."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from safetensors.numpy import save

from ttfslib import _files

ARRAYS = {
    "3/weight_1": np.arange(6, dtype=np.float16).reshape(2, 3),
    "step/0": np.array(7.0, dtype=np.float32),
    "generator": np.arange(9, dtype=np.uint8),
}
ABOUT = {"epoch": 3, "history": [{"loss": math.nan, "rate": 0.1}]}


def one_line(caught):
    """What the error says, once it is known to be one line."""
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    return said


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


# Writing


@pytest.mark.parametrize("content", ["", "naïve\n", b"", b"\x00\xff" * 50_000])
def test_what_is_written_is_there(tmp_path, content):
    path = tmp_path / "file"
    _files.write(path, "something else")
    _files.write(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names_in(tmp_path) == ["file"]


def test_a_new_file_is_readable_as_the_user_wants(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    _files.write(tmp_path / "written", "x")
    assert (tmp_path / "written").stat().st_mode == plain.stat().st_mode


class Killed(BaseException):
    """Not an Exception, as KeyboardInterrupt and SystemExit are not."""


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [Killed, OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_no_draft(
    tmp_path, monkeypatch, moment, error
):
    path = tmp_path / "file"
    path.write_text("old")
    seen = []

    def interrupt(*_):
        seen.extend(names_in(tmp_path))
        raise error("now")

    if moment == "write":
        real_open = Path.open

        def open_for_failure(self, mode="r", **options):
            file = real_open(self, mode, **options)
            return Failing(file, interrupt) if mode == "xb" else file

        monkeypatch.setattr(Path, "open", open_for_failure)
    else:
        monkeypatch.setattr(*((os, "fsync") if moment == "fsync" else (Path, "replace")), interrupt)
    with pytest.raises(error, match="now"):
        _files.write(path, "new" * 1000)
    assert len(seen) == 2, "the draft lies beside the file while it is written"
    assert names_in(tmp_path) == ["file"]
    assert path.read_text() == "old"


class Failing:
    """A file that takes half of what it is given."""

    def __init__(self, file, interrupt):
        self.file, self.interrupt = file, interrupt

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.interrupt()


def test_a_killed_write_leaves_the_old_file_and_a_draft_that_can_be_removed(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    code = (
        "import os, signal; from pathlib import Path; from ttfslib import _files;"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL);"
        f"_files.write(Path({str(path)!r}), 'new')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(names_in(tmp_path)) == 2
    (tmp_path / ".hidden").touch()
    (tmp_path / "my.draft").touch()
    assert [draft.name[:6] for draft in _files.drafts(tmp_path)] == [".file."]
    _files.remove_drafts(tmp_path)
    assert names_in(tmp_path) == [".hidden", "file", "my.draft"]
    _files.write(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("where", ["missing/file", "plain/file", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, where):
    (tmp_path / "plain").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"^cannot write ") as caught:
        _files.write(tmp_path / where, "content")
    assert str(tmp_path / where) in one_line(caught)
    assert names_in(tmp_path) == ["folder", "plain"]
    assert names_in(tmp_path / "folder") == []


def test_a_full_disk_leaves_the_old_file_and_is_named(small_disk):
    path = small_disk / "file"
    _files.write(path, b"old" * 1000)
    with pytest.raises(OSError, match=r"^cannot write .*file: No space left on device$") as caught:
        _files.write(path, b"new" * 100_000)
    one_line(caught)
    assert names_in(small_disk) == ["file"]
    assert path.read_bytes() == b"old" * 1000
    _files.write(path, b"new" * 1000)
    assert path.read_bytes() == b"new" * 1000


def test_a_missing_file_is_named(tmp_path):
    readers = _files.read_text, _files.read_bytes, _files.sha256, _files.load_tensors
    for read in readers:
        with pytest.raises(FileNotFoundError, match=r"^cannot read .*none: No such file") as caught:
            read(tmp_path / "none")
        one_line(caught)


# Tensors


@settings(max_examples=50)
@given(
    arrays=st.dictionaries(
        st.from_regex(r"[a-z0-9_/]{1,9}", fullmatch=True),
        st.sampled_from([np.float16, np.float32, np.float64, np.uint8, np.uint16, np.int64])
        .map(np.dtype)
        .flatmap(lambda dtype: stnp.arrays(dtype, stnp.array_shapes(min_dims=0, min_side=0))),
        max_size=4,
    ),
    about=st.dictionaries(st.text(max_size=3), st.integers() | st.text() | st.floats(), max_size=3),
)
def test_arrays_come_back_bit_for_bit(tmp_path_factory, arrays, about):
    """NaN and negative zero included: it is the bytes that are compared."""
    folder = tmp_path_factory.mktemp("arrays")
    _files.save_tensors(folder / "tensors", arrays, about)
    found, found_about = _files.load_tensors(folder / "tensors")
    assert_same(found, arrays)
    assert json.dumps(found_about) == json.dumps(about)


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    backwards = dict(reversed(ARRAYS.items())) | {
        "3/weight_1": ARRAYS["3/weight_1"].copy(order="F")
    }
    contents = set()
    for arrays in [ARRAYS, backwards] * 4:  # what only chance would order shows
        _files.save_tensors(tmp_path / "file", arrays, ABOUT)
        contents.add((tmp_path / "file").read_bytes())
    assert len(contents) == 1


def test_a_peek_is_what_was_packed_and_refuses_what_is_foreign(tmp_path):
    _files.save_tensors(tmp_path / "file", ARRAYS, ABOUT)
    assert json.dumps(_files.peek(tmp_path / "file")) == json.dumps(ABOUT)  # NaN included
    for content in FOREIGN.values():
        (tmp_path / "file").write_bytes(content)
        try:
            about = _files.peek(tmp_path / "file")
        except OSError as error:
            assert_one_line_about(error, tmp_path / "file")
        else:  # sealed like ours; only the numbers would tell
            assert about == {}


def test_a_flipped_bit_is_noticed_in_whatever_byte(tmp_path):
    path = tmp_path / "tensors"
    _files.save_tensors(path, ARRAYS, ABOUT)
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(OSError, match=r"^.*tensors is damaged") as caught:
            _files.load_tensors(path)
        one_line(caught)


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "file"
    _files.save_tensors(path, ARRAYS, ABOUT)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(OSError, match=r"^.*file is damaged") as caught:
            _files.load_tensors(path)
        one_line(caught)


def assert_one_line_about(error, path):
    said = str(error)
    assert said.startswith(f"{path} is damaged or not a file of ttfslib: ")
    assert len(said.splitlines()) == 1


def pickled():
    return pickle.dumps({"weights": [1.0, 2.0]})


def npz_of_objects():
    content = io.BytesIO()
    np.savez(content, weights=np.array([{"a": 1}], dtype=object))
    return content.getvalue()


def npy_of_objects():
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], dtype=object))
    return content.getvalue()


def plain_npy():
    content = io.BytesIO()
    np.save(content, np.arange(3))
    return content.getvalue()


def zip_of_text():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("weights.npy", "no array")
    return content.getvalue()


def sealed_with(**seal):
    return save(ARRAYS, metadata={_files.SEAL: json.dumps(seal)})


FOREIGN = {
    "empty": b"",
    "text": b"epochs = 3\n",
    "pickle": pickled(),
    "npz of objects": npz_of_objects(),
    "npy of objects": npy_of_objects(),
    "npy": plain_npy(),
    "zip of text": zip_of_text(),
    "safetensors of others": save(ARRAYS),
    "safetensors of others with metadata": save(ARRAYS, metadata={"format": "pt"}),
    "safetensors with a wrong digest": sealed_with(about="{}", digest="0" * 64),
    "safetensors with words": sealed_with(about="words", digest="0"),
    "safetensors without about": sealed_with(digest="0"),
    "safetensors with a number": sealed_with(about=3, digest="0"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_content_is_refused(tmp_path, name):
    path = tmp_path / "file"
    path.write_bytes(FOREIGN[name])
    with pytest.raises(OSError, match=r"^.*file is damaged") as caught:
        _files.load_tensors(path)
    one_line(caught)


class Burglar:
    """Leaves a trace when unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_nothing_is_ever_unpickled(tmp_path):
    trace = tmp_path / "trace"
    objects = np.array([Burglar(trace)], dtype=object)
    np.savez(tmp_path / "file.npz", weights=objects)
    np.load(tmp_path / "file.npz", allow_pickle=True)["weights"]
    assert trace.exists(), "this is what would happen"
    trace.unlink()
    shutil.copy(tmp_path / "file.npz", tmp_path / "file.safetensors")
    with pytest.raises(OSError, match="is damaged"):
        _files.load_tensors(tmp_path / "file.safetensors")
    assert not trace.exists()
