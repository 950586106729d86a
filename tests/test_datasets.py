"""The loaders. MNIST is tested on small files of the same format, and in full where it is."""

import dataclasses
import gzip
import hashlib
import os
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets as sklearn_datasets

from ttfslib import _sources, datasets
from ttfslib.datasets import (
    load_digits,
    load_fashion_mnist,
    load_mnist,
    load_yin_yang,
    yin_yang_label,
)

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
NOBODY = "http://127.0.0.1:9/"
# If this changes, so did the split, and accuracies published for the old one mean nothing.
DIGITS_TEST_CRC = 1661061460


@pytest.mark.parametrize("loader", [load_digits, load_mnist, load_fashion_mnist])
@pytest.mark.parametrize("split", ["validation", "", None, 1])
def test_an_unknown_split_is_refused(loader, split):
    with pytest.raises(ValueError, match=r"^split must be one of 'train', 'test', got"):
        loader(split)


class TestDigits:
    @pytest.mark.parametrize(("split", "n_samples"), [("train", 1437), ("test", 360)])
    def test_shapes_ranges_and_types(self, split, n_samples):
        images, labels = load_digits(split)
        assert images.shape == (n_samples, 8, 8)
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        assert (images.min(), images.max()) == (0, 1)
        assert set(labels) == set(range(10))

    def test_the_two_parts_are_the_whole_and_nothing_twice(self):
        def rows(images, labels):
            return Counter(
                (image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)
            )

        source = sklearn_datasets.load_digits()
        whole = rows((source.images / 16).astype(np.float32), source.target)
        assert rows(*load_digits("train")) + rows(*load_digits("test")) == whole

    def test_every_class_is_shared_out_alike(self):
        train, test = (np.bincount(load_digits(split)[1]) for split in datasets.SPLITS)
        np.testing.assert_allclose(test / (train + test), 0.2, atol=0.01)

    def test_the_split_stays_what_it_is(self):
        images, labels = load_digits("test")
        np.testing.assert_array_equal(images, load_digits("test")[0])
        assert zlib.crc32(images.tobytes() + labels.tobytes()) == DIGITS_TEST_CRC


class TestYinYangPlane:
    @pytest.mark.parametrize(
        ("x", "y", "label"),
        [
            (0.25, 0.50, 2),
            (0.75, 0.50, 2),
            (0.25, 0.59, 2),
            (0.25, 0.61, 1),
            (0.25, 0.39, 1),
            (0.25, 0.26, 1),
            (0.25, 0.24, 0),
            (0.75, 0.39, 0),
            (0.75, 0.61, 0),
            (0.75, 0.74, 0),
            (0.75, 0.76, 1),
            (0.50, 0.90, 1),
            (0.50, 0.10, 0),
            (0.01, 0.51, 1),
            (0.99, 0.49, 0),
            (0.10, 0.10, -1),
            (1.10, 0.50, -1),
        ],
    )
    def test_known_points(self, x, y, label):
        assert yin_yang_label(x, y) == label

    def test_the_border_is_an_s_of_two_half_circles(self):
        x, y = np.meshgrid(*2 * [(np.arange(800) + 0.5) / 800])
        labels = yin_yang_label(x, y)
        half_circle = np.sqrt(0.0625 - (np.abs(x - 0.5) - 0.25) ** 2)
        border = 0.5 + np.sign(x - 0.5) * half_circle
        halves = (labels == 0) | (labels == 1)
        np.testing.assert_array_equal(labels[halves], (y > border)[halves])

    def test_areas(self):
        x, y = np.meshgrid(*2 * [(np.arange(1000) + 0.5) / 1000])
        yin, yang, dot, outside = (np.mean(yin_yang_label(x, y) == c) for c in (0, 1, 2, -1))
        disc = np.pi / 4
        assert outside == pytest.approx(1 - disc, abs=1e-3)
        assert dot == pytest.approx(2 * np.pi * 0.1**2, abs=1e-3)
        assert yin == pytest.approx(0.46 * disc, abs=1e-3)
        assert yang == pytest.approx(0.46 * disc, abs=1e-3)

    @given(x=st.integers(1, 1023), y=st.integers(1, 1023))
    def test_half_a_turn_swaps_yin_and_yang(self, x, y):
        # halves of a grid of powers of two: mirrored exactly, never on a border
        x, y = (x + 0.5) / 1024, (y + 0.5) / 1024
        swapped = {0: 1, 1: 0, 2: 2, -1: -1}
        assert yin_yang_label(1 - x, 1 - y) == swapped[int(yin_yang_label(x, y))]

    def test_coordinates_broadcast(self):
        labels = yin_yang_label(np.linspace(0, 1, 5), np.linspace(0, 1, 3)[:, np.newaxis])
        assert labels.shape == (3, 5)
        assert labels.dtype == np.int64

    @pytest.mark.parametrize(
        ("x", "y", "message"),
        [
            (np.nan, 0.5, "x must be finite"),
            (0.5, np.inf, "y must be finite"),
            ([], 0.5, "x must not be empty"),
            ("left", 0.5, "x must be an array of numbers"),
            (np.zeros(2), np.zeros(3), r"y must broadcast with x \(2,\), got \(3,\)"),
        ],
    )
    def test_bad_coordinates_are_refused(self, x, y, message):
        with pytest.raises(ValueError, match=f"^{message}"):
            yin_yang_label(x, y)


