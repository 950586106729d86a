"""Drive the pages that compute for minutes: frames a second, the cost of a move, and memory.

Each page is driven without a pause, as by a restless reader: inputs are dragged, added and removed,
digits drawn and silenced, trainings begun, changed and begun anew. Each minute garbage is collected
and what is left is counted: what grows from minute to minute is a leak. The costs are seconds of
the page's main thread, which other work on the machine touches little; frames need an idle machine.

    python benchmarks/pages.py                         # five minutes a page, after `make book`
    python benchmarks/pages.py --minutes 1 --only draw
    python benchmarks/pages.py --out data/pages.json   # for the table of the book

BOOK_SITE may name a folder with the built site.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

from playwright.sync_api import CDPSession, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import chromium  # noqa: E402

Point = tuple[float, float]
Moves = Iterator[None]
"""What a reader does in one round; it yields after each move."""
LENGTH = 60
"""Points along which a reader drags."""
COLLECT = 2 * ["HeapProfiler.collectGarbage"]
"""The second time waits for what the first one lets be done beside it."""
STEPS = "() => document.querySelector('.al-stage').dataset.steps >= 5"
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
# How long each frame was shown; an array of fixed size, as what watches a heap must not grow it.
WATCH = """
(() => {
  const found = new Float64Array(2 ** 17);
  let n = 0, before = null;
  const tick = (now) => {
    if (before !== null && n < found.length) found[n++] = now - before;
    before = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  globalThis.frames_shown = () => Array.from(found.subarray(0, n));
})()
"""


# What a reader does ------------------------------------------------------------------------------


def ring(begin: Point, radius: float, n: int) -> list[Point]:
    """Points once round from a point back to it."""
    turns = [2 * math.pi * i / (n - 1) for i in range(n)]
    x, y = begin
    return [(x + radius * math.sin(a), y + radius * (1 - math.cos(a)) / 2) for a in turns]


def center_of(locator: Locator) -> Point:
    """The middle of what it finds, on the screen."""
    locator.evaluate("thing => thing.scrollIntoView({behavior: 'instant', block: 'center'})")
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, points: Sequence[Point]) -> Moves:
    """Go along points with the button of the mouse held down."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points:
        page.mouse.move(*point)
        yield
    page.mouse.up()


def press(page: Page, *keys: str) -> Moves:
    """Press one key after the other."""
    for key in keys:
        page.keyboard.press(key)
        yield


def click(page: Page, *names: str) -> Moves:
    """Click buttons by their names."""
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()
        yield


def wait(n_frames: int) -> Moves:
    """Look on."""
    for _ in range(n_frames):
        yield


def play(page: Page, n: int, length: int) -> Moves:
    """Drag an input that was not there before, by hand and by keys, and take it away again."""
    yield from click(page, "Add an input")
    yield from drag(page, ring(center_of(page.locator(".handle .head").last), 60, length))
    page.locator(".handle").last.focus()
    yield from press(page, *5 * ["ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"])
    page.locator("[name^=al-ratio]").nth(n % 5).check(force=True)
    yield
    page.locator(".al-dot").nth(n % 7).click()
    yield
    page.locator(".handle").last.focus()
    yield from press(page, "Delete")


def draw(page: Page, n: int, length: int) -> Moves:
    """Draw two strokes, silence parts of the network, and let the page draw a digit."""
    page.get_by_role("radio", name="fast" if n % 2 else "at once").check()
    middle = center_of(page.locator(".al-pad"))
    for radius in (60, 100):
        yield from drag(page, ring(middle, radius, length))
        yield from wait(5)
    for name in ("Silence its pathway", "Silence others instead", "Heal", "Watch again"):
        yield from click(page, name)
        yield from wait(20)
    page.get_by_role("button", name=f"Draw a {n % 10}").click()
    yield from wait(40)
    yield from click(page, "Clear")


def train(page: Page, n: int, length: int) -> Moves:
    """Train for a while under changing rules, draw on the digit, and begin anew."""
    rules = page.locator(".al-rules")
    if rules.get_attribute("open") is None:
        rules.locator("summary").click()
    yield from click(page, "Train")
    page.wait_for_function(STEPS)
    yield from wait(120)
    page.get_by_label(re.compile("learning rate")).focus()
    yield from press(page, "ArrowRight", "ArrowLeft")
    page.get_by_label(re.compile("Dale")).focus()
    yield from press(page, "Space", "Space")
    page.locator(".ttfs-alive figcaption select").select_option(index=n % 5)
    yield from wait(60)
    yield from click(page, "Pause", "One step", "One step", "Another digit")
    yield from drag(page, ring(center_of(page.locator(".al-digit")), 40, length))
    yield from click(page, "Start again")
    page.locator(".al-stage[data-steps='0']").wait_for()


def touch(page: Page, _n: int, length: int) -> Moves:
    """Drag the point of the figure, enlarge the figure, and move a slider by keys."""
    yield from drag(page, ring(center_of(page.locator(".ttfs-knob")), 60, length))
    figure = page.locator(".ttfs-live")
    figure.get_by_role("button", name="Enlarge").first.click()
    yield from wait(10)
    yield from press(page, "Escape")
    figure.locator("input").first.focus()
    yield from press(page, *10 * ["ArrowRight"], *10 * ["ArrowLeft"])


class Visit(NamedTuple):
    """A page of the site, what shows that it is awake, and a round of moves on it.

    A round is told its number, and the number of points along which it drags.
    """

    path: str
    awake: str
    round: Callable[[Page, int, int], Moves]


VISITS = {
    "playground": Visit("playground", "[data-page=playground][data-state=ready]", play),
    "draw": Visit("draw", "[data-page=draw][data-state=ready]", draw),
    "train": Visit("train", ".al-stage[data-steps='0']", train),
    "chapter": Visit("ch04_layers", ".ttfs-live[data-state=ready]", touch),
}


# What it costs -----------------------------------------------------------------------------------


class Meter:
    """What Chromium tells of a page: seconds of its main thread, and what is in its memory."""

    def __init__(self, page: Page) -> None:
        self.session: CDPSession = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.workers: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.session.on("Target.attachedToTarget", lambda e: self.workers.append(e["sessionId"]))
        self.session.on(
            "Target.receivedMessageFromTarget", lambda e: self.told.append(json.loads(e["message"]))
        )
        self.session.send(
            "Target.setAutoAttach",
            {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False},
        )

    def next_frame(self) -> None:
        """Wait until a picture is drawn."""
        self.session.send("Runtime.evaluate", {"expression": NEXT_FRAME, "awaitPromise": True})

    def spent_ms(self) -> tuple[float, float]:
        """Milliseconds of the main thread up to now: in scripts, and with styles and drawing."""
        found = self._metrics()
        return 1e3 * found["ScriptDuration"], 1e3 * found["ThreadTime"]

    def memory(self) -> dict[str, float]:
        """What is left when garbage is collected, in MB and in numbers."""
        for method in COLLECT:
            self.session.send(method)
        found = self._metrics()
        return {
            "heap_mb": _megabytes(self.session.send("Runtime.getHeapUsage")),
            "worker_mb": sum(map(self._worker_mb, self.workers), 0.0),
            "nodes": int(found["Nodes"]),
            "listeners": int(found["JSEventListeners"]),
        }

    def _metrics(self) -> dict[str, float]:
        told = self.session.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in told}

    def _worker_mb(self, worker: str) -> float:
        self.told.clear()
        for number, method in enumerate((*COLLECT, "Runtime.getHeapUsage")):
            message = json.dumps({"id": number, "method": method})
            self.session.send(
                "Target.sendMessageToTarget", {"sessionId": worker, "message": message}
            )
        while not (answer := [e["result"] for e in self.told if e.get("id") == len(COLLECT)]):
            self.next_frame()
        return _megabytes(answer[0])


