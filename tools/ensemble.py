"""Measure every network of a sweep layer by layer, for chapter 9.

    ttfs sweep data/ensemble_digits/sweep.toml --out FOLDER
    python tools/ensemble.py FOLDER data/ensemble_digits/layers.csv

One row for each layer of each network, from the input (layer 0) to the last hidden one, all
measured on the same test images.

======================  ===========================================================================
``group``, ``seed``     of the sweep
``layer``, ``depth``    0 is the input; how many hidden layers there are
``accuracy``            share of the test images that are read correctly
``jittered``            the same with jitter of 0.1 tau_s on every spike of every layer
``decision_time``       median over the images
``activity``            share of the neurons that spike up to the decision
``width``               mean shorth of twelve spikes drawn from each packet
``width_1``, ``_2``     of the first and second half of the images
``iqr``                 mean interquartile range of the same spikes
``uncut``               mean shorth of twelve spikes drawn from all, also after the decision
``untrained``           mean shorth of the network before training, cut at its own decisions
``untrained_same_cut``  cut where the trained network decides about the same image
``separability``        of the responses; ``untrained_separability`` before training
``needed``              of the images of the second half that are read correctly, the share that is
                        lost without the five neurons of most influence on their digit; nan for a
                        network that reads fewer than half
``needed_other``        the share lost without five of another digit
======================  ===========================================================================
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ttfslib
from ttfslib import Run
from ttfslib._files import write
from ttfslib.analysis.equal_counts import mean_widths
from ttfslib.experiment.recipe import load_test_samples
from ttfslib.experiment.robustness import Damage, perturbed_layers
from ttfslib.experiment.sweep import KEPT, Sweep, is_done

N_IMAGES = 2000
N_EQUAL = 12
N_SILENCED = 5
JITTER = 0.1

Array = NDArray[np.floating[Any]]


class Measured:
    """A network in one state, and what its layers do with the images."""

    def __init__(self, run: Run, epoch: int | None = None) -> None:
        self.network = run.network(epoch)
        n_images = min(N_IMAGES, len(load_test_samples(run.config).labels))
        spikes = run.spikes(epoch, n_samples=n_images)
        self.labels = spikes.labels
        self.inputs = torch.as_tensor(spikes.input)
        self.layers = [spikes.input, *spikes.layers[:-1]]
        self.outputs = spikes.layers[-1]
        self.decisions = ttfslib.decision_time(self.outputs)
        self.weights = run.weights(epoch)
        middle = len(self.labels) // 2
        self.halves = slice(0, middle), slice(middle, None)

    def widths(self, cut: Array, part: slice = slice(None)) -> Array:
        """Mean shorth of each layer at equal counts, of spikes up to a cut for each image."""
        layers = [times[part] for times in self.layers]
        return mean_widths(layers, cut[part], N_EQUAL, np.random.default_rng(1))[0]

    def ranges(self) -> Array:
        """Mean interquartile range of each layer at equal counts."""
        rng = np.random.default_rng(1)
        packets = [ttfslib.pulse_packet(times, self.decisions) for times in self.layers]
        found = [ttfslib.iqr(ttfslib.draw_spikes(packet, N_EQUAL, rng)) for packet in packets]
        return np.array([np.nanmean(each) if np.isfinite(each).any() else np.nan for each in found])

    def activities(self) -> Array:
        """Share of each layer's neurons that spike up to the decision."""
        packets = [ttfslib.pulse_packet(times, self.decisions) for times in self.layers]
        return np.array([np.isfinite(packet).mean() for packet in packets])

    def separabilities(self) -> Array:
        """Separability of each layer's responses."""
        responses = [ttfslib.response(times, self.decisions) for times in self.layers]
        return np.array([ttfslib.separability(each, self.labels) for each in responses])

    def is_right(self) -> NDArray[np.bool_]:
        """Whether each image is read correctly."""
        return np.asarray(ttfslib.decided_class(self.outputs) == self.labels)

    def accuracy_with_jitter(self) -> float:
        """Share of the images that are read correctly if every spike is a little early or late."""
        damage, rng = Damage(jitter=JITTER), np.random.default_rng(1)
        outputs = perturbed_layers(self.network, self.inputs, damage, rng)[-1]
        return float(np.mean(ttfslib.decided_class(outputs) == self.labels))

    def needed(self) -> Iterator[tuple[float, float]]:
        """For each layer what its few neurons of most influence carry, own and another digit's."""
        find, test = self.halves
        shown, rng = self.labels[test], np.random.default_rng(1)
        others = ttfslib.another_class(shown, rng)
        influences = ttfslib.influence(self.layers[0][find], self.weights)
        right = self.is_right()[test].mean()
        right = right if right > 0.5 else np.nan
        for layer, (times, found) in enumerate(zip(self.layers, influences, strict=True)):
            scores = ttfslib.class_means(found, self.labels[find])
            rule = (layer, times[test], shown, scores, [N_SILENCED], self._forward)
            lost = (ttfslib.dose_response(*rule, targets=hit).mean() for hit in (shown, others))
            own, other = (float(each / right) for each in lost)
            yield own, other

    @torch.no_grad()
    def _forward(self, layer: int, spike_times: Array) -> list[Array]:
        times = [torch.as_tensor(spike_times, dtype=torch.float32)]
        for step in self.network.stack[layer:]:
            times.append(step(times[-1]))
        return [each.numpy() for each in times[1:]]


def rows_of(group: str, run: Run) -> Iterator[dict[str, Any]]:
    """Rows of the table, one for each layer of a network."""
    trained, before = Measured(run), Measured(run, 0)
    forever = np.full(len(trained.labels), np.inf)
    by_layer: dict[str, Any] = {
        "activity": trained.activities(),
        "width": trained.widths(trained.decisions),
        **{f"width_{i}": trained.widths(trained.decisions, half)
           for i, half in enumerate(trained.halves, start=1)},
        "iqr": trained.ranges(),
        "uncut": trained.widths(forever),
        "untrained": before.widths(before.decisions),
        "untrained_same_cut": before.widths(trained.decisions),
        "separability": trained.separabilities(),
        "untrained_separability": before.separabilities(),
    }  # fmt: skip
    by_layer["needed"], by_layer["needed_other"] = zip(*trained.needed(), strict=True)
    of_network = {
        "accuracy": trained.is_right().mean(),
        "jittered": trained.accuracy_with_jitter(),
        "decision_time": np.median(trained.decisions),
    }
    place = {"group": group, "seed": run.seed, "depth": len(trained.layers) - 1}
    for layer in range(len(trained.layers)):
        values = of_network | {name: column[layer] for name, column in by_layer.items()}
        yield place | {"layer": layer} | {name: f"{value:.5g}" for name, value in values.items()}


def measure(folder: Path, out: Path, say: Callable[[str], None] = print) -> None:
    """Write the table of all finished networks of a sweep."""
    rows: list[dict[str, Any]] = []
    for job in Sweep.from_toml(folder / KEPT).jobs:
        if is_done(job, folder):
            say(job.folder)
            rows += rows_of(job.group, ttfslib.load_run(folder / job.folder))
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(out, table.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure every network of a sweep.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    measure(options.folder, options.out)