class TestYinYangPoints:
    def test_shapes_ranges_and_types(self):
        points, labels = load_yin_yang(1000, seed=3)
        assert points.shape == (1000, 4)
        assert labels.shape == (1000,)
        assert (points.dtype, labels.dtype) == (np.float32, np.int64)
        assert points.min() >= 0
        assert points.max() <= 1

    def test_labels_belong_to_the_points(self):
        points, labels = load_yin_yang(2000)
        np.testing.assert_array_equal(yin_yang_label(points[:, 0], points[:, 1]), labels)

    def test_the_second_pair_mirrors_the_first(self):
        points, _ = load_yin_yang(500)
        np.testing.assert_array_equal(points[:, 2:], 1 - points[:, :2])

    @given(n_samples=st.integers(1, 40), seed=st.integers(0, 100))
    def test_classes_are_balanced(self, n_samples, seed):
        counts = np.bincount(load_yin_yang(n_samples, seed)[1], minlength=3)
        assert counts.sum() == n_samples
        assert np.ptp(counts) <= 1

    def test_the_seed_decides(self):
        points, labels = load_yin_yang(300, seed=5)
        again = load_yin_yang(300, seed=5)
        np.testing.assert_array_equal(points, again[0])
        np.testing.assert_array_equal(labels, again[1])
        assert not np.isin(points, load_yin_yang(300, seed=6)[0]).all(axis=1).any()

    def test_classes_are_shuffled(self):
        _, labels = load_yin_yang(3000)
        assert np.mean(labels[1:] == labels[:-1]) == pytest.approx(1 / 3, abs=0.05)

    def test_points_are_spread_evenly_within_a_class(self):
        points, labels = load_yin_yang(12000)
        x, y = points[:, 0], points[:, 1]
        assert np.mean(x[labels == 2] < 0.5) == pytest.approx(0.5, abs=0.035)
        in_right_lobe = np.hypot(x - 0.75, y - 0.5) < 0.25
        lobe, disc, dot = np.pi / 16, np.pi / 4, np.pi * 0.1**2
        share = (lobe - dot) / (0.46 * disc)
        assert np.mean(in_right_lobe[labels == 0]) == pytest.approx(share, abs=0.035)

    def test_global_randomness_is_left_alone(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002 (it is what must not change)
        load_yin_yang(10)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((0,), "n_samples must be at least 1, got 0"),
            ((2.5,), "n_samples must be an integer"),
            ((True,), "n_samples must be an integer"),
            ((10, -1), "seed must be at least 0, got -1"),
            ((10, None), "seed must be an integer"),
        ],
    )
    def test_bad_input_is_refused(self, arguments, message):
        with pytest.raises(ValueError, match=f"^{message}"):
            load_yin_yang(*arguments)


