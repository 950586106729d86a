"""Data sets: scikit-learn's digits, the Yin-Yang points and MNIST.

Every loader returns ``(images or points, labels)`` with float32 features in [0, 1], ready for
`ttfslib.latency_encode`, and int64 labels. Digits come with scikit-learn, Yin-Yang points are
drawn, and MNIST is looked for in this order:

1. the folder ``mnist`` in the folder that the environment variable ``TTFSLIB_DATA`` names;
2. the user's cache (``pooch.os_cache("ttfslib")``), downloaded there once if need be.

A file whose SHA-256 sum is not the published one is never used. In ``TTFSLIB_DATA``, which
belongs to the user, it is refused; in the cache, which belongs to us, it is downloaded again.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._registry import Registry

SPLITS = ("train", "test")

DIGITS_TEST_SHARE = 0.2
DIGITS_SPLIT_SEED = 0

YIN_YANG_CLASSES = ("yin", "yang", "dot")
YIN_YANG_RADIUS = 0.5
YIN_YANG_DOT_RADIUS = 0.1

DATA_VARIABLE = "TTFSLIB_DATA"
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class DataSet:
    """What a config may train on.

    Attributes
    ----------
    load : callable
        Takes "train" or "test", returns float32 features in [0, 1] and int64 labels.
    are_images : bool
        Whether a sample has height and width, and can be shifted.
    """

    load: Callable[[str], tuple[Images, Labels]]
    are_images: bool = True


DATASETS: Registry[DataSet] = Registry("dataset")
"""Data sets that a config may name."""


def load_digits(split: str = "train") -> tuple[Images, Labels]:
    """Load scikit-learn's handwritten digits, 8x8 pixels, without any download.

    The 1797 digits are split once and for all, stratified by class: 1437 to train on, 360 to
    test on. Both parts keep the order of the source. Its 13 writers appear in both, so the test
    asks for new digits, not for new hands.

    Parameters
    ----------
    split : {"train", "test"}
        Which part to return.

    Returns
    -------
    images : float32 array, shape (n_samples, 8, 8)
        Pixel / 16, in [0, 1]; ink is 1.
    labels : int64 array, shape (n_samples,)
        The digit, 0 to 9.

    Raises
    ------
    ValueError
        If `split` is neither "train" nor "test".

    References
    ----------
    Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository; the copy that scikit-learn ships is the test set of that collection.
    """
    _checks.one_of("split", split, SPLITS)
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    parts = train_test_split(
        np.arange(len(digits.target)),
        test_size=DIGITS_TEST_SHARE,
        random_state=DIGITS_SPLIT_SEED,
        stratify=digits.target,
    )
    chosen = np.sort(parts[SPLITS.index(split)])
    images = (digits.images[chosen] / 16).astype(np.float32)
    return images, digits.target[chosen].astype(np.int64)


def load_yin_yang(n_samples: int = 5000, seed: int = 0) -> tuple[Images, Labels]:
    """Draw points of the Yin-Yang data set: three classes that no linear readout separates.

    The points fill the disc of radius 0.5 around (0.5, 0.5), evenly within each class. Every
    class gets a third of them (counts differ by at most one), in random order: a class is chosen
    for each point, and the point is drawn again until it falls into that class. The paper draws
    the classes too, so that its counts fluctuate; it trains on 5000 points and validates and
    tests on 1000 each, from other seeds.

    Parameters
    ----------
    n_samples : int
        Number of points.
    seed : int
        Seed of the numpy Generator; the same seed gives the same points.

    Returns
    -------
    points : float32 array, shape (n_samples, 4)
        ``(x, y, 1 - x, 1 - y)``, all in [0, 1]. Latency-encoded, the mirrored pair makes
        every point, wherever it lies, bring the same sum of spike times: a neuron needs no bias.
    labels : int64 array, shape (n_samples,)
        0 yin, 1 yang, 2 dot; see `yin_yang_label`.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive integer or `seed` not a non-negative one.

    References
    ----------
    Kriener, Göltz and Petrovici (2022), The Yin-Yang dataset, NICE 2022, arXiv 2102.08211.
    """
    n_samples = _checks.integer("n_samples", n_samples)
    rng = np.random.default_rng(_checks.integer("seed", seed, minimum=0))
    labels = rng.permutation(np.arange(n_samples) % len(YIN_YANG_CLASSES))
    points = np.empty((n_samples, 2), dtype=np.float32)
    pending = np.arange(n_samples)
    while pending.size:
        candidates = rng.random((pending.size, 2), dtype=np.float32)
        accepted = yin_yang_label(*candidates.T) == labels[pending]
        points[pending[accepted]] = candidates[accepted]
        pending = pending[~accepted]
    return np.hstack([points, 1 - points]), labels.astype(np.int64)


def yin_yang_label(x: ArrayLike, y: ArrayLike) -> Labels:
    """Class of the points (x, y) of the Yin-Yang plane, also for drawing the regions.

    A disc of radius 0.5 around (0.5, 0.5) is cut in two by an S made of two half circles of
    half that radius. They bound the left lobe, around (0.25, 0.5), and the right lobe, around
    (0.75, 0.5). Yang is the upper half, with the left lobe and without the right one; yin is
    the rest. A dot of radius 0.1 sits in the middle of each lobe; both dots are one class.

    Parameters
    ----------
    x, y : array_like, shapes that broadcast
        Coordinates.

    Returns
    -------
    labels : int64 array, the broadcast shape
        0 yin, 1 yang, 2 dot, -1 outside the disc. These are the numbers of the data set that
        the authors published.

    Raises
    ------
    ValueError
        If a coordinate is not finite, or the shapes do not broadcast.
    """
    x, y = _checks.finite_array("x", x), _checks.finite_array("y", y)
    try:
        x, y = np.broadcast_arrays(x, y)
    except ValueError:
        raise ValueError(f"y must broadcast with x {x.shape}, got {y.shape}") from None
    radius = YIN_YANG_RADIUS
    to_left_lobe = np.hypot(x - radius / 2, y - radius)
    to_right_lobe = np.hypot(x - 3 * radius / 2, y - radius)
    to_nearest_dot = np.minimum(to_left_lobe, to_right_lobe)
    is_yang = (to_left_lobe <= radius / 2) | ((y > radius) & (to_right_lobe > radius / 2))
    labels = np.where(to_nearest_dot < YIN_YANG_DOT_RADIUS, 2, is_yang)
    outside = np.hypot(x - radius, y - radius) > radius
    return np.where(outside, -1, labels).astype(np.int64)


def load_mnist(split: str = "train") -> tuple[Images, Labels]:
    """Load the MNIST handwritten digits, downloading them on first use.

    Where the files are looked for, and what becomes of a corrupt one, the module's docstring tells.

    Parameters
    ----------
    split : {"train", "test"}
        60,000 digits to train on, or 10,000 to test on.

    Returns
    -------
    images : float32 array, shape (n_samples, 28, 28)
        Pixel / 256, in [0, 1), as in arXiv 2508.12975: the darkest ink is 255/256. Ink is bright.
    labels : int64 array, shape (n_samples,)
        The digit, 0 to 9.

    Raises
    ------
    ValueError
        If `split` is neither "train" nor "test".
    OSError
        If a file is corrupt, or is missing and cannot be downloaded.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document
    recognition, Proceedings of the IEEE 86.
    """
    prefix = {"train": "train", "test": "t10k"}[_checks.one_of("split", split, SPLITS)]
    pixels = _read_idx(f"{prefix}-images-idx3-ubyte.gz", ndim=3)
    labels = _read_idx(f"{prefix}-labels-idx1-ubyte.gz", ndim=1)
    if len(pixels) != len(labels):
        raise OSError(f"MNIST {split}: {len(pixels)} images, but {len(labels)} labels")
    return np.divide(pixels, 256, dtype=np.float32), labels.astype(np.int64)


def fetch_mnist() -> list[Path]:
    """Make sure that MNIST is here and intact; download what is missing.

    Returns
    -------
    paths : list of pathlib.Path
        Where the four files lie.

    Raises
    ------
    OSError
        If a file is corrupt, or is missing and cannot be downloaded.
    """
    paths = [_mnist_path(name) for name in MNIST_SHA256]
    for path in paths:
        _read_verified(path)
    return paths


def _mnist_path(name: str) -> Path:
    """Where the file lies, after a download if there is none."""
    if folder := os.environ.get(DATA_VARIABLE):
        path = Path(folder).expanduser() / "mnist" / name
        if path.exists():
            return path
    return _cached_or_downloaded(name)


def _cached_or_downloaded(name: str) -> Path:
    import pooch
    import requests

    folder = Path(pooch.os_cache("ttfslib")) / "mnist"
    known_hash = f"sha256:{MNIST_SHA256[name]}"
    failures = []
    for mirror in MNIST_MIRRORS:
        host = urlsplit(mirror).netloc
        try:
            return Path(pooch.retrieve(mirror + name, known_hash, fname=name, path=folder))
        except requests.RequestException as error:
            failures.append(f"{host}: {type(error).__name__}")
        except ValueError:
            failures.append(f"{host}: wrong checksum")
        except OSError as error:
            raise OSError(f"cannot keep {name} in {folder}: {error}") from error
    raise OSError(
        f"MNIST's {name} is missing or corrupt and could not be downloaded "
        f"({'; '.join(failures)}): run `ttfs fetch mnist` when there is a connection, or set "
        f"{DATA_VARIABLE} to the folder that holds mnist/{name}"
    )


def _read_verified(path: Path) -> bytes:
    content = path.read_bytes()
    expected, found = MNIST_SHA256[path.name], hashlib.sha256(content).hexdigest()
    if found != expected:
        raise OSError(
            f"{path} is not the published file: expected sha256 {expected[:12]}..., got "
            f"{found[:12]}... ({len(content)} bytes); remove it or put the right one there"
        )
    return content


def _read_idx(name: str, ndim: int) -> NDArray[np.uint8]:
    """Read unsigned bytes in `ndim` dimensions from a gzipped file in the IDX format.

    The header is two zero bytes, the type (8: unsigned byte), the number of dimensions, and each
    dimension as a big-endian 32-bit integer.
    """
    path = _mnist_path(name)
    packed = _read_verified(path)
    try:
        content = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise OSError(f"{path} is not a whole gzip file: {error}") from None
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


@DATASETS.register("mnist")
def _mnist() -> DataSet:
    return DataSet(load_mnist)


@DATASETS.register("digits")
def _digits() -> DataSet:
    return DataSet(load_digits)


@DATASETS.register("yin_yang")
def _yin_yang(n_train: int = 6000, n_test: int = 1000) -> DataSet:
    """Points to train and validate on from seed 0, points to test on from seed 1."""
    sizes = {
        "train": _checks.integer("n_train", n_train),
        "test": _checks.integer("n_test", n_test),
    }

    def load(split: str) -> tuple[Images, Labels]:
        seed = SPLITS.index(_checks.one_of("split", split, SPLITS))
        return load_yin_yang(sizes[split], seed=seed)

    return DataSet(load, are_images=False)