def _megabytes(usage: dict[str, float]) -> float:
    return round((usage["usedSize"] + usage["backingStorageSize"]) / 1e6, 3)


def driven(page: Page, visit: Visit, minutes: float) -> dict[str, Any]:
    """Drive an open page, a move in each frame, and return what was seen."""
    meter = Meter(page)
    page.evaluate(WATCH)
    begun, passed, n_rounds, memory, costs = time.perf_counter(), 0.0, 0, [], []
    while passed < minutes:
        before = meter.spent_ms()
        for _ in visit.round(page, n_rounds, LENGTH):
            meter.next_frame()
            now = meter.spent_ms()
            costs.append([b - a for a, b in zip(before, now, strict=True)])
            before = now
        n_rounds += 1
        passed = (time.perf_counter() - begun) / 60
        if passed >= min(len(memory), minutes):
            memory.append({"minute": round(passed, 1), **meter.memory()})
    script, busy = zip(*costs, strict=True)
    return {
        "rounds": n_rounds,
        "moves": len(costs),
        "frame_ms": _spread(page.evaluate("frames_shown()")),
        "script_ms": _spread(script),
        "busy_ms": _spread(busy),
        "memory": memory,
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {name: round(cuts[i - 1], 2) for name, i in (("median", 50), ("p95", 95), ("p99", 99))}


# The table ---------------------------------------------------------------------------------------


def lines(name: str, row: dict[str, Any]) -> Iterator[str]:
    """A page for the terminal."""
    yield f"{name}: {row['moves']} moves in {row['rounds']} rounds"
    for what in ("frame_ms", "script_ms", "busy_ms"):
        yield f"  {what:12}" + "".join(f"{k:>8} {v:7.2f}" for k, v in row[what].items())
    for found in row["memory"]:
        yield (
            f"  minute {found['minute']:4.1f}: heap {found['heap_mb']:6.2f} MB, worker "
            f"{found['worker_mb']:6.2f} MB, {found['nodes']} nodes, {found['listeners']} listeners"
        )


def main() -> int:
    """Print what was seen of each page, and keep it."""
    from peers import IDLE, machine

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5, help="for each page")
    parser.add_argument("--only", action="append", choices=VISITS, help="this page; repeatable")
    parser.add_argument("--out", type=Path, help="JSON file for the table")
    options = parser.parse_args()
    site = Path(os.environ.get("BOOK_SITE", ROOT / "_build" / "html")).resolve()
    if not site.is_dir():
        print(f"{site} does not exist: run `make book` first", file=sys.stderr)
        return 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > IDLE:
        print(f"This machine has other work (load {load:.1f}): it will show too few frames.")
    rows = {}
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        about = {"machine": machine(), "chromium": browser.version, "load": load}
        for name in options.only or VISITS:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(120_000)
            page.goto((site / "chapters" / f"{VISITS[name].path}.html").as_uri())
            page.locator(VISITS[name].awake).first.wait_for()
            rows[name] = driven(page, VISITS[name], options.minutes)
            print("\n".join(lines(name, rows[name])), flush=True)
            page.close()
        browser.close()
    if options.out:
        text = json.dumps({**about, "minutes": options.minutes, "pages": rows}, indent=1)
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
