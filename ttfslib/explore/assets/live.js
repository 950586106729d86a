/* Figures that the page draws itself, for every position of their sliders. The axes are those of the
   still picture; a kind, `live.register(name, begin)`, draws what moves. `begin` gets the figure and
   returns `show(values)`, which draws into the panels and returns what it found and what it `says`;
   beside it may stand a `handle` that moves two of the values, and `confine`, which keeps them where
   they make sense and is told which of them alone was moved, if one was; or `names`, with which the
   `points` that `show` found are named where one points at them. */
(() => {
"use strict";
const { html, svg, set, clear, follow, voice, once_a_frame } = alive;
const { first_spike_time, membrane_potential } = ttfslib;
const { position, connect, readOut } = ttfsControls;
const ARRAYS = { float32: Float32Array, float64: Float64Array, int32: Int32Array };
const FINGER = 22; // pixels around a handle or a point that belong to it

/* ---- What Python has handed over ---- */

const bytes_of = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/* Arrays come as their bytes, and numbers that JSON does not know by name. */
function revive(_key, value) {
  if (value === null || typeof value !== "object") return value;
  if ("$number" in value) return Number(value.$number);
  return "$bytes" in value ? new ARRAYS[value.$type](bytes_of(value.$bytes).buffer) : value;
}

/* A color of the light page, which the style of the figure turns for the dark one. */
const ink = (color) => `var(--ttfs-${color.slice(1)}, ${color})`;

/* The still picture as a drawing of the page, with ids of its own and without what moves. */
function scene(still, dark_images) {
  const own = `$1ttfs-${Math.random().toString(36).slice(2)}-`;
  const markup = new TextDecoder().decode(bytes_of(still.src.split(",")[1]))
    .replace(/( id="|href="#|url\(#)/g, own)
    .replace(/#[0-9a-f]{6}\b/gi, ink);
  const drawing = document.importNode(
    new DOMParser().parseFromString(markup, "image/svg+xml").documentElement, true);
  // Letters are defined where they stand first, and what stays may use them again.
  drawing.querySelectorAll(".ttfs-moves").forEach((part) => part.replaceWith(...part.querySelectorAll("defs")));
  // A style inside a drawing would hold for the whole page.
  drawing.querySelectorAll("style").forEach((part) => part.remove());
  [...drawing.querySelectorAll("image")].forEach((image, i) => {
    const twin = image.cloneNode();
    twin.setAttribute("href", dark_images[i]);
    image.classList.add("ttfs-on-light");
    twin.classList.add("ttfs-on-dark");
    image.after(twin);
  });
  return drawing;
}

/* ---- A panel: one of the axes, in which a kind draws in the units of the data ---- */

class Panel {
  constructor({ box: [left, top, width, height], xlim, ylim }) {
    const clip = `ttfs-${Math.random().toString(36).slice(2)}`;
    Object.assign(this, { left, top, width, height, xlim, ylim });
    this.marks = svg("g", { "clip-path": `url(#${clip})` });
    this.words = svg("g", {});
    this.root = svg("g", {},
      svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width, height })), this.marks, this.words);
  }

  x(value) { return this.left + ((value - this.xlim[0]) / (this.xlim[1] - this.xlim[0])) * this.width; }
  y(value) { return this.top + ((this.ylim[1] - value) / (this.ylim[1] - this.ylim[0])) * this.height; }
  /* Data at a place of the drawing. */
  at(left, top) {
    return [
      this.xlim[0] + ((left - this.left) / this.width) * (this.xlim[1] - this.xlim[0]),
      this.ylim[1] - ((top - this.top) / this.height) * (this.ylim[1] - this.ylim[0]),
    ];
  }
  place([x, y]) { return `${this.x(x).toFixed(2)} ${this.y(y).toFixed(2)}`; }

  clear() {
    clear(this.marks);
    clear(this.words);
  }

  path(d, { color, width = 1.8, dash = null, opacity = 1, fill = "none" }) {
    const look = `fill:${fill};stroke:${color};stroke-width:${width};stroke-linejoin:round;opacity:${opacity}`;
    this.marks.append(svg("path", { d, style: look, "stroke-dasharray": dash }));
  }
  line(points, look) {
    if (points.length) this.path(`M${points.map((point) => this.place(point)).join("L")}`, look);
  }
  /* Lines up or down from a height, at each [x, y]. */
  stems(points, base, look) {
    this.path(points.map(([x, y]) => `M${this.place([x, base])}L${this.place([x, y])}`).join(""), look);
  }
  /* Upright ticks of a length in points. */
  ticks(points, length, look) {
    this.path(points.map(([x, y]) =>
      `M${this.x(x).toFixed(2)} ${(this.y(y) - length / 2).toFixed(2)}v${length}`).join(""), look);
  }
  dots(points, size, color, opacity = 1) {
    const d = points.map((point) => `M${this.place(point)}h0`).join("");
    const look = `stroke:${color};stroke-width:${size};stroke-linecap:round;opacity:${opacity}`;
    this.marks.append(svg("path", { d, style: look }));
  }
  ring([x, y], size, color) {
    const look = `fill:none;stroke:${color};stroke-width:1.2`;
    this.marks.append(svg("circle", { cx: this.x(x), cy: this.y(y), r: size / 2, style: look }));
  }
  band(from, to, color, opacity) {
    const [low, high] = this.ylim;
    this.area([from, low], [to, high], color, opacity);
  }
  /* A rectangle between two corners. */
  area([x, y], [far_x, far_y], color, opacity) {
    const [left, right] = [this.x(x), this.x(far_x)], [top, foot] = [this.y(y), this.y(far_y)];
    this.marks.append(svg("rect", {
      x: Math.min(left, right), y: Math.min(top, foot), width: Math.abs(right - left), height: Math.abs(foot - top),
      style: `fill:${color};opacity:${opacity}`,
    }));
  }
  /* A word at [x, y], moved by some points, with symbols between dollar signs; `anchor` is that of SVG. */
  word(text, [x, y], { color, anchor = "middle", weight = "normal", right = 0, down = 0, size = 10.5 }) {
    this.words.append(svg("text", {
      x: this.x(x) + right, y: this.y(y) + down, "text-anchor": anchor,
      style: `fill:${color};font-size:${size}px;font-weight:${weight}`,
    }, ...text.split("$").map((part, i) => svg("tspan", { style: i % 2 ? "font-style:italic" : null }, part))));
  }
  /* A word in the upper right corner. */
  note(text, color) {
    this.word(text, [this.xlim[1], this.ylim[1]], { color, anchor: "end", right: -6, down: 14 });
  }
}

/* ---- One neuron, as `ttfslib.plotting` draws it ---- */

/* `draw_potential`: fades after the spike. Returns the time of the spike. */
function potential(panel, spike_times, weights, params, colors, from = panel.xlim[0]) {
  const [, to] = panel.xlim, n = 400, spike = first_spike_time(spike_times, weights, params);
  const grid = Array.from({ length: n + 1 }, (_, k) => from + (k / n) * (to - from));
  const bends = Array.from(spike_times).filter((time) => time > from && time < to);
  const curve = [...grid, ...bends].sort((a, b) => a - b)
    .map((time) => [time, membrane_potential(time, spike_times, weights, params)]);
  const level = params.threshold, end = [spike, level], fires = spike <= to;
  const [left, right] = panel.xlim;
  panel.line([[left, level], [right, level]], { color: colors.threshold, width: 1, dash: "3.7 1.6" });
  panel.line([...curve.filter(([time]) => time < spike), ...(fires ? [end] : [])], { color: colors.potential });
  if (!fires) return spike;
  panel.line([end, ...curve.filter(([time]) => time > spike)], { color: colors.potential, opacity: 0.3 });
  panel.stems([end], 0, { color: colors.spike, width: 1 });
  panel.dots([end], 6, colors.spike);
  return spike;
}

/* `draw_inputs`: ticks as long as the weights. */
function inputs(panel, spike_times, weights, colors) {
  const points = Array.from(spike_times, (time, i) => [time, weights[i]]);
  panel.line([[panel.xlim[0], 0], [panel.xlim[1], 0]], { color: colors.muted, width: 0.8 });
  panel.stems(points.filter(([, w]) => w >= 0), 0, { color: colors.excitatory, width: 2.2 });
  panel.stems(points.filter(([, w]) => w < 0), 0, { color: colors.inhibitory, width: 2.2 });
}

/* ---- Where one points ---- */

/* The place of an event in a drawing. */
function place_of(event, drawing) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
  return [at.x, at.y];
}
/* A finger's width in the units of a drawing that is so many pixels wide. */
const finger_in = (drawing, width) => (FINGER * drawing.viewBox.baseVal.width) / width;

/* A key that has done its work here neither scrolls the page nor turns a slide. */
function used(event) {
  event.preventDefault();
  event.stopPropagation();
}

/* A key with which one asks something of the browser, as Alt and an arrow ask for the last page. */
const is_of_browser = ({ altKey, ctrlKey, metaKey }) => altKey || ctrlKey || metaKey;

/* What of a panel hears the mouse. */
const ground_of = ({ left, top, width, height }, ...children) =>
  svg("rect", { x: left, y: top, width, height, class: "ttfs-ground" }, ...children);

/* ---- A handle: a point that one drags, by mouse, finger or arrow keys ---- */

function add_handle(drawing, { panel, x, y, label }, state, move, nudge) {
  const knob = svg("circle", { r: 4.5, class: "ttfs-knob" }), reach = svg("circle", { fill: "transparent" });
  const root = svg("g", {
    class: "ttfs-handle", tabindex: 0, role: "slider", "aria-label": label, "data-lm-suppress-shortcuts": "true",
    "aria-valuemin": panel.xlim[0], "aria-valuemax": panel.xlim[1],
  }, reach, knob);
  const ground = ground_of(panel), place = (event) => place_of(event, drawing);
  let grip = null;
  const go = ([left, top]) => {
    const [to_x, to_y] = panel.at(left, top);
    move({ [x]: to_x, [y]: to_y });
  };
  const take = (event, offset) => {
    grip = offset;
    root.setPointerCapture(event.pointerId);
    root.focus({ preventScroll: true });
    event.preventDefault();
  };
  // Browsers know no `touch-action` of what is inside a drawing.
  root.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  root.addEventListener("pointerdown", (event) => {
    const [left, top] = place(event), now = state();
    take(event, [panel.x(now[x]) - left, panel.y(now[y]) - top]);
  });
  // A mouse may take the point from anywhere; a finger that only scrolls past must not.
  ground.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    go(place(event));
    take(event, [0, 0]);
  });
  ground.addEventListener("click", (event) => { if (event.pointerType === "touch") go(place(event)); });
  root.addEventListener("pointermove", (event) => {
    if (!root.hasPointerCapture(event.pointerId)) return;
    const [left, top] = place(event);
    go([left + grip[0], top + grip[1]]);
  });
  root.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 1 : 5;
    const keys = {
      ArrowLeft: [x, -far], ArrowRight: [x, far], ArrowDown: [y, -far], ArrowUp: [y, far],
      PageDown: [x, -5 * far], PageUp: [x, 5 * far], Home: [x, -Infinity], End: [x, Infinity],
    };
    if (is_of_browser(event) || !keys[event.key]) return;
    nudge(...keys[event.key]);
    used(event);
  });
  drawing.append(ground, root);
  follow(drawing.parentElement, (width) => set(reach, { r: finger_in(drawing, width) }));
  return (values, says) => {
    set(root, { transform: `translate(${panel.x(values[x])} ${panel.y(values[y])})` });
    set(root, { "aria-valuenow": values[x], "aria-valuetext": says });
  };
}

