/* "Train it here": a network learns scikit-learn's digits on the page. `training.js` does the work, in a
   worker where there is one; here is what one sees of it, and what one can do. */
(() => {
"use strict";
const { html, svg, set, clear, follow, voice, slider, choice, raster, weights, wake } = alive;
const { decided_class, decision_time } = ttfslib;

const NAMES = ["input", "hidden 1", "hidden 2", "hidden 3", "hidden 4", "output"];
const SIDE = 8, INK = 16; // a digit: pixels a side, and levels of ink
const GOAL = 0.9;
const PACES = [["4", "slow"], ["30", "watch"], ["0", "full speed"]];
const percent = (share) => `${Math.round(100 * share)} %`;
const last = (list) => list[list.length - 1];

/* A port to `ttfslib.serve`: a worker made of this page's own functions, or, where there is none, the
   page itself, which then hears again what it was told so far. */
function open_port(listen) {
  let told = [], send = null;
  const port = { where: "worker", post(data) { if (told) told.push(data); send(data); } };
  const stay = () => {
    const here = { postMessage: (data) => listen({ data }) };
    ttfslib.serve(here);
    port.where = "page";
    send = (data) => setTimeout(() => here.onmessage({ data }));
    told.forEach(send);
    told = null;
  };
  try {
    const worker = new Worker(URL.createObjectURL(new Blob([
      `${define_ttfslib}\n${define_training}\ndefine_ttfslib(self);\ndefine_training(self);\n`,
      "ttfslib.serve(self);",
    ], { type: "text/javascript" })));
    worker.onmessage = (message) => { told = null; listen(message); };
    worker.onerror = () => { if (told) stay(); };
    send = (data) => worker.postMessage(data);
  } catch {
    stay();
  }
  return port;
}

/* Samples as the page carries them: one letter a pixel, in base 17. */
function unpack(samples) {
  return Object.fromEntries(Object.entries(samples).map(([part, { pixels, labels }]) => [part, {
    features: Float32Array.from(pixels, (letter) => parseInt(letter, INK + 1) / INK),
    labels: Array.from(labels, Number),
  }]));
}

/* ---- Charts over the training ---- */

const CHART = { height: 132, left: 40, right: 66, top: 10, bottom: 22 };

function chart(box, title, { top, format, names, classes, guide = null }) {
  const picture = svg("svg", { class: "al-chart", height: CHART.height, role: "img", "aria-label": title });
  const figure = html("figure", {}, html("figcaption", {}, title), picture);
  box.append(figure);
  let width = 0, points = [];
  const draw = () => {
    if (!width) return;
    clear(picture);
    set(picture, { width, viewBox: `0 0 ${width} ${CHART.height}` });
    const end = Math.max(5, Math.ceil(points.length ? last(points).epoch : 0));
    const x = (epoch) => CHART.left + (epoch / end) * (width - CHART.left - CHART.right);
    const y = (value) => CHART.top + (1 - Math.min(value / top, 1.02)) * (CHART.height - CHART.top - CHART.bottom);
    for (const value of [0, top / 2, top]) {
      picture.append(
        svg("line", { x1: x(0), x2: x(end), y1: y(value), y2: y(value), class: "grid" }),
        svg("text", { x: CHART.left - 6, y: y(value) + 4, class: "end small quiet" }, format(value)));
    }
    if (guide !== null) picture.append(svg("line", { x1: x(0), x2: x(end), y1: y(guide), y2: y(guide), class: "guide" }));
    picture.append(
      svg("text", { x: x(0), y: CHART.height - 5, class: "small quiet" }, "0"),
      svg("text", { x: x(end), y: CHART.height - 5, class: "end small quiet" }, `epoch ${end}`));
    const labels = names.map((name, i) => {
      const path = points.filter((p) => p.values[i] !== null)
        .map((p, k) => `${k ? "L" : "M"}${x(p.epoch).toFixed(1)} ${y(p.values[i]).toFixed(1)}`).join("");
      picture.append(svg("path", { d: path, class: `line ${classes[i]}` }));
      const now = points.length ? last(points) : null;
      return now && now.values[i] !== null ? { name: name || format(now.values[i]), i, x: x(now.epoch) + 6, y: y(now.values[i]) + 4 } : null;
    }).filter(Boolean).sort((a, b) => a.y - b.y);
    // Labels keep their distance: pushed down from the first, then up from the last.
    labels.forEach((label, k) => { if (k) label.y = Math.max(label.y, labels[k - 1].y + 13); });
    for (let k = labels.length - 1, floor = CHART.height - CHART.bottom + 4; k >= 0; k -= 1, floor -= 13) {
      labels[k].y = Math.min(labels[k].y, floor);
    }
    labels.forEach((label) => {
      picture.append(svg("text", { x: label.x, y: label.y, class: `small label ${classes[label.i]}` }, label.name));
    });
  };
  follow(figure, (found) => { width = found; draw(); });
  return {
    begin() { points = []; draw(); },
    add(epoch, values) {
      points.push({ epoch, values });
      draw();
      const now = names.map((name, i) => values[i] !== null && `${name} ${format(values[i])}`).filter(Boolean);
      set(picture, { "aria-label": `${title}, in epoch ${epoch.toFixed(1)}: ${now.join(", ")}` });
    },
  };
}

/* ---- The digit, which is also paper to draw on ---- */

function digit_pad(box, onpaint) {
  const cells = Array.from({ length: SIDE * SIDE }, (_, i) =>
    svg("rect", { x: i % SIDE, y: Math.floor(i / SIDE), width: 1.02, height: 1.02, class: "pixel" }));
  const cursor = svg("rect", { width: 1, height: 1, class: "cursor" });
  const pad = svg("svg", {
    class: "al-digit", viewBox: `0 0 ${SIDE} ${SIDE}`, tabindex: 0, role: "application",
    "aria-label": "The digit. Draw on it: arrow keys move, space puts or takes ink.",
  }, ...cells, cursor);
  box.append(pad);
  let image = [], at = 0, ink = 1;
  const place = () => set(cursor, { x: at % SIDE, y: Math.floor(at / SIDE) });
  const show = (pixels) => {
    image = Array.from(pixels);
    cells.forEach((cell, i) => { cell.style.opacity = image[i]; });
  };
  const paint = (i) => {
    if (image[i] === ink) return;
    image[i] = ink;
    cells[i].style.opacity = ink;
    onpaint(image);
  };
  const cell_at = (event) => {
    const found = pad.getBoundingClientRect();
    const [column, row] = [event.clientX - found.left, event.clientY - found.top]
      .map((offset) => Math.min(SIDE - 1, Math.max(0, Math.floor((offset / found.width) * SIDE))));
    return row * SIDE + column;
  };
  pad.addEventListener("pointerdown", (event) => {
    at = cell_at(event);
    ink = image[at] > 0.5 ? 0 : 1;
    pad.setPointerCapture(event.pointerId);
    place();
    paint(at);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) paint(cell_at(event));
  });
  pad.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE }[event.key];
    if (event.key === " ") {
      ink = image[at] > 0.5 ? 0 : 1;
      paint(at);
    } else if (step) {
      at = (at + step + SIDE * SIDE) % (SIDE * SIDE);
      place();
    } else return;
    event.preventDefault();
  });
  place();
  return { show };
}