def idx(array: np.ndarray) -> bytes:
    """Return `array` as MNIST's files hold it."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(0, 10 if "labels" in name else 256, shape)
        for name, shape in {
            TRAIN_IMAGES: (7, 28, 28),
            TRAIN_LABELS: (7,),
            TEST_IMAGES: (3, 28, 28),
            TEST_LABELS: (3,),
        }.items()
    }


def sums_of(contents):
    """What the published sums would be, were these the published files."""
    return tuple(hashlib.sha256(gzip.decompress(c)).hexdigest() for c in contents.values())


def change_mnist(monkeypatch, **changes):
    monkeypatch.setattr(datasets, "MNIST", dataclasses.replace(datasets.MNIST, **changes))


def fetch_mnist():
    return datasets.fetchers()["mnist"]()


@pytest.fixture
def files(arrays, tmp_path, monkeypatch):
    """Small files that pass for the published ones; no folder, no mirror, an empty cache."""
    contents = {name: idx(array) for name, array in arrays.items()}
    change_mnist(monkeypatch, sums=sums_of(contents), mirrors=(NOBODY,))
    monkeypatch.setattr(_sources, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("TTFSLIB_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return contents


@pytest.fixture
def data_folder(files, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("TTFSLIB_DATA", str(folder.parent))
    return folder


def cached_files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}


class Mirror:
    """A web server on this machine; `/good/` serves the files, other folders fail in their way."""

    def __init__(self, files, monkeypatch):
        self.requests = []
        self.monkeypatch = monkeypatch
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                _, how, name = self.path.split("/")
                content = {"corrupt": bytes(100), "absent": b"gone"}.get(how, files[name])
                self.send_response(404 if how == "absent" else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if how == "broken" else content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def offer(self, *folders):
        """Make these folders the mirrors, in this order."""
        mirrors = [f"{self.address}/{how}/" if how != "unreachable" else NOBODY for how in folders]
        change_mnist(self.monkeypatch, mirrors=tuple(mirrors))


@pytest.fixture
def mirror(files, monkeypatch):
    mirror = Mirror(files, monkeypatch)
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


class TestMNISTInTheDataFolder:
    @pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
    @pytest.mark.usefixtures("data_folder")
    def test_images_and_labels(self, arrays, split, prefix):
        images, labels = load_mnist(split)
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(images * 256, arrays[f"{prefix}-images-idx3-ubyte.gz"])
        np.testing.assert_array_equal(labels, arrays[f"{prefix}-labels-idx1-ubyte.gz"])

    def test_fetch_says_where_the_files_lie(self, data_folder, files, tmp_path):
        assert fetch_mnist() == [data_folder / name for name in files]
        assert not cached_files(tmp_path)

    @pytest.mark.parametrize("spoil", ["truncated", "flipped", "empty", "swapped", "longer"])
    def test_a_corrupt_file_is_refused_and_left_alone(self, data_folder, files, mirror, spoil):
        content = files[TRAIN_LABELS]
        spoilt = {
            "truncated": content[:-5],
            "flipped": content[:-1] + bytes([content[-1] ^ 1]),
            "empty": b"",
            "swapped": files[TEST_LABELS],
            "longer": content + gzip.compress(b"more"),
        }[spoil]
        (data_folder / TRAIN_LABELS).write_bytes(spoilt)
        mirror.offer("good")
        for load in (load_mnist, fetch_mnist):
            with pytest.raises(OSError, match=TRAIN_LABELS) as caught:
                load()
            message = str(caught.value)
            assert "\n" not in message
            if spoil in ("swapped", "longer"):
                found = hashlib.sha256(gzip.decompress(spoilt)).hexdigest()[:12]
                assert f"expected sha256 {datasets.MNIST.sums[1][:12]}" in message
                assert f"got {found}" in message
        assert (data_folder / TRAIN_LABELS).read_bytes() == spoilt
        assert mirror.requests == []

    def test_a_file_that_unpacks_without_end_is_refused(self, data_folder, monkeypatch):
        monkeypatch.setattr(_sources, "LARGEST", 10_000)
        (data_folder / TRAIN_LABELS).write_bytes(gzip.compress(bytes(10**6)))
        with pytest.raises(OSError, match=r"cannot be unpacked: .* at most 10000 bytes$"):
            fetch_mnist()

    def test_what_the_folder_lacks_is_downloaded_into_the_cache(
        self, data_folder, mirror, tmp_path
    ):
        (data_folder / TEST_LABELS).unlink()
        mirror.offer("good")
        assert len(load_mnist("test")[1]) == 3
        assert mirror.requests == [f"/good/{TEST_LABELS}"]
        assert cached_files(tmp_path) == {TEST_LABELS}
        assert not (data_folder / TEST_LABELS).exists()


class TestMNISTDownload:
    def test_it_is_downloaded_once(self, files, mirror, arrays, tmp_path):
        mirror.offer("good")
        np.testing.assert_array_equal(load_mnist("train")[1], arrays[TRAIN_LABELS])
        assert mirror.requests == [f"/good/{TRAIN_IMAGES}", f"/good/{TRAIN_LABELS}"]
        load_mnist("train")
        assert len(mirror.requests) == 2
        assert cached_files(tmp_path) == {TRAIN_IMAGES, TRAIN_LABELS}
        assert [path.read_bytes() for path in fetch_mnist()] == list(files.values())

    @pytest.mark.parametrize("how", ["corrupt", "absent", "broken", "unreachable"])
    def test_the_second_mirror_helps_out(self, mirror, arrays, tmp_path, how):
        mirror.offer(how, "good")
        np.testing.assert_array_equal(load_mnist("test")[1], arrays[TEST_LABELS])
        assert f"/good/{TEST_LABELS}" in mirror.requests
        assert len(cached_files(tmp_path)) == 2

    @pytest.mark.parametrize("how", ["corrupt", "absent", "broken"])
    def test_no_half_written_file_stays(self, mirror, tmp_path, how):
        mirror.offer(how)
        with pytest.raises(OSError, match="could not be downloaded") as caught:
            fetch_mnist()
        assert "\n" not in str(caught.value)
        assert len(mirror.requests) == 1
        assert not cached_files(tmp_path)

    def test_an_interrupted_download_leaves_nothing(self, mirror, tmp_path, monkeypatch):
        def interrupted(response, chunk_size):
            yield response.raw.read(min(100, chunk_size))
            raise KeyboardInterrupt

        monkeypatch.setattr(requests.Response, "iter_content", interrupted)
        mirror.offer("good")
        with pytest.raises(KeyboardInterrupt):
            fetch_mnist()
        assert mirror.requests
        assert not cached_files(tmp_path)

    @pytest.mark.usefixtures("files")
    def test_offline_the_message_says_what_to_do(self):
        with pytest.raises(OSError, match="could not be downloaded") as caught:
            load_mnist("train")
        message = str(caught.value)
        assert f"MNIST's {TRAIN_IMAGES} is missing" in message
        assert "127.0.0.1:9: ConnectionError" in message
        assert "run `ttfs fetch mnist`" in message
        assert "set TTFSLIB_DATA" in message
        assert "\n" not in message

    def test_a_corrupt_file_in_the_cache_is_replaced(self, files, mirror, tmp_path):
        path = tmp_path / "cache" / "ttfslib" / "mnist" / TEST_LABELS
        path.parent.mkdir(parents=True)
        path.write_bytes(files[TEST_LABELS][:-1])
        with pytest.raises(OSError, match=f"{TEST_LABELS} is missing or corrupt"):
            datasets.MNIST.read(TEST_LABELS.removesuffix(".gz"), 1)
        mirror.offer("good")
        load_mnist("test")
        assert path.read_bytes() == files[TEST_LABELS]

    def test_a_cache_that_cannot_be_written_is_told(self, mirror, tmp_path):
        (tmp_path / "cache").write_text("a file where the folder should be")
        mirror.offer("good")
        with pytest.raises(OSError, match=f"^cannot keep {TRAIN_IMAGES} in .*cache"):
            load_mnist("train")

    def test_what_killed_downloads_have_left_is_removed(self, mirror, tmp_path):
        """After an hour: before that it may be another process's."""
        folder = tmp_path / "cache" / "ttfslib" / "mnist"
        folder.mkdir(parents=True)
        for name in ("tmpabc123", ".t10k.gz.0a.draft", "tmpyoung", "mine"):
            (folder / name).write_bytes(b"half")
        for name in ("tmpabc123", ".t10k.gz.0a.draft", "mine"):
            os.utime(folder / name, (0, 0))
        mirror.offer("good")
        load_mnist("test")
        assert cached_files(tmp_path) == {TEST_IMAGES, TEST_LABELS, "tmpyoung", "mine"}

    @pytest.mark.usefixtures("files")
    def test_a_process_killed_in_a_download_leaves_no_half_file(self, tmp_path):
        """It hangs in the middle of the first file when it is killed."""
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(120)
        code = (
            "import dataclasses, pooch; from pathlib import Path;"
            "from ttfslib import datasets as d;"
            f"pooch.os_cache = lambda name: Path({str(tmp_path)!r}) / 'cache' / name;"
            f"mirror = 'http://127.0.0.1:{server.getsockname()[1]}/';"
            "d.MNIST = dataclasses.replace(d.MNIST, mirrors=(mirror,)); d.fetchers()['mnist']()"
        )
        environment = os.environ | {"TTFSLIB_DATA": "", "HOME": str(tmp_path), "KERAS_HOME": ""}
        with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(5000))
            process.kill()
        connection.close()
        server.close()
        assert cached_files(tmp_path) == set()

    def test_downloads_of_two_data_sets_do_not_meet(self, mirror, files, tmp_path, monkeypatch):
        """Their files have the same names."""
        mirror.offer("good")
        others = {name: idx(np.ones((2, 28, 28) if "images" in name else 2)) for name in files}
        fashion = dataclasses.replace(
            datasets.FASHION_MNIST, sums=sums_of(others), mirrors=datasets.MNIST.mirrors
        )
        monkeypatch.setattr(datasets, "FASHION_MNIST", fashion)
        load_mnist("test")
        with pytest.raises(OSError, match=r"^Fashion-MNIST's .* not the published file"):
            load_fashion_mnist("test")
        files.update(others)
        assert load_fashion_mnist("test")[1].tolist() == [1, 1]
        assert len(load_mnist("test")[1]) == 3
        assert len(list((tmp_path / "cache").rglob(TEST_LABELS))) == 2