/* ---- Points with names: a line tells the one at which the mouse, a finger or the arrow keys point ---- */

/* A point of `points` has a place `at` in the panel, a `name`, a sentence that it `says`, and the values
   that it `chooses` when it is clicked. */
function add_names(drawing, { panel, label, hint, color }, choose) {
  const title = svg("title"), ring = svg("circle", { r: 7, class: "ttfs-ring", style: `stroke:${color}` });
  const root = svg("g", {
    class: "ttfs-names", tabindex: 0, role: "slider", "aria-label": label, "aria-valuemin": 0,
    "data-lm-suppress-shortcuts": "true",
  }, ground_of(panel, title), ring);
  const [of_point, of_all] = [html("span"), html("span")];
  let points = [], named = null;

  function tell() {
    const i = points.indexOf(named), { at, says } = points[i] ?? { says: hint };
    of_point.textContent = says;
    of_point.classList.toggle("ttfs-name", Boolean(at));
    set(ring, at ? { cx: panel.x(at[0]), cy: panel.y(at[1]), visibility: "visible" } : { visibility: "hidden" });
    set(root, { "aria-valuemax": points.length, "aria-valuenow": i + 1, "aria-valuetext": says });
    return i;
  }
  function point_to(point) {
    title.textContent = point ? point.says : "";
    if (!point) return;
    named = point;
    tell();
  }
  function nearest(event) {
    const [left, top] = place_of(event, drawing);
    const far = points.map(({ at: [x, y] }) => Math.hypot(panel.x(x) - left, panel.y(y) - top));
    const least = Math.min(...far);
    return least < finger_in(drawing, drawing.getBoundingClientRect().width) ? points[far.indexOf(least)] : null;
  }
  root.addEventListener("pointermove", (event) => point_to(nearest(event)));
  root.addEventListener("click", (event) => {
    const point = nearest(event);
    point_to(point);
    if (point) choose(point.chooses);
  });
  root.addEventListener("keydown", (event) => {
    if (is_of_browser(event)) return;
    const i = tell(), last = points.length - 1, before = Math.max(i - 1, 0), after = Math.min(i + 1, last);
    const places = { ArrowLeft: before, ArrowDown: before, ArrowRight: after, ArrowUp: after, Home: 0, End: last };
    if (event.key in places) point_to(points[places[event.key]]);
    else if (event.key !== "Enter" && event.key !== " ") return;
    else if (i >= 0) choose(points[i].chooses);
    used(event);
  });
  drawing.append(root);
  drawing.after(html("p", { class: "ttfs-told" }, of_point, of_all));
  return (found) => {
    points = found.points;
    named = points.find(({ name }) => name === named?.name) ?? named;
    of_all.textContent = found.says;
    tell();
  };
}

