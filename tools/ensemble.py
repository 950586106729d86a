"""Measure networks of a sweep, or such as ship, layer by layer, for chapter 9.

    ttfs sweep data/ensemble_digits/sweep.toml --out FOLDER
    python tools/ensemble.py FOLDER data/ensemble_digits/layers.csv
    python tools/ensemble.py fashion-dale data/ensemble_fashion/shipped.csv

In the place of a folder may stand the name of a configuration whose runs the book ships.

One row for each layer of each network, from the input (layer 0) to the last hidden one, all
measured on the same test images. Widths are means over images of the shorth of twelve spikes drawn
from each packet, and nan where fewer than a tenth of the images have as many.

=====================  ============================================================================
``group``, ``seed``    of the sweep
``layer``, ``depth``   0 is the input; how many hidden layers there are
``accuracy``           share of the test images that are read correctly
``jittered``           the same with jitter of 0.1 tau_s on every spike of every layer, mean of four
                       draws
``answers``            how many classes are named for at least one image in a hundred
``decision_time``      median over the images
``activity``           share of the neurons that spike up to the decision
``measured``           share of the images whose packet has twelve spikes
``width``              cut at the decision
``width_early``        cut at the decision, or just before the background comes
``width_fixed``        cut at 1.5 tau_s
``width_uncut``        not cut
``untrained``, ...     the same four before training
``paired_before``,     before and after training, cut where the trained network decides, over the
``paired_after``       images that have twelve spikes in both
``separability``       of the responses; ``untrained_separability`` before training
``needed``             of the images of the second half that are read correctly, the share that is
                       lost without the five neurons of most influence on their digit, found on the
                       first half; nan for a network that reads fewer than half
``needed_busiest``     the share lost without the five that fire most for the digit
``needed_random``      without five at random of the others that fire for it in one image of twenty
=====================  ============================================================================
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tables
import torch
from numpy.typing import NDArray

import ttfslib
from ttfslib import Run, book
from ttfslib.analysis.equal_counts import packet_widths
from ttfslib.experiment._jobs import is_done
from ttfslib.experiment.recipe import load_test_samples
from ttfslib.experiment.robustness import Damage, perturbed_layers
from ttfslib.experiment.sweep import KEPT, Sweep

N_IMAGES = 2000
N_EQUAL = 12
N_SILENCED = 5
LEAST_SHARE = 0.1
"""A layer has a width if so many of the images have packets of `N_EQUAL` spikes there."""
JITTER = 0.1
N_JITTERED = 4
EARLY, FIXED = 1.99, 1.5
"""Cuts, in tau_s: before the background, and at one time for all."""

Array = NDArray[np.floating[Any]]


class Measured:
    """A network in one state, and what its layers do with the images, whose spikes may jitter.

    ``noise`` is the standard deviation of that jitter, in tau_s.
    """

    def __init__(self, run: Run, epoch: int | None = None, noise: float = 0.0) -> None:
        self.network = run.network(epoch)
        self.rest = ttfslib.rest_of(self.network)
        n_images = min(N_IMAGES, len(load_test_samples(run.config).labels))
        spikes = run.spikes(epoch, n_samples=n_images)
        self.labels = spikes.labels
        layers = [spikes.input, *spikes.layers]
        if noise > 0:
            rng = np.random.default_rng(run.seed)
            inputs = torch.from_numpy(ttfslib.jitter(spikes.input, noise, rng))
            layers = perturbed_layers(self.network, inputs, Damage(), rng)
        *self.layers, outputs = layers
        self.decisions = ttfslib.decision_time(outputs)
        self.named = ttfslib.decided_class(outputs)
        self.fires = [np.isfinite(ttfslib.pulse_packet(t, self.decisions)) for t in self.layers]
        self.weights = run.weights(epoch)
        middle = len(self.labels) // 2
        self.halves = slice(0, middle), slice(middle, None)

    def drawn_widths(self, cut: Array) -> Array:
        """Shorth of twelve spikes up to a cut, of each layer and image; nan if there are fewer."""
        rng = np.random.default_rng(1)
        return packet_widths(self.layers, cut, N_EQUAL, rng).astype(np.float64)

    def cuts(self) -> dict[str, Array]:
        """Until when the spikes of each image count, in four ways."""
        return {
            "": self.decisions,
            "_early": np.minimum(self.decisions, EARLY),
            "_fixed": np.full_like(self.decisions, FIXED),
            "_uncut": np.full_like(self.decisions, np.inf),
        }

    def widths(self) -> dict[str, Array]:
        """Mean widths of each layer at the four cuts."""
        return {name: mean_of(self.drawn_widths(cut)) for name, cut in self.cuts().items()}

    def activities(self) -> Array:
        """Share of each layer's neurons that spike up to the decision."""
        return np.array([fires.mean() for fires in self.fires])

    def separabilities(self) -> Array:
        """Separability of each layer's responses."""
        responses = [ttfslib.response(times, self.decisions) for times in self.layers]
        return np.array([ttfslib.separability(each, self.labels) for each in responses])

    def is_right(self) -> NDArray[np.bool_]:
        """Whether each image is read correctly."""
        return np.asarray(self.named == self.labels)

    def accuracy_with_jitter(self) -> float:
        """Share of the images that are read correctly if every spike is a little early or late."""
        damage, rng = Damage(jitter=JITTER), np.random.default_rng(1)
        inputs = torch.as_tensor(self.layers[0])
        outputs = [
            perturbed_layers(self.network, inputs, damage, rng)[-1] for _ in range(N_JITTERED)
        ]
        return float(np.mean([ttfslib.decided_class(times) == self.labels for times in outputs]))

    def n_answers(self) -> int:
        """How many classes are named for at least one image in a hundred."""
        counts = np.bincount(self.named[self.named >= 0])
        return int((counts >= len(self.named) / 100).sum())

    def needed(self) -> Iterator[tuple[float, ...]]:
        """For each layer what its few neurons carry: by influence, the busiest, at random."""
        find, test = self.halves
        shown, rng = self.labels[test], np.random.default_rng(1)
        influences = ttfslib.influence(self.layers[0][find], self.weights)
        right = self.is_right()[test].mean()
        right = right if right > 0.5 else np.nan
        for layer, (times, found) in enumerate(zip(self.layers, influences, strict=True)):
            scores = ttfslib.class_means(found, self.labels[find])
            rates = ttfslib.class_means(self.fires[layer][find].astype(float), self.labels[find])
            others = (rates > 0.05) & ~ttfslib.strongest(scores, N_SILENCED)
            rules = scores, rates, rng.random(rates.shape) * others
            lost = (
                ttfslib.dose_response(layer, times[test], shown, rule, [N_SILENCED], self.rest)
                for rule in rules
            )
            yield tuple(float(each.mean() / right) for each in lost)