def as_npz(arrays, path):
    path.parent.mkdir(parents=True)
    names = ("x_train", "y_train", "x_test", "y_test")
    contents = zip(names, arrays.values(), strict=True)
    np.savez(path, **{name: array.astype(np.uint8) for name, array in contents})


class TestMNISTOfOthers:
    """Where other programs leave the files."""

    @pytest.fixture(autouse=True)
    def _small(self, files):
        self.files = files

    def put(self, folder, *, packed=True, dotted=False):
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            form = name.replace("-idx", ".idx") if dotted else name
            if packed:
                (folder / form).write_bytes(content)
            else:
                (folder / form.removesuffix(".gz")).write_bytes(gzip.decompress(content))

    @pytest.mark.parametrize(
        "place",
        ["data/MNIST/raw", "home/data/MNIST/raw", "home/.keras/datasets/mnist", "debian/mnist"],
    )
    @pytest.mark.parametrize("packed", [True, False])
    def test_they_are_found(self, tmp_path, arrays, place, packed):
        self.put(tmp_path / place, packed=packed)
        np.testing.assert_array_equal(load_mnist("test")[0] * 256, arrays[TEST_IMAGES])
        assert {path.parent.resolve() for path in fetch_mnist()} == {tmp_path / place}
        assert cached_files(tmp_path) == set()

    @pytest.mark.parametrize("place", ["MNIST/raw", "mnist"])
    @pytest.mark.parametrize("packed", [True, False])
    @pytest.mark.parametrize("dotted", [True, False])
    def test_they_are_found_below_the_named_folder(
        self, tmp_path, monkeypatch, place, packed, dotted
    ):
        monkeypatch.setenv("TTFSLIB_DATA", str(tmp_path / "named"))
        self.put(tmp_path / "named" / place, packed=packed, dotted=dotted)
        assert {path.parent for path in fetch_mnist()} == {tmp_path / "named" / place}
        assert len(load_mnist("train")[1]) == 7

    @pytest.mark.parametrize("place", ["home/.keras/datasets", "keras/datasets", "named"])
    def test_the_archive_of_keras_is_read(self, tmp_path, arrays, monkeypatch, place):
        if place == "named":
            monkeypatch.setenv("TTFSLIB_DATA", str(tmp_path / "named"))
        elif place.startswith("keras"):
            monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        as_npz(arrays, tmp_path / place / "mnist.npz")
        images, labels = load_mnist("train")
        np.testing.assert_array_equal(images * 256, arrays[TRAIN_IMAGES])
        np.testing.assert_array_equal(labels, arrays[TRAIN_LABELS])
        assert set(fetch_mnist()) == {tmp_path / place / "mnist.npz"}

    @pytest.mark.parametrize("kind", ["other pixels", "floats", "pickled", "no zip", "folder"])
    def test_what_is_not_mnist_is_passed_over_and_left_alone(self, tmp_path, arrays, kind):
        path = tmp_path / "home" / ".keras" / "datasets" / "mnist.npz"
        path.parent.mkdir(parents=True)
        others = {"x_train": arrays[TRAIN_IMAGES] + 1.0, "y_train": arrays[TRAIN_LABELS]}
        if kind == "other pixels":
            others["x_train"] = (arrays[TRAIN_IMAGES] ^ 1).astype(np.uint8)
        elif kind == "pickled":
            others["x_train"] = np.array([{}], dtype=object)
        if kind == "folder":
            path.mkdir()
        elif kind == "no zip":
            path.write_bytes(b"something else")
        else:
            np.savez(path, **others)
        self.put(tmp_path / "data" / "MNIST" / "raw", packed=False)
        spoilt = tmp_path / "data" / "MNIST" / "raw" / TRAIN_LABELS.removesuffix(".gz")
        spoilt.write_bytes(bytes(7))
        with pytest.raises(OSError, match=f"{TRAIN_LABELS} is missing or corrupt and could not"):
            load_mnist("train")
        assert spoilt.read_bytes() == bytes(7)
        self.put(tmp_path / "debian" / "mnist")
        assert len(load_mnist("train")[1]) == 7


