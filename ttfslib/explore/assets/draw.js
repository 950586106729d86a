/* "Draw a digit": what the reader draws runs through a trained network, spike by spike. */
(() => {
"use strict";
const { html, svg, set, clear, voice, choice, raster, wake } = alive;
const {
  Generator, TTFSNetwork, decided_class, decision_time, draw_spikes, influence, latency_encode,
  pulse_packet, shorth,
} = ttfslib;

const SIDE = 28, BOX = 20, PEN = 1.25; // as MNIST's images: pixels, pixels of the digit, half a line
const N_EQUAL = 12, N_DRAWS = 40; // spikes at which widths are compared, and how often they are drawn
const ON_PATHWAY = 0.1; // share of a hidden layer that a lesion silences
const SECONDS_PER_TAU = { slow: 4, fast: 1.2 };
const last = (list) => list[list.length - 1];
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/* Digits to have drawn, by strokes in a square: for the keyboard, and for those in a hurry. */
const STROKES = [
  [[[.5, 0], [.3, .06], [.17, .25], [.13, .5], [.17, .75], [.3, .94], [.5, 1], [.7, .94], [.83, .75], [.87, .5], [.83, .25], [.7, .06], [.5, 0]]],
  [[[.36, .18], [.55, 0], [.5, 1]]],
  [[[.15, .25], [.3, .05], [.55, 0], [.78, .12], [.8, .35], [.6, .6], [.3, .85], [.12, 1], [.5, .97], [.88, .98]]],
  [[[.18, .12], [.45, 0], [.75, .1], [.78, .3], [.6, .45], [.4, .48], [.65, .52], [.85, .7], [.75, .92], [.45, 1], [.12, .9]]],
  [[[.25, .05], [.14, .5], [.5, .54], [.85, .5]], [[.74, .05], [.68, .5], [.64, 1]]],
  [[[.8, .02], [.35, .04], [.27, .42], [.55, .4], [.8, .55], [.82, .8], [.6, .98], [.3, 1], [.12, .9]]],
  [[[.68, 0], [.4, .2], [.2, .55], [.2, .85], [.45, 1], [.72, .92], [.78, .7], [.6, .57], [.35, .62], [.2, .8]]],
  [[[.12, .05], [.5, .04], [.85, .02], [.65, .4], [.48, .7], [.4, 1]]],
  [[[.75, .12], [.5, 0], [.25, .1], [.27, .3], [.5, .47], [.75, .65], [.78, .88], [.5, 1], [.22, .88], [.25, .68], [.5, .47], [.72, .3], [.75, .12]]],
  [[[.75, .18], [.5, 0], [.25, .12], [.22, .35], [.45, .48], [.7, .38], [.76, .14], [.72, .5], [.62, 1]]],
];

/* A stroke with its corners cut, twice over. */
function smooth(points, times = 2) {
  if (!times) return points;
  const cut = points.slice(1).flatMap(([x, y], i) => [0.25, 0.75].map((share) =>
    [points[i][0] + share * (x - points[i][0]), points[i][1] + share * (y - points[i][1])]));
  return smooth([points[0], ...cut, last(points)], times - 1);
}

/* ---- From strokes to an image as MNIST's were made ---- */

function distance(px, py, [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay], length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / length)) : 0;
  return Math.hypot(px - ax - along * dx, py - ay - along * dy);
}

/* First and last pixel that a line from one place to another may reach. */
const reached = (from, to) => [
  Math.max(0, Math.floor(Math.min(from, to) - PEN - 0.5)),
  Math.min(SIDE - 1, Math.floor(Math.max(from, to) + PEN + 0.5)),
];

/* Ink of every pixel: full inside the line, fading out at its edge. */
function rendered(strokes) {
  const image = new Float32Array(SIDE * SIDE);
  for (const points of strokes) {
    points.forEach((point, k) => {
      const before = points[Math.max(0, k - 1)];
      const [left, right] = reached(before[0], point[0]), [top, foot] = reached(before[1], point[1]);
      for (let y = top; y <= foot; y += 1) {
        for (let x = left; x <= right; x += 1) {
          const ink = PEN + 0.5 - distance(x + 0.5, y + 0.5, before, point), i = y * SIDE + x;
          if (ink > image[i]) image[i] = Math.min(ink, 255 / 256);
        }
      }
    });
  }
  return image;
}

/* Scaled to 20 x 20 pixels, then moved so that the center of mass of the ink is the center. */
function image_of(strokes) {
  const xs = strokes.flatMap((points) => points.map(([x]) => x));
  const ys = strokes.flatMap((points) => points.map(([, y]) => y));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const size = Math.max(Math.max(...xs) - left, Math.max(...ys) - top);
  const scale = size ? (BOX - 2 * PEN) / size : 1;
  const margin = (SIDE - BOX) / 2 + PEN;
  const moved = (dx, dy) => strokes.map((points) =>
    points.map(([x, y]) => [(x - left) * scale + margin + dx, (y - top) * scale + margin + dy]));
  const image = rendered(moved(0, 0));
  let total = 0, sum_x = 0, sum_y = 0;
  image.forEach((ink, i) => {
    total += ink;
    sum_x += ink * (i % SIDE);
    sum_y += ink * Math.floor(i / SIDE);
  });
  const middle = (SIDE - 1) / 2;
  return rendered(moved(middle - sum_x / total, middle - sum_y / total));
}