/* ---- The figure ---- */

/* The numbers of a slider are those that it shows. */
const numbers_of = (control) =>
  JSON.parse(control.dataset.values).map((text) => Number(text.replace("\u2212", "-")));

function wake(root, begin) {
  const part = (name) => root.querySelector(`.ttfs-${name}`);
  const still = part("stage"), panel_of_controls = part("controls"), say = voice(part("spoken"));
  const figure = JSON.parse(part("data").textContent, revive);
  const before = panel_of_controls.innerHTML;
  const drawing = scene(still, figure.images), panels = figure.panels.map((panel) => new Panel(panel));
  const picture = svg("g", { role: "img" }, ...drawing.childNodes, ...panels.map((panel) => panel.root));
  drawing.append(picture);
  set(drawing, { class: "ttfs-stage", role: "none" });
  for (const side of ["width", "height"]) drawing.removeAttribute(side);
  const colors = Object.fromEntries(Object.entries(figure.colors).map(([role, color]) => [role, ink(color)]));
  const kind = begin({ panels, data: figure.data, colors });
  panel_of_controls.innerHTML = part("panel").textContent;
  const controls = [...panel_of_controls.querySelectorAll("input, select")];
  const options = controls.map((c) => (c.options ? figure.choices[c.name] : numbers_of(c)));
  const state = () => Object.fromEntries(controls.map((c, i) => [c.name, options[i][position(c)]]));
  let show_handle = () => {}, show_names = () => {}, last_moved = null;

  function put(values) {
    controls.forEach((control, i) => {
      if (!(control.name in values)) return;
      const wanted = values[control.name], distance = options[i].map((number) => Math.abs(number - wanted));
      if (!control.options) control.value = distance.indexOf(Math.min(...distance));
      else if (options[i].includes(wanted)) control.selectedIndex = options[i].indexOf(wanted);
    });
  }
  /* Some positions further on a slider, at most to its end. */
  function nudge(name, steps) {
    const control = controls.find((c) => c.name === name);
    control.value = Math.min(Math.max(position(control) + steps, control.min), control.max);
    moved(name);
  }
  function draw() {
    if (kind.confine) put(kind.confine(state(), last_moved));
    const values = state();
    panels.forEach((panel) => panel.clear());
    const found = kind.show(values);
    controls.forEach(readOut);
    show_handle(values, found.says);
    show_names(found);
    set(picture, { "aria-label": found.says });
    root.dataset.frame = controls.map(position).join(" ");
    root.found = { values, ...found };
    return found.says;
  }
  const changed = once_a_frame(() => say(draw()));
  const moved = (name) => { last_moved = name; changed(); };
  try {
    draw();
  } catch (trouble) {
    panel_of_controls.innerHTML = before;
    throw trouble;
  }
  still.replaceWith(drawing);
  const move = (values) => { put(values); moved(null); };
  if (kind.handle) show_handle = add_handle(drawing, kind.handle, state, move, nudge);
  if (kind.names) show_names = add_names(drawing, kind.names, move);
  if (kind.handle || kind.names) draw();
  for (const control of controls) {
    connect(control);
    control.addEventListener("input", () => moved(control.name));
    control.disabled = false;
  }
}

/* Wakes every figure of a kind that is not awake yet; one that cannot shows its still picture. */
function register(name, begin) {
  for (const root of document.querySelectorAll(`.ttfs-live[data-kind="${name}"]:not([data-state])`)) {
    root.dataset.state = "loading";
    try {
      wake(root, begin);
      root.dataset.state = "ready";
    } catch (trouble) {
      root.dataset.state = "still";
      console.error(trouble);
    }
  }
}

globalThis.live = { register, ink, potential, inputs };
})();