class TestMNISTFormat:
    """The parser trusts no one, whatever the sums say."""

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"must begin with 00000801 and 1 sizes, got ''"),
            (b"\0\0\x08\x01\0", r"got '0000080100'"),
            (b"\0\0\x0d\x01\0\0\0\x07" + bytes(28), "got '00000d0100000007'"),
            (gzip.decompress(idx(np.zeros((7, 1)))), "got '0000080200000007'"),
            (b"\0\0\x08\x01\0\0\0\x07" + bytes(6), r"shape \(7,\), got 6 bytes"),
            (b"\0\0\x08\x01\0\0\0\x07" + bytes(8), r"shape \(7,\), got 8 bytes"),
        ],
    )
    def test_a_bad_format_is_refused(self, data_folder, monkeypatch, content, message):
        (data_folder / TRAIN_LABELS).write_bytes(gzip.compress(content))
        sums = list(datasets.MNIST.sums)
        sums[1] = hashlib.sha256(content).hexdigest()
        change_mnist(monkeypatch, sums=tuple(sums))
        with pytest.raises(OSError, match=message) as caught:
            load_mnist("train")
        assert str(data_folder / TRAIN_LABELS) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_as_many_images_as_labels(self, data_folder, monkeypatch):
        content = idx(np.zeros(6))
        (data_folder / TRAIN_LABELS).write_bytes(content)
        sums = list(datasets.MNIST.sums)
        sums[1] = hashlib.sha256(gzip.decompress(content)).hexdigest()
        change_mnist(monkeypatch, sums=tuple(sums))
        with pytest.raises(OSError, match=r"^MNIST train: 7 images, but 6 labels"):
            load_mnist("train")