def mean_of(widths: Array, mean: Callable[..., Array] = np.nanmean) -> Array:
    """Mean over images, last axis; nan where fewer than a tenth have a width."""
    enough = np.isfinite(widths).mean(axis=-1) >= LEAST_SHARE
    found = np.where(enough[..., None], widths, 0)
    return np.where(enough, mean(found, axis=-1), np.nan)


def paired(before: Measured, trained: Measured) -> tuple[Array, Array]:
    """Mean widths before and after training, at the same cut and over the same images."""
    both = np.stack([net.drawn_widths(trained.decisions) for net in (before, trained)])
    both[:, np.isnan(both).any(axis=0)] = np.nan
    old, new = mean_of(both)
    return old, new


def rows_of(group: str, run: Run) -> Iterator[dict[str, Any]]:
    """Rows of the table, one for each layer of a network."""
    trained, before = Measured(run), Measured(run, 0)
    by_layer: dict[str, Any] = {
        "activity": trained.activities(),
        "measured": np.isfinite(trained.drawn_widths(trained.decisions)).mean(axis=1),
        **{f"width{cut}": widths for cut, widths in trained.widths().items()},
        **{f"untrained{cut}": widths for cut, widths in before.widths().items()},
        "separability": trained.separabilities(),
        "untrained_separability": before.separabilities(),
    }
    by_layer["paired_before"], by_layer["paired_after"] = paired(before, trained)
    rules = ("needed", "needed_busiest", "needed_random")
    by_layer |= dict(zip(rules, zip(*trained.needed(), strict=True), strict=True))
    of_network = {
        "accuracy": trained.is_right().mean(),
        "jittered": trained.accuracy_with_jitter(),
        "answers": trained.n_answers(),
        "decision_time": np.median(trained.decisions),
    }
    place = {"group": group, "seed": run.seed, "depth": len(trained.layers) - 1}
    for layer in range(len(trained.layers)):
        values = of_network | {name: column[layer] for name, column in by_layer.items()}
        yield place | {"layer": layer} | {name: f"{value:.5g}" for name, value in values.items()}


def networks_of(source: str) -> Iterator[tuple[str, Run]]:
    """All finished networks of a sweep with their groups, or those that ship under a name."""
    folder = Path(source)
    if (folder / KEPT).exists():
        for job in Sweep.from_toml(folder / KEPT).jobs:
            if is_done(job, folder):
                yield job.group, ttfslib.load_run(folder / job.folder)
    elif re.fullmatch(r"[\w-]+", source):
        for run in book.shipped_seeds(source).values():
            yield source, run


def measure(source: str, out: Path, say: Callable[[str], None] = print) -> None:
    """Write the table of all these networks."""
    rows: list[dict[str, Any]] = []
    for group, run in networks_of(source):
        say(run.path.name)
        rows += rows_of(group, run)
    if not rows:
        raise ValueError(
            "source must be the folder of a sweep with a finished network, or the name of runs "
            f"that ship, got {source}"
        )
    tables.write(out, list(rows[0]), (row.values() for row in rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("source", help="folder of a sweep, or name of runs that the book ships")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    measure(options.source, options.out)
