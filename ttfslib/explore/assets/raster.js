/* The raster: when each neuron of each layer fires, for one sample. */
(() => {
"use strict";
const { svg, set, clear, follow } = alive;
const { decision_time, pulse_packet, shortest_interval } = ttfslib;

const LEFT = 66, RIGHT = 46, TOP = 22, GAP = 13, LATEST = 3;
const TWIN = 15; // height of the row below, of the same network untrained
let n_drawn = 0;

/* `names` are those of the layers, the input first and the output last. */
function raster(box, names, { has_twin = false, row_height = 50 } = {}) {
  const below = has_twin ? TWIN : 0, step = row_height + below + GAP, foot = TOP + names.length * step;
  const clip = `al-clip-${(n_drawn += 1)}`, output = names.length - 1;
  const picture = svg("svg", { class: "al-raster", height: foot + 26, role: "img", "aria-label": "Spikes of every layer" });
  box.append(picture);
  let width = 0, rows = [], line = null, until = null, shown = null;
  const x = (time) => LEFT + (time / LATEST) * (width - LEFT - RIGHT);

  function frame() {
    clear(picture);
    set(picture, { width, viewBox: `0 0 ${width} ${foot + 26}` });
    until = svg("rect", { x: 0, y: 0, width, height: foot });
    picture.append(svg("clipPath", { id: clip }, until), svg("text", { x: width - 2, y: TOP - 8, class: "end quiet" }, "width"));
    for (let time = 0; time <= LATEST; time += 1) {
      picture.append(
        svg("line", { x1: x(time), x2: x(time), y1: TOP, y2: foot, class: "grid" }),
        svg("text", { x: x(time), y: foot + 16, class: "middle quiet" }, time === LATEST ? `${time} τ` : String(time)));
    }
    rows = names.map(add_row);
    line = svg("line", { class: "decision", y1: TOP, y2: foot - GAP - below });
    picture.append(line);
    if (shown) show(shown);
  }

  function add_row(name, i) {
    const y = TOP + i * step, dots = (kind) => svg("path", { class: `dots ${kind}` });
    const row = {
      y, half: svg("rect", { class: "half", y, height: row_height, rx: 4 }), race: svg("g", {}),
      excites: dots(i ? "excites" : "ink"), inhibits: dots("inhibits"), twin: dots("twin"), chosen: dots("chosen"),
      width: svg("text", { x: width - 2, y: y + row_height / 2 + 5, class: "end" }),
    };
    picture.append(
      svg("rect", { class: "band", x: LEFT, width: width - LEFT - RIGHT, y, height: row_height, rx: 4 }),
      svg("text", { x: LEFT - 8, y: y + row_height / 2 + 5, class: "end" }, name),
      svg("g", { "clip-path": `url(#${clip})` }, row.half, row.excites, row.inhibits, row.chosen, row.race),
      row.twin, row.width);
    if (has_twin) picture.append(svg("text", { x: LEFT - 8, y: y + row_height + TWIN - 2, class: "end small quiet" }, "untrained"));
    return row;
  }

  /* Dots of those neurons among `which` that fire early enough to be seen. */
  const dots = (times, which, y, height) => which.filter((j) => times[j] <= LATEST)
    .map((j) => `M${x(times[j]).toFixed(1)} ${(y + ((j + 0.5) / times.length) * height).toFixed(1)}h0`).join("");

  /* `share` of the hidden neurons excite (null where no law says so); `chosen` neurons are marked;
     `widths` stands beside the rows; what comes after `now` is not seen yet. */
  function show({ volley, twin = null, share = null, chosen = null, widths = null, now = Infinity }) {
    shown = { volley, twin, share, chosen, widths, now };
    if (!width) return;
    const decision = decision_time(volley[output]), is_over = decision <= now && decision <= LATEST;
    set(until, { width: Math.min(width, Math.max(0, x(Math.min(now, 2 * LATEST)))) });
    set(line, { x1: x(is_over ? decision : 0), x2: x(is_over ? decision : 0), visibility: is_over ? "visible" : "hidden" });
    rows.forEach((row, i) => {
      const times = volley[i], all = Array.from(times.keys());
      const border = i && i < output && share !== null ? Math.round(share * times.length) : times.length;
      set(row.excites, { d: i === output ? "" : dots(times, all.slice(0, border), row.y, row_height) });
      set(row.inhibits, { d: dots(times, all.slice(border), row.y, row_height) });
      set(row.chosen, { d: chosen && chosen[i] ? dots(times, chosen[i], row.y, row_height) : "" });
      if (twin) set(row.twin, { d: dots(twin[i], Array.from(twin[i].keys()), row.y + row_height + 2, TWIN - 2) });
      const half = i === output || !is_over ? null : shortest_interval(pulse_packet(times, decision));
      set(row.half, half
        ? { x: x(half[0]), width: Math.max(x(half[1]) - x(half[0]), 1), visibility: "visible" }
        : { visibility: "hidden" });
      const value = widths ? (i < output ? widths[i] : null) : half ? half[1] - half[0] : null;
      row.width.textContent = is_over && value !== null && !Number.isNaN(value) ? value.toFixed(2) : "";
    });
    race(rows[output], volley[output], decision);
  }

  /* The outputs by their digits: the first one is the answer. */
  function race(row, times, decision) {
    clear(row.race);
    times.forEach((time, digit) => {
      if (!(time <= LATEST)) return;
      const is_first = time === decision, y = row.y + ((digit + 0.5) / times.length) * row_height + 4;
      row.race.append(svg("text",
        { x: x(time) - (is_first ? 9 : 0), y, class: `middle ${is_first ? "winner" : "runner"}` }, String(digit)));
    });
  }

  follow(box, (found) => { width = found; frame(); });
  return { show, describe: (sentence) => set(picture, { "aria-label": sentence }) };
}

alive.raster = raster;
})();
