"""Finding, checking and downloading the files of a data set that is published as four IDX files.

MNIST and the sets made in its likeness are looked for in this order:

1. in the folder that the environment variable ``TTFSLIB_DATA`` names: in a folder of the set's own
   name, or in the folders and archives that follow;
2. in the user's cache (``pooch.os_cache("ttfslib")``), in a folder for each data set;
3. where other programs leave them: torchvision in ``data/MNIST/raw`` (below the working folder and
   at home), Keras in ``~/.keras/datasets`` (as files, or as an archive ``mnist.npz``), Debian in
   ``/usr/share/datasets``;
4. on the net, from where they go into the cache.

Files may be gzipped or raw. What counts is the content: whatever does not unpack to the very bytes
that were published is never used. In ``TTFSLIB_DATA``, which the user has named, such a file is
refused; everywhere else it is passed over.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from ttfslib import _files

DATA_VARIABLE = "TTFSLIB_DATA"
DEBIAN = Path("/usr/share/datasets")
LARGEST = 2**26
"""Bytes of the largest file, packed or not."""
STALE = 3600.0
"""Seconds after which an unfinished download has no process that still writes it."""
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_KERAS_ARRAYS = dict(zip(FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Source:
    """Where the four files of a data set come from.

    Parameters
    ----------
    name : str
        In the registry, and of the folders in ``TTFSLIB_DATA`` and in the cache.
    title : str
        In messages.
    torchvision, others : str
        What torchvision, and what Keras and Debian call it.
    mirrors : tuple of str
        Addresses of folders with the gzipped files, to be tried in this order.
    sums : tuple of str
        SHA-256 sums of what the files `FILES` unpack to.
    """

    name: str
    title: str
    torchvision: str
    others: str
    mirrors: tuple[str, ...]
    sums: tuple[str, ...]

    @property
    def sha256(self) -> dict[str, str]:
        """The sum of what each file unpacks to, by the file's name."""
        return dict(zip(FILES, self.sums, strict=True))

    def fetch(self) -> list[Path]:
        """Find or download every file, and return where each was found.

        Raises
        ------
        OSError
            If a file is corrupt, or is missing and cannot be downloaded.
        """
        return [self._found(file)[0] for file in FILES]

    def read(self, file: str, ndim: int) -> NDArray[np.uint8]:
        """Read unsigned bytes in `ndim` dimensions from a file in the IDX format.

        Raises
        ------
        OSError
            If the file is corrupt, or is missing and cannot be downloaded.
        """
        return parse_idx(*self._found(file), ndim)

    @property
    def cache(self) -> Path:
        """The folder into which files are downloaded."""
        import pooch

        return Path(pooch.os_cache("ttfslib")) / self.name

    def _found(self, file: str) -> tuple[Path, bytes]:
        """Where a file was found, and its content."""
        for path in self._in_data_folder(file):
            if path.exists():
                return path, self._demanded(path, file)
        for path in (self.cache / f"{file}.gz", *self._left_by_others(file)):
            content = self._published(path, file)
            if content is not None:
                return path, content
        return self._downloaded(file)

    def _in_data_folder(self, file: str) -> Iterator[Path]:
        if named := os.environ.get(DATA_VARIABLE):
            root = Path(named).expanduser()
            for folder in dict.fromkeys((self.name, f"{self.torchvision}/raw", self.others)):
                yield from _forms(root / folder, file)
            yield root / f"{self.others}.npz"

    def _left_by_others(self, file: str) -> Iterator[Path]:
        with suppress(RuntimeError):  # there is no home
            for root in (Path("data"), Path("~/data").expanduser()):
                yield from _forms(root / self.torchvision / "raw", file)
            keras = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
            yield from _forms(keras / self.others, file)
            yield keras / f"{self.others}.npz"
        yield from _forms(DEBIAN / self.others, file)

    def _demanded(self, path: Path, file: str) -> bytes:
        try:
            content = _unpacked(path, file)
        except _UNREADABLE as error:
            raise OSError(f"{path} cannot be unpacked: {_files.one_line(error)}") from None
        expected, found = self.sha256[file], hashlib.sha256(content).hexdigest()
        if found != expected:
            raise OSError(
                f"{path} does not hold the published file: expected sha256 {expected[:12]}..., "
                f"got {found[:12]}... ({len(content)} bytes unpacked); remove it or put the right "
                "one there"
            )
        return content

    def _published(self, path: Path, file: str) -> bytes | None:
        """Content of a file, if it is there and what was published."""
        try:
            return self._demanded(path, file) if path.exists() else None
        except OSError:
            return None

    def _downloaded(self, file: str) -> tuple[Path, bytes]:
        import pooch
        import requests

        path, failures = self.cache / f"{file}.gz", []
        remove_stale(path.parent)
        for mirror in self.mirrors:
            host, received = urlsplit(mirror).netloc, io.BytesIO()
            try:
                pooch.HTTPDownloader()(f"{mirror}{file}.gz", received, None)
                content = _gunzip(received.getvalue())
            except requests.RequestException as error:
                failures.append(f"{host}: {type(error).__name__}")
                continue
            except _UNREADABLE:
                content = b""
            if hashlib.sha256(content).hexdigest() != self.sha256[file]:
                failures.append(f"{host}: not the published file")
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                _files.write(path, received.getvalue())
            except OSError as error:
                raise OSError(f"cannot keep {path.name} in {path.parent}: {error}") from None
            return path, content
        raise OSError(
            f"{self.title}'s {path.name} is missing or corrupt and could not be downloaded "
            f"({'; '.join(failures)}): run `ttfs fetch {self.name}` when there is a connection, or "
            f"set {DATA_VARIABLE} to the folder that holds {self.name}/{path.name}"
        )