/* ---- The network ---- */

async function unpack({ sizes, params, excitatory_share, steps, levels }) {
  const bytes = Uint8Array.from(atob(levels), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const whole = new Int8Array(await new Response(stream).arrayBuffer());
  let from = 0;
  const weights = steps.map((step, i) => {
    const n = sizes[i] * sizes[i + 1];
    from += n;
    return Float32Array.from(whole.subarray(from - n, from), (level) => level * step);
  });
  return new TTFSNetwork(sizes, weights, { params, excitatory_share });
}

/* Indices of the neurons with the largest values, a share of all. */
const largest = (values, share) => Array.from(values.keys())
  .sort((i, j) => values[j] - values[i]).slice(0, Math.round(share * values.length));

/* ---- The paper ---- */

function paper(box, ondraw, onend) {
  const ink = svg("g", {});
  const pad = svg("svg", {
    class: "al-pad", viewBox: "0 0 1 1", role: "img",
    "aria-label": "Paper to draw a digit on. By keyboard, choose a digit below.",
  }, ink);
  box.append(pad);
  let strokes = [];
  const show = () => {
    clear(ink);
    strokes.forEach((points) => ink.append(svg("polyline", {
      class: "ink", points: (points.length > 1 ? points : [points[0], points[0]]).map((p) => p.join(",")).join(" "),
    })));
  };
  const at = (event) => {
    const found = pad.getBoundingClientRect();
    return [(event.clientX - found.left) / found.width, (event.clientY - found.top) / found.height]
      .map((share) => Math.min(1, Math.max(0, share)));
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    strokes.push([at(event)]);
    show();
    ondraw(strokes);
    event.preventDefault();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!pad.hasPointerCapture(event.pointerId)) return;
    last(strokes).push(at(event));
    show();
    ondraw(strokes);
  });
  pad.addEventListener("pointerup", () => onend(strokes));
  return {
    put(drawn) {
      strokes = drawn.map((points) => smooth(points).map(([x, y]) => [0.22 + 0.56 * x, 0.14 + 0.72 * y]));
      show();
      ondraw(strokes);
      if (strokes.length) onend(strokes);
    },
  };
}

/* ---- The page ---- */