REAL_FOLDER = Path(os.environ.get("TTFSLIB_DATA") or "/nonexistent") / "mnist"


@pytest.mark.skipif(
    not (REAL_FOLDER / TRAIN_IMAGES).exists(), reason="TTFSLIB_DATA names no folder with mnist/"
)
class TestRealMNIST:
    @pytest.mark.parametrize(
        ("split", "counts", "first"),
        [
            (
                "train",
                [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
                [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
            ),
            (
                "test",
                [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
                [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
            ),
        ],
    )
    def test_it_is_what_was_published(self, split, counts, first):
        images, labels = load_mnist(split)
        assert images.shape == (sum(counts), 28, 28)
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        assert (images.min(), images.max()) == (0, 255 / 256)
        np.testing.assert_array_equal(np.bincount(labels), counts)
        np.testing.assert_array_equal(labels[:10], first)

    def test_fetch_accepts_it(self):
        assert [path.parent for path in fetch_mnist()] == [REAL_FOLDER] * 4


@pytest.mark.skipif(
    not (_sources.DEBIAN / "fashion-mnist").is_dir(),
    reason="Debian's dataset-fashion-mnist is not here",
)
def test_debians_fashion_mnist_is_what_was_published():
    """Every class as often as any other; the first labels are those of the authors' repository."""
    for split, n, first in (("train", 6000, [9, 0, 0, 3]), ("test", 1000, [9, 2, 1, 1])):
        images, labels = load_fashion_mnist(split)
        assert images.shape == (10 * n, 28, 28)
        assert np.bincount(labels).tolist() == [n] * len(datasets.FASHION_CLASSES)
        assert labels[:4].tolist() == first
        assert (images.min(), images.max()) == (0, 255 / 256)


def test_every_data_set_is_what_its_entry_says():
    for name in ("digits", "yin_yang"):
        entry = datasets.DATASETS.make(datasets.DATASETS.choice(name))
        for split in datasets.SPLITS:
            features, labels = entry.load(split)
            assert features.shape[1:] == entry.shape
            assert np.unique(labels).tolist() == list(range(entry.n_classes))
    assert list(datasets.fetchers()) == ["mnist", "fashion_mnist"]