def remove_stale(folder: Path) -> None:
    """Remove what downloads that were killed have left in a folder, long ago."""
    for path in (*_files.drafts(folder), *folder.glob("tmp*")):
        with suppress(OSError):
            if path.is_file() and time.time() - path.stat().st_mtime > STALE:
                path.unlink()


def parse_idx(path: Path, content: bytes, ndim: int) -> NDArray[np.uint8]:
    """Unsigned bytes in `ndim` dimensions that a file in the IDX format holds.

    The header is two zero bytes, the type (8: unsigned byte), the number of dimensions, and each
    dimension as a big-endian 32-bit integer.

    Raises
    ------
    OSError
        If the content is something else; the message names `path`.
    """
    magic, start = bytes([0, 0, 8, ndim]), 4 + 4 * ndim
    header = content[:start]
    if len(header) < start or not header.startswith(magic):
        raise OSError(
            f"{path} must begin with {magic.hex()} and {ndim} sizes, got {header.hex()!r}"
        )
    shape = tuple(np.frombuffer(header, dtype=">u4", offset=4).tolist())
    if len(content) - start != math.prod(shape):
        raise OSError(f"{path} must hold data of shape {shape}, got {len(content) - start} bytes")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _forms(folder: Path, file: str) -> Iterator[Path]:
    """Names under which a file goes around."""
    for name in (file, file.replace("-idx", ".idx")):
        yield folder / f"{name}.gz"
        yield folder / name


def _unpacked(path: Path, file: str) -> bytes:
    if path.suffix == ".npz":
        return _of_archive(path, _KERAS_ARRAYS[file])
    content = _files.read_bytes(path, LARGEST)
    return _gunzip(content) if path.suffix == ".gz" else content


def _gunzip(packed: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it must unpack to at most {LARGEST} bytes")
    return content


def _of_archive(path: Path, name: str) -> bytes:
    """An array of an archive, as a file in the IDX format would hold it."""
    packed = io.BytesIO(_files.read_bytes(path, LARGEST))
    with zipfile.ZipFile(packed) as archive, archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{name} must be in version 1.0 of its format, got {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype != np.uint8 or max(shape, default=0) >= 2**32:
            raise ValueError(f"{name} must be unsigned bytes, got {dtype} of shape {shape}")
        sizes = np.array(shape, dtype=">u4").tobytes()
        return bytes([0, 0, 8, len(shape)]) + sizes + file.read(LARGEST)


MNIST = Source(
    name="mnist",
    title="MNIST",
    torchvision="MNIST",
    others="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sums=(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FASHION_MNIST = Source(
    name="fashion_mnist",
    title="Fashion-MNIST",
    torchvision="FashionMNIST",
    others="fashion-mnist",
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    sums=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
