"""Data sets: small digits, the Yin-Yang points, MNIST and Fashion-MNIST.

Every loader returns ``(images or points, labels)`` with float32 features in [0, 1], ready for
`ttfslib.latency_encode`, and int64 labels. The digits come with the package, Yin-Yang points are
drawn, and MNIST and Fashion-MNIST are looked for in the folder that the environment variable
``TTFSLIB_DATA`` names, in the user's cache, and where torchvision, Keras and Debian leave them;
otherwise they are downloaded. Whatever does not hold what was published is never used;
``ttfslib/_sources.py`` tells the rest.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ttfslib import _checks
from ttfslib._registry import Registry
from ttfslib._sources import FASHION_MNIST, MNIST, Source

SPLITS = ("train", "test")

MNIST_SAMPLES = (60_000, 10_000)
DIGITS_SAMPLES = (1437, 360)

YIN_YANG_CLASSES = ("yin", "yang", "dot")
YIN_YANG_RADIUS = 0.5
YIN_YANG_DOT_RADIUS = 0.1

MAX_POINTS = 10**7
"""Most Yin-Yang points that a config may ask for."""

FASHION_CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class DataSet:
    """What a config may train on.

    Attributes
    ----------
    load : callable
        Takes "train" or "test", returns float32 features in [0, 1] and int64 labels.
    shape : tuple of int
        Of the features of one sample.
    n_classes : int
        Labels are 0, 1, ..., `n_classes` - 1.
    fetch : callable, optional
        Finds or downloads the files, checks them, and returns where they are. None if the data set
        needs no files.
    n_samples : (int, int)
        How many there are to train on and to test on, so that a config that would need too much
        memory is refused before they are loaded; (0, 0) if nobody knows.
    """

    load: Callable[[str], tuple[Images, Labels]]
    shape: tuple[int, ...]
    n_classes: int
    fetch: Callable[[], list[Path]] | None = None
    n_samples: tuple[int, int] = (0, 0)

    @property
    def are_images(self) -> bool:
        """Whether a sample has height and width, and can be shifted."""
        return len(self.shape) == 2


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
    Repository (CC BY 4.0), of which these are the test set; ``digits.csv.gz`` holds the copy that
    scikit-learn ships, which takes a second to import.
    """
    _checks.one_of("split", split, SPLITS)
    with files("ttfslib").joinpath("digits.csv.gz").open("rb") as packed, gzip.open(packed) as file:
        *pixels, labels, is_test = np.loadtxt(file, np.int64, delimiter=",", unpack=True)
    chosen = is_test == SPLITS.index(split)
    images = np.stack(pixels, axis=1)[chosen].reshape(-1, 8, 8)
    return (images / 16).astype(np.float32), labels[chosen]


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
    return _load(MNIST, split)


def load_fashion_mnist(split: str = "train") -> tuple[Images, Labels]:
    """Load pictures of clothes in the format of MNIST, downloading them on first use.

    They are as many and as large as MNIST's digits, and harder to tell apart.

    Parameters
    ----------
    split : {"train", "test"}
        60,000 pictures to train on, or 10,000 to test on.

    Returns
    -------
    images : float32 array, shape (n_samples, 28, 28)
        Pixel / 256, in [0, 1), as for MNIST. The background is dark, 0.
    labels : int64 array, shape (n_samples,)
        0 to 9; `ttfslib.datasets.FASHION_CLASSES` has the names.

    Raises
    ------
    ValueError
        If `split` is neither "train" nor "test".
    OSError
        If a file is corrupt, or is missing and cannot be downloaded.

    References
    ----------
    Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms, arXiv 1708.07747. Zalando SE published it under the MIT licence.
    """
    return _load(FASHION_MNIST, split)


def _load(source: Source, split: str) -> tuple[Images, Labels]:
    prefix = {"train": "train", "test": "t10k"}[_checks.one_of("split", split, SPLITS)]
    pixels = source.read(f"{prefix}-images-idx3-ubyte", ndim=3)
    labels = source.read(f"{prefix}-labels-idx1-ubyte", ndim=1)
    if len(pixels) != len(labels):
        raise OSError(f"{source.title} {split}: {len(pixels)} images, but {len(labels)} labels")
    return np.divide(pixels, 256, dtype=np.float32), labels.astype(np.int64)


def fetchers() -> dict[str, Callable[[], list[Path]]]:
    """What finds or downloads the files of each data set that has files, by its name."""
    made = {name: DATASETS.make(DATASETS.choice(name)) for name in DATASETS.names}
    return {name: dataset.fetch for name, dataset in made.items() if dataset.fetch}


@DATASETS.register("mnist")
def _mnist() -> DataSet:
    return DataSet(load_mnist, (28, 28), 10, MNIST.fetch, MNIST_SAMPLES)


@DATASETS.register("fashion_mnist")
def _fashion_mnist() -> DataSet:
    return DataSet(load_fashion_mnist, (28, 28), 10, FASHION_MNIST.fetch, MNIST_SAMPLES)


@DATASETS.register("digits")
def _digits() -> DataSet:
    return DataSet(load_digits, (8, 8), 10, n_samples=DIGITS_SAMPLES)


@DATASETS.register("yin_yang")
def _yin_yang(n_train: int = 6000, n_test: int = 1000) -> DataSet:
    """Points to train and validate on from seed 0, points to test on from seed 1."""
    sizes = {"train": _n_points("n_train", n_train), "test": _n_points("n_test", n_test)}

    def load(split: str) -> tuple[Images, Labels]:
        seed = SPLITS.index(_checks.one_of("split", split, SPLITS))
        return load_yin_yang(sizes[split], seed=seed)

    return DataSet(load, (4,), len(YIN_YANG_CLASSES), n_samples=(n_train, n_test))


def _n_points(name: str, value: int) -> int:
    if _checks.integer(name, value) > MAX_POINTS:
        raise ValueError(f"{name} must be at most {MAX_POINTS}, got {value}")
    return value