/* ---- The page ---- */

wake("train", (stage, { config, samples: packed, seed }) => {
  const samples = unpack(packed), n_held_out = samples.test.labels.length, n_pixels = SIDE * SIDE;
  let running = false, settings = {}, index = 0, is_drawn = false, goal_at = null, accuracy = 0;
  let heard = null; // of what the last report spoke: an epoch, or a step

  const main = html("button", { type: "button", class: "al-main", onclick: () => (running ? pause() : run()) }, "Train");
  const one = html("button", { type: "button", onclick: () => port.post({ command: "step" }) }, "One step");
  const again = html("button", { type: "button", onclick: restart }, "Start again");
  const status = html("p", { class: "al-status" });
  const spoken = html("p", { class: "ttfs-spoken", "aria-live": "polite" });
  const say = voice(spoken);
  const left = html("div", { class: "al-wide" }), right = html("div", { class: "al-narrow" });
  const answer = html("p", { class: "al-answer" });
  const other = html("button", { type: "button", onclick: () => choose(index + 1) }, "Another digit");
  const paper = html("div", { class: "al-paper" });
  const pad = digit_pad(paper, (image) => {
    is_drawn = true;
    port.post({ command: "show", image });
  });
  paper.append(html("div", {}, answer, other));
  left.append(paper);
  const spikes = raster(left, NAMES, { has_twin: true });
  left.append(html("p", { class: "al-note" },
    "Each dot is the one spike of a neuron: ",
    html("b", { class: "excites" }, "orange"), " excites, ", html("b", { class: "inhibits" }, "blue"),
    " inhibits. The shaded box holds the densest half of a layer’s spikes, and its width in τ stands on the right. ",
    "The output that fires first is the answer. The thin rows are the same network, untrained."));
  const matrix = weights(left, NAMES, (layer) => port.post({ command: "watch", layer }));

  const layers = [0, 1, 2, 3, 4], shades = ["layer-0", "layer-1", "layer-2", "layer-3", "layer-4"];
  const charts = {
    accuracy: chart(right, "Held-out digits read correctly", {
      top: 1, format: percent, names: [""], classes: ["accent"], guide: GOAL,
    }),
    width: chart(right, "Width of the pulse packets (τ)", {
      top: 0.6, format: (v) => v.toFixed(1), names: layers.map((i) => NAMES[i]), classes: shades,
    }),
    silent: chart(right, "Neurons that stay silent", {
      top: 0.5, format: percent, names: layers.slice(1).map((i) => NAMES[i]), classes: shades.slice(1),
    }),
  };

  const change = (changes) => {
    settings = { ...settings, ...changes, loss: { ...settings.loss, ...changes.loss } };
    port.post({ command: "set", changes });
  };
  const seed_input = html("input", { type: "number", min: 0, max: 2 ** 31, step: 1, value: seed, onchange: restart });
  const dale = html("input", { type: "checkbox", checked: true, onchange: () => change({ dale: dale.checked }) });
  const log_slider = (label, at, digits, to) => slider(label, {
    min: -3, max: 1.5, step: 0.05, value: 0, show: (v) => (at * 10 ** v).toPrecision(digits),
    oninput: (v) => change(to(at * 10 ** v)),
  });
  const rules = html("details", { class: "al-rules" }, html("summary", {}, "Change the rules while it learns"),
    html("div", {},
      log_slider("learning rate", config.learning_rate, 2, (v) => ({ learning_rate: v })),
      log_slider("reward for early spikes, α", config.loss.alpha, 2, (v) => ({ loss: { alpha: v } })),
      slider("noise on the input spikes (τ)", {
        min: 0, max: 2, step: 0.05, value: config.input_noise, show: (v) => v.toFixed(2),
        oninput: (v) => change({ input_noise: v, final_noise: (v * config.final_noise) / config.input_noise }),
      }),
      html("label", { class: "al-check" }, dale, html("span", {}, "Dale’s law: a neuron excites or inhibits, never both")),
      html("label", { class: "al-number" }, html("span", {}, "seed (starts again)"), seed_input)));
  stage.append(
    html("div", { class: "al-buttons" }, main, one, again,
      choice("Speed", "al-pace", PACES, "30", (steps) => port.post({ command: "pace", steps: Number(steps) }))),
    status, spoken, html("div", { class: "al-columns" }, left, right));
  right.append(rules);

  const port = open_port(({ data }) => (data.kind === "measure" ? measured(data) : looked(data)));
  stage.dataset.where = port.where;

  function run() {
    port.post({ command: "run" });
    say("The network trains.");
  }
  function pause() {
    port.post({ command: "pause" });
  }
  function restart() {
    goal_at = null;
    Object.values(charts).forEach((each) => each.begin());
    const rules_now = { ...config, ...settings, loss: { ...config.loss, ...settings.loss } };
    port.post({ command: "start", config: rules_now, seed: Math.max(0, Math.floor(Number(seed_input.value)) || 0), samples });
    port.post({ command: "set", changes: { dale: dale.checked } });
    port.post({ command: "pace", steps: Number(stage.querySelector("[name^=al-pace]:checked").value) });
    choose(index);
  }
  function choose(next) {
    index = next % n_held_out;
    is_drawn = false;
    const image = Array.from(samples.test.features.subarray(index * n_pixels, (index + 1) * n_pixels));
    pad.show(image);
    port.post({ command: "show", image });
  }

  function measured({ epoch, accuracy: share, shorth, silent }) {
    accuracy = share;
    charts.accuracy.add(epoch, [share]);
    charts.width.add(epoch, layers.map((i) => shorth[i]));
    charts.silent.add(epoch, layers.slice(1).map((i) => silent[i]));
    if (share >= GOAL && goal_at === null) goal_at = epoch;
    stage.dataset.accuracy = share;
  }

  function looked({ epoch, n_steps, running: runs, watched, volley, twin }) {
    running = runs;
    main.textContent = running ? "Pause" : n_steps ? "Go on" : "Train";
    stage.dataset.steps = n_steps;
    const report = `Epoch ${epoch.toFixed(1)} of ${config.epochs}: ${percent(accuracy)} of ${n_held_out} held-out digits are read correctly.`;
    const goal = goal_at === null ? "" : ` It passed ${percent(GOAL)} in epoch ${goal_at.toFixed(1)}.`;
    const begin = "Its weights are random. It guesses. ";
    status.textContent = (n_steps ? "" : begin) + report + goal;
    const news = running ? Math.floor(epoch) : `step ${n_steps}`;
    if (news !== heard) say(status.textContent);
    heard = news;
    matrix.show(watched);
    if (!volley) return;
    spikes.show({ volley, twin, share: dale.checked ? config.excitatory_share : null });
    const digit = decided_class(last(volley)), label = samples.test.labels[index];
    const verdict = is_drawn ? "" : digit === label ? " That is right." : ` It is a ${label}.`;
    const decision = decision_time(last(volley));
    answer.textContent = digit < 0 ? "It says nothing: no output fires." : `It says ${digit}.${verdict}`;
    answer.dataset.right = is_drawn ? "" : digit === label;
    const until = decision < Infinity ? `the decision comes at ${decision.toFixed(2)} τ` : "nothing is decided";
    spikes.describe(`Spikes of every layer for this digit; ${until}.`);
  }

  restart();
});
})();