wake("draw", async (stage, data) => {
  const network = await unpack(data);
  stage.network = network;
  const n_hidden = data.sizes.length - 2;
  const names = data.sizes.map((_, i) => (i === 0 ? "input" : i > n_hidden ? "output" : `hidden ${i}`));
  let image = null, result = null, lesion = null, clock = null, pace = "slow";

  const answer = html("p", { class: "al-answer al-big", "aria-hidden": "true" });
  const status = html("p", { class: "al-status" }, "Draw a digit, with a mouse, a finger or a pen.");
  const spoken = html("p", { class: "ttfs-spoken", "aria-live": "polite" });
  const say = voice(spoken, 1500);
  const left = html("div", {}), right = html("div", {});
  const page = paper(left, drawn, () => { compute(); play(); });
  const button = (text, onclick) => html("button", { type: "button", onclick }, text);
  const wipe = button("Clear", () => page.put([])), again = button("Watch again", () => play());
  const digits = html("div", { class: "al-dots", role: "group", "aria-label": "Let the page draw" },
    ...STROKES.map((strokes, digit) => html("button", {
      type: "button", class: "al-dot", "aria-label": `Draw a ${digit}`, onclick: () => page.put(strokes),
    }, String(digit))));
  const lesions = [
    button("Silence its pathway", () => operate("pathway")),
    button("Silence others instead", () => operate("others")),
    button("Heal", () => operate(null)),
  ];
  left.append(
    html("div", { class: "al-buttons" }, wipe, again),
    html("p", { class: "al-note al-offer" }, "Or let the page draw one:"), digits,
    choice("Speed", "al-pace", [["slow", "slow"], ["fast", "fast"], ["now", "at once"]], pace, (chosen) => { pace = chosen; play(); }));
  right.append(html("div", { class: "al-verdict" }, answer, status));
  const spikes = raster(right, names, { row_height: 74 });
  right.append(
    html("div", { class: "al-buttons" }, ...lesions),
    html("p", { class: "al-note" },
      "The large dots are the spikes that carry the decision: those with the largest influence, the exact derivative of the decision by their time. ",
      `The numbers on the right are the widths of the pulse packets at equal counts, ${N_EQUAL} spikes from each layer. `,
      `The network weighs ${Math.round(data.levels.length / 1000)} kB: its weights have ${data.bits} bits each.`));
  stage.append(spoken, html("div", { class: "al-columns al-drawing" }, left, right));

  /* The pen moves: what the network says must not keep it waiting. */
  function drawn(strokes) {
    stop();
    image = strokes.length ? image_of(strokes) : null;
    lesion = null;
    compute({ is_sketch: true });
    show(Infinity);
  }

  /* The whole network, for what is drawn and for the lesion there is; of a sketch, its spikes alone. */
  function compute({ is_sketch = false } = {}) {
    if (!image) {
      result = null;
      return;
    }
    const times = latency_encode(image, data.early, data.late);
    const run = (silenced) => {
      const volley = [times, ...network.forward(times, silenced)];
      return { volley, digit: decided_class(last(volley)), decision: decision_time(last(volley)) };
    };
    const carriers = () => influence(network).map((values) =>
      largest(values, ON_PATHWAY).filter((j) => values[j] > 0));
    const whole = run([]);
    let seen = whole;
    if (lesion !== null) {
      const pathway = carriers().slice(1);
      seen = run(lesion === "pathway" ? pathway : others(whole, pathway));
    }
    const layers = seen.volley.slice(0, -1);
    const details = is_sketch
      ? { chosen: null, widths: layers.map(() => null) }
      : { chosen: carriers(), widths: layers.map((times) => equal_width(times, seen.decision)) };
    result = { ...seen, ...details, intact: whole.digit };
    stage.image = image;
    stage.dataset.digit = result.digit;
    stage.dataset.decision = result.decision;
  }

  /* As many neurons that fired before the decision, drawn from those that are not on the pathway. */
  function others({ volley, decision }, pathway) {
    const generator = new Generator(1);
    return pathway.map((neurons, i) => {
      const left_over = Array.from(volley[i + 1].keys())
        .filter((j) => volley[i + 1][j] <= decision && !neurons.includes(j));
      return draw_spikes(left_over, Math.min(neurons.length, left_over.length), generator);
    });
  }

  /* Mean width of so many spikes, drawn again and again from a packet. */
  function equal_width(times, decision) {
    const generator = new Generator(0), packet = pulse_packet(times, decision);
    const drawn_widths = Array.from({ length: N_DRAWS }, () => shorth(draw_spikes(packet, N_EQUAL, generator)));
    return drawn_widths.reduce((sum, width) => sum + width, 0) / N_DRAWS;
  }

  function operate(what) {
    lesion = what;
    compute();
    play();
  }

  function show(now) {
    const is_over = result && result.decision <= now;
    stage.dataset.state = !result ? "empty" : now === Infinity ? "over" : "moving";
    for (const each of [again, ...lesions]) each.disabled = !result;
    lesions[2].disabled = lesion === null;
    if (!result) {
      answer.textContent = "";
      status.textContent = "Draw a digit, with a mouse, a finger or a pen.";
      spikes.show({ volley: names.map((_, i) => Array(data.sizes[i]).fill(Infinity)), share: data.excitatory_share });
      return;
    }
    const { volley, digit, decision, intact, chosen, widths } = result;
    spikes.show({ volley, share: data.excitatory_share, chosen: is_over ? chosen : null, widths, now });
    const decided = digit >= 0;
    answer.textContent = is_over || now === Infinity ? (decided ? String(digit) : "?") : "…";
    const what = lesion === "pathway" ? "Without the pathway, " : lesion === "others" ? "Without as many other neurons, " : "";
    const change = lesion === null ? "" : digit === intact ? " as before" : `, and not ${intact}`;
    const sentence = decided
      ? `the network says ${digit}${change}, at ${decision.toFixed(2)} τ.`
      : "the network says nothing: no output fires.";
    const whole = what + sentence;
    status.textContent = is_over || now === Infinity ? whole[0].toUpperCase() + whole.slice(1) : "The spikes run from layer to layer …";
    if (now === Infinity) {
      say(status.textContent);
      spikes.describe(`Spikes of every layer. ${status.textContent}`);
    }
  }

  function stop() {
    cancelAnimationFrame(clock);
    clock = null;
  }

  /* In slow motion up to the decision, and a little beyond. */
  function play() {
    stop();
    if (!result || pace === "now" || calm.matches) return show(Infinity);
    let begun = null;
    const end = Math.min(result.decision, 3) + 0.4;
    const tick = (time) => {
      begun = begun === null ? time : begun;
      const now = (time - begun) / 1000 / SECONDS_PER_TAU[pace];
      if (now > end) return show(Infinity);
      show(now);
      clock = requestAnimationFrame(tick);
    };
    clock = requestAnimationFrame(tick);
  }

  drawn([]);
});

alive.image_of = image_of;
alive.STROKES = STROKES;
alive.unpack_network = unpack;
})();
