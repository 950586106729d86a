/* "Playground": one neuron, whose inputs one drags. Everything on the page is computed anew for each
   picture, by the closed forms of `engine.js`. On its own page the situation lives in the address; in a
   chapter, whose address names sections, it begins as the chapter says, and a link hands it on. */
(() => {
"use strict";
const { html, svg, set, clear, follow, voice, once_a_frame, choice, wake } = alive;
const { causal_set, first_spike_time, membrane_potential, spike_time_gradient } = ttfslib;

const LATEST = 4, STRONGEST = 4, MOST = 6;
const RATIOS = [["0.5", "½", "one half"], ["1", "1"], ["2", "2"], ["5", "5"], ["Infinity", "∞", "infinite"]];
const BEGIN = { tau: 1, inputs: [{ time: 0.5, weight: 1.5 }] };
const round = (value) => Math.round(value * 100) / 100;
const clamp = (value, low, high) => Math.min(high, Math.max(low, round(value)));
const signed = (value) => (Number.isFinite(value) ? value.toFixed(2) : value > 0 ? "∞" : "−∞").replace("-", "−");

/* ---- Puzzles: each looks at the situation now, and at the one before the last move ---- */

const PUZZLES = [
  {
    task: "Make the neuron fire: drag the dot up.",
    hint: "The weight of this one input must exceed e times the threshold.",
    solved: "The potential reaches the threshold, and the neuron fires, once.",
    check: (now) => now.spike < Infinity,
  },
  {
    task: "Make it fire at 1.20, with three inputs before the spike, one of them inhibitory.",
    hint: "Add two inputs, and drag one of them below the line. Fine steps: arrow keys with Shift.",
    solved: "Three inputs, one spike time: many roads lead to it, and training looks for one of them.",
    check: (now) => Math.abs(now.spike - 1.2) < 0.005 && now.causal.length === 3
      && now.causal.filter((i) => now.weights[i] < 0).length === 1,
  },
  {
    task: "Make a spike disappear by making a single weight stronger.",
    hint: "Stronger means farther from the line, on either side.",
    solved: "Only inhibition can do that: more excitation never takes a spike away.",
    check: (now, before) => {
      if (!before || before.weights.length !== now.weights.length) return false;
      const changed = now.weights.map((w, i) => i).filter((i) => now.weights[i] !== before.weights[i]);
      return before.spike < Infinity && now.spike === Infinity && changed.length === 1
        && now.times.every((time, i) => time === before.times[i])
        && Math.abs(now.weights[changed[0]]) > Math.abs(before.weights[changed[0]]);
    },
  },
  {
    task: "With one input and equal time constants: let the spike come 0.95 after its input, or later.",
    hint: "Remove the other inputs. A weaker input fires later, until it does not fire at all.",
    solved: "The potential peaks one time constant after the input. No spike can come later than that.",
    check: (now) => now.tau === 1 && now.weights.length === 1 && now.spike < Infinity
      && now.spike - now.times[0] >= 0.95,
  },
  {
    task: "Find an excitatory input that brings the spike forward when it comes later.",
    hint: "Its own potential must be past its peak when the spike comes.",
    solved: "What it gave has begun to leak away: had it come later, more of it would be left.",
    check: (now) => now.causal.some((i) => now.weights[i] > 0 && now.d_times[i] < -0.02),
  },
  {
    task: "Let the spike jump: with one small move, it comes more than half a unit earlier or later.",
    hint: "Let the first peak touch the threshold, with a second peak behind it. Go on in small steps.",
    solved: "Between inputs the spike time is smooth. Where a peak sinks below the threshold, it leaps.",
    check: (now, before) => {
      if (!before || before.weights.length !== now.weights.length || before.tau !== now.tau) return false;
      const moved = now.weights.reduce((sum, w, i) =>
        sum + Math.abs(w - before.weights[i]) + Math.abs(now.times[i] - before.times[i]), 0);
      const leap = Math.abs(now.spike - before.spike);
      return moved <= 0.1 && leap < Infinity && leap > 0.5;
    },
  },
  {
    task: "Come to the edge: let the spike move ten times as far as a weight does.",
    hint: "Look at ∂t/∂w in the table. Where the peak just touches the threshold, it has no bound.",
    solved: "The steeper the potential, the surer the spike. Here it is flat, and the gradient explodes.",
    check: (now) => now.d_weights.some((d) => Math.abs(d) > 10),
  },
  {
    task: "Let a gray input become a cause of the spike without touching it.",
    hint: "It comes too late to matter. Delay the spike until it does: weaken or remove another input.",
    solved: "Whether an input matters is not up to it alone: it matters if the others leave the spike to it.",
    check: (now, before) => Boolean(before) && now.spike < Infinity && before.spike < Infinity
      && now.causal.some((i) => before.times.some((time, k) =>
        !before.causal.includes(k) && time === now.times[i] && before.weights[k] === now.weights[i])),
  },
];

/* ---- The situation, and its address ---- */

function read(address) {
  const asked = new URLSearchParams(address);
  const inputs = (asked.get("in") || "").split(",").map((pair) => pair.split(":").map(Number))
    .filter((pair) => pair.length === 2 && pair.every(Number.isFinite)).slice(0, MOST)
    .map(([time, weight]) => ({ time: clamp(time, 0, LATEST), weight: clamp(weight, -STRONGEST, STRONGEST) }));
  const tau = RATIOS.find(([value]) => value === (asked.get("tau") || "").replace("inf", "Infinity"));
  const puzzle = Number(asked.get("puzzle")) - 1;
  return {
    tau: tau ? Number(tau[0]) : BEGIN.tau,
    inputs: inputs.length ? inputs : BEGIN.inputs.map((input) => ({ ...input })),
    puzzle: Number.isInteger(puzzle) && puzzle >= 0 && puzzle < PUZZLES.length ? puzzle : 0,
  };
}

function address_of({ tau, inputs, puzzle }) {
  const pairs = inputs.map(({ time, weight }) => `${time}:${weight}`).join(",");
  return `#tau=${tau === Infinity ? "inf" : tau}&in=${pairs}&puzzle=${puzzle + 1}`;
}

/* All that the page shows of a situation. */
function solve({ tau, inputs }) {
  const times = inputs.map((input) => input.time), weights = inputs.map((input) => input.weight);
  const params = { tau_m: tau, tau_s: 1, threshold: 1 };
  const { d_weights, d_spike_times } = spike_time_gradient(times, weights, params);
  return {
    tau, times, weights, params, d_weights, d_times: d_spike_times,
    spike: first_spike_time(times, weights, params), causal: causal_set(times, weights, params),
  };
}

/* ---- The picture ---- */

const LEFT = 14, RIGHT = 14, TOP = 26, GAP = 40, FOOT = 26;
const HEIGHTS = { wide: { high: 230, low: 216 }, narrow: { high: 165, low: 190 } }; // of the two panels
const V_TOP = 1.5, V_BOTTOM = -0.6, PULL = 42, LONGEST_PULL = 75;

function picture(box, { onmove, onselect, onremove }) {
  const canvas = svg("svg", { class: "al-play", role: "group", "aria-label": "Potential and inputs of the neuron" });
  const ground = svg("g", {}), curves = svg("g", {}), inputs = svg("g", {});
  canvas.append(ground, curves, inputs);
  box.append(canvas);
  const forbidden = svg("path", { class: "forbidden" }), potential = svg("path", { class: "potential" });
  const future = svg("path", { class: "future" }), spike = svg("line", { class: "spike" });
  const when = svg("text", { class: "middle" }), why = svg("text", { class: "small quiet middle" });
  curves.append(future, potential, spike, when);
  let width = 0, handles = [], shown = null;
  let { high, low } = HEIGHTS.wide, floor, middle, height;
  const x = (time) => LEFT + (time / LATEST) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((V_TOP - value) / (V_TOP - V_BOTTOM)) * high;
  const w = (weight) => middle - (weight / STRONGEST) * (low / 2 - 8);

  function frame() {
    clear(ground);
    ({ high, low } = width < 500 ? HEIGHTS.narrow : HEIGHTS.wide);
    floor = TOP + high;
    middle = floor + GAP + low / 2;
    height = floor + GAP + low + FOOT;
    set(canvas, { width, height, viewBox: `0 0 ${width} ${height}` });
    ground.append(forbidden);
    for (let time = 0; time <= LATEST; time += 1) {
      ground.append(
        svg("line", { class: "grid", x1: x(time), x2: x(time), y1: TOP, y2: height - FOOT }),
        svg("text", { class: time === LATEST ? "end quiet" : "middle quiet", x: x(time), y: height - 6 },
          time === LATEST ? `${time} τ` : String(time)));
    }
    ground.append(
      svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: y(0), y2: y(0) }),
      svg("line", { class: "threshold", x1: LEFT, x2: width - RIGHT, y1: y(1), y2: y(1) }),
      svg("text", { class: "end quiet", x: width - RIGHT, y: y(1) - 7 }, "threshold"),
      svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: middle, y2: middle }),
      svg("text", { class: "quiet", x: LEFT, y: TOP - 9 }, "potential"),
      svg("text", { class: "quiet", x: LEFT, y: floor + GAP - 12 }, "input spikes: drag them"), why);
    if (shown) show(shown.situation, shown.selected);
  }

  function make_handle(i) {
    const parts = {
      stem: svg("line", { class: "stem" }), reach: svg("circle", { class: "reach", r: 24 }),
      head: svg("circle", { class: "head", r: 9 }), number: svg("text", { class: "middle small" }, String(i + 1)),
      earlier: svg("path", { class: "arrow" }), stronger: svg("path", { class: "arrow" }),
    };
    const root = svg("g", {
      class: "handle", tabindex: 0, role: "slider", "aria-label": `Input ${i + 1}: weight`,
      "aria-valuemin": -STRONGEST, "aria-valuemax": STRONGEST, "aria-orientation": "vertical",
    }, ...Object.values(parts));
    let grip = null;
    // Browsers know no `touch-action` of what is inside a drawing.
    root.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    root.addEventListener("pointerdown", (event) => {
      const { time, weight } = shown.situation.inputs[i], corner = canvas.getBoundingClientRect();
      grip = [event.clientX - corner.left - x(time), event.clientY - corner.top - w(weight)];
      root.setPointerCapture(event.pointerId);
      root.focus({ preventScroll: true });
      event.preventDefault();
    });
    root.addEventListener("pointermove", (event) => {
      if (!root.hasPointerCapture(event.pointerId)) return;
      const corner = canvas.getBoundingClientRect();
      const [left, top] = [event.clientX - corner.left - grip[0], event.clientY - corner.top - grip[1]];
      onmove(i, ((left - LEFT) / (width - LEFT - RIGHT)) * LATEST, ((middle - top) / (low / 2 - 8)) * STRONGEST);
    });
    root.addEventListener("focus", () => onselect(i));
    root.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.01 : 0.05, { time, weight } = shown.situation.inputs[i];
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (moves[event.key]) onmove(i, time + moves[event.key][0], weight + moves[event.key][1]);
      else if (event.key === "Delete" || event.key === "Backspace") onremove(i);
      else return;
      event.preventDefault();
    });
    return { root, ...parts };
  }

  /* An arrow of some length in pixels, along x or along y, from the head of an input. */
  function arrow(length, from_x, from_y, is_across) {
    const end = Math.sign(length) * Math.min(Math.abs(length), LONGEST_PULL);
    if (!(Math.abs(end) > 2)) return "";
    const from = 12 * Math.sign(end), tip = from + end, barb = 6 * Math.sign(end);
    return is_across
      ? `M${from_x + from} ${from_y}h${end}m${-barb} -5L${from_x + tip} ${from_y}l${-barb} 5`
      : `M${from_x} ${from_y + from}v${end}m-5 ${-barb}L${from_x} ${from_y + tip}l5 ${-barb}`;
  }

  function show(situation, selected) {
    shown = { situation, selected };
    if (!width) return;
    const found = situation.found, { spike: at, params } = found, n = Math.round(width / 2);
    const curve = Array.from({ length: n + 1 }, (_, k) => {
      const time = (k / n) * LATEST;
      return [time, membrane_potential(time, found.times, found.weights, params)];
    });
    const point = ([time, value]) => `${x(time).toFixed(1)} ${Math.max(y(value), 2).toFixed(1)}`;
    const path = (points) => (points.length ? `M${points.map(point).join("L")}` : "");
    const visible = Math.min(at, LATEST);
    const end = [visible, membrane_potential(visible, found.times, found.weights, params)];
    set(potential, { d: path([...curve.filter(([time]) => time < visible), end]) });
    set(future, { d: at < LATEST ? path([end, ...curve.filter(([time]) => time > at)]) : "" });
    const fires = at <= LATEST;
    set(spike, { x1: x(visible), x2: x(visible), y1: y(1), y2: TOP - 8, visibility: fires ? "visible" : "hidden" });
    set(when, { x: Math.min(x(visible), width - 40), y: 13, visibility: fires ? "visible" : "hidden" });
    when.textContent = fires ? at.toFixed(2) : "";
    show_forbidden(curve);
    while (handles.length > found.times.length) handles.pop().root.remove();
    while (handles.length < found.times.length) {
      handles.push(make_handle(handles.length));
      inputs.append(handles[handles.length - 1].root);
    }
    handles.forEach((handle, i) => show_handle(handle, i, found, selected));
  }

  /* Where no gain of all weights puts the first spike: the potential has been higher before. */
  function show_forbidden(curve) {
    let highest = 0, from = null;
    const spans = [];
    for (const [time, value] of [...curve, [LATEST, Infinity]]) {
      const is_free = value > highest;
      highest = Math.max(highest, value);
      if (!is_free && from === null) from = time;
      if (is_free && from !== null) {
        if (time > from) spans.push([from, time]);
        from = null;
      }
    }
    set(forbidden, {
      d: spans.map(([start, stop]) => `M${x(start)} ${TOP}H${x(stop)}V${floor}H${x(start)}Z`).join(""),
    });
    const widest = spans.reduce((best, span) => (span[1] - span[0] > best[1] - best[0] ? span : best), [0, 0]);
    const room = x(widest[1]) - x(widest[0]);
    set(why, { x: (x(widest[0]) + x(widest[1])) / 2, y: floor - 8 });
    why.textContent = room > 170 ? "no first spike can fall here" : "";
  }

  function show_handle(handle, i, found, selected) {
    const [time, weight] = [found.times[i], found.weights[i]], [cx, cy] = [x(time), w(weight)];
    const is_causal = found.causal.includes(i), is_late = found.spike < Infinity && !is_causal;
    const text = `at time ${time.toFixed(2)}, weight ${signed(weight)}`;
    set(handle.root, {
      class: `handle ${weight < 0 ? "inhibits" : "excites"}${is_late ? " late" : ""}${i === selected ? " selected" : ""}`,
      "aria-valuenow": weight,
      "aria-valuetext": `${text}, ${is_causal ? "among the causes of the spike" : "not among the causes"}`,
    });
    set(handle.stem, { x1: cx, x2: cx, y1: middle, y2: cy });
    for (const circle of [handle.reach, handle.head]) set(circle, { cx, cy });
    set(handle.number, { x: cx, y: middle + (weight < 0 ? -6 : 15) });
    set(handle.earlier, { d: is_causal ? arrow(-PULL * found.d_times[i], cx, cy, true) : "" });
    set(handle.stronger, { d: is_causal ? arrow(PULL * found.d_weights[i], cx, cy, false) : "" });
  }

  follow(box, (found) => { width = found; frame(); });
  return { show, focus: (i) => handles[i] && handles[i].root.focus() };
}

/* ---- The page ---- */

wake("playground", (stage, _data, { begin: opening, own }) => {
  const asked = () => opening ?? location.hash.slice(1);
  let state, selected = 0, before = null, solved = new Set(), is_solved = false, resting = null;
  const status = html("p", { class: "al-status" });
  const spoken = html("p", { class: "ttfs-spoken", "aria-live": "polite" });
  const say = voice(spoken, 1200);
  const card = html("section", { class: "al-puzzle", "aria-label": "Puzzle" });
  const board = html("div", { class: "al-board" });
  const numbers = html("tbody", {});
  const by = (letter) => [html("i", {}, "∂t"), "/", html("i", {}, `∂${letter}`), html("sub", {}, html("i", {}, "i"))];
  const heads = [["input"], ["time"], ["weight"], by("t"), by("w")];
  const table = html("table", { class: "al-table" },
    html("caption", {}, "How far the spike moves if an input comes later, or gets stronger, by one"),
    html("thead", {}, html("tr", {}, ...heads.map((parts) => html("th", { scope: "col" }, ...parts)))), numbers);
  const add = html("button", { type: "button", onclick: add_input }, "Add an input");
  const drop = html("button", { type: "button", onclick: () => remove_input(selected) }, "Remove input 1");
  const link = html("button", { type: "button", onclick: copy_link }, "Copy link");
  const again = html("button", { type: "button", onclick: start_again }, "Start again");
  const leave = html("a", { class: "al-leave", href: own || "" }, "Open this on a page of its own");
  const ratios = html("div", {});
  stage.append(card, status, spoken, board,
    html("div", { class: "al-buttons" }, add, drop, ...(own ? [again] : [link]), ratios, ...(own ? [leave] : [])),
    html("p", { class: "al-note" },
      "Drag an input along its arrows, and the spike comes earlier; a long arrow pulls hard. ",
      "Gray inputs come too late to matter. In the shaded times no first spike can fall, however strong all inputs become together. ",
      "By keyboard: Tab to an input, then the arrow keys, finer with Shift."),
    table);
  const view = picture(board, {
    onmove(i, time, weight) {
      const moved = { time: clamp(time, 0, LATEST), weight: clamp(weight, -STRONGEST, STRONGEST) };
      if (moved.time === state.inputs[i].time && moved.weight === state.inputs[i].weight) return;
      state.inputs[i] = moved;
      changed();
    },
    onselect(i) {
      selected = i;
      draw();
    },
    onremove: remove_input,
  });

  const draw = once_a_frame(() => {
    view.show(state, selected);
    drop.textContent = `Remove input ${selected + 1}`;
    write_numbers();
    if (own) leave.href = own + address_of(state);
    else rest();
  });

  /* Browsers allow few changes of the address in a second: one, once the hand rests. */
  function rest() {
    clearTimeout(resting);
    resting = setTimeout(() => history.replaceState(null, "", address_of(state)), 200);
  }

  function changed() {
    update();
    tell();
  }
  function update() {
    before = state.found;
    state.found = solve(state);
    if (!is_solved && PUZZLES[state.puzzle].check(state.found, before)) {
      is_solved = true;
      solved.add(state.puzzle);
      show_puzzle();
    }
    add.disabled = state.inputs.length >= MOST;
    drop.disabled = state.inputs.length <= 1;
    const { spike, causal } = state.found, names = causal.map((i) => i + 1);
    const causes = names.length > 1 ? `inputs ${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}` : `input ${names[0]}`;
    status.textContent = spike === Infinity ? "No spike." : `It fires at ${spike.toFixed(2)}, because of ${causes}.`;
    stage.dataset.spike = spike;
    draw();
  }
  function tell() {
    say(`${status.textContent}${is_solved ? ` Puzzle solved. ${PUZZLES[state.puzzle].solved}` : ""}`);
  }

  let cells = [];
  function write_numbers() {
    const { times, weights, d_times, d_weights, spike } = state.found;
    const sum = d_times.reduce((total, d) => total + d, 0);
    const rows = [
      ...times.map((time, i) =>
        [String(i + 1), time.toFixed(2), signed(weights[i]), signed(d_times[i]), signed(d_weights[i])]),
      ["all", "", "", spike < Infinity ? signed(sum) : "–", ""],
    ];
    if (cells.length !== rows.length) {
      cells = rows.map((row) => row.map((_, i) => (i ? html("td") : html("th", { scope: "row" }))));
      numbers.replaceChildren(...cells.map((row) => html("tr", {}, ...row)));
    }
    rows.forEach((row, i) => row.forEach((text, k) => {
      if (cells[i][k].textContent !== text) cells[i][k].textContent = text;
    }));
  }

  function add_input() {
    if (state.inputs.length >= MOST) return;
    const latest = Math.max(...state.inputs.map((input) => input.time));
    state.inputs.push({ time: clamp(latest + 0.4, 0, LATEST), weight: 1 });
    changed();
    select(state.inputs.length - 1);
  }
  function remove_input(i) {
    if (state.inputs.length <= 1) return;
    state.inputs.splice(Math.min(i, state.inputs.length - 1), 1);
    changed();
    select(Math.max(0, Math.min(i, state.inputs.length - 1)));
  }
  function select(i) {
    selected = i;
    requestAnimationFrame(() => requestAnimationFrame(() => view.focus(i)));
  }
  async function copy_link() {
    history.replaceState(null, "", address_of(state));
    try {
      await navigator.clipboard.writeText(location.href);
      link.textContent = "Copied";
    } catch {
      link.textContent = "It is in the address bar";
    }
    say("The address of the page holds this situation.");
    setTimeout(() => { link.textContent = "Copy link"; }, 2500);
  }

  function show_puzzle() {
    const { task, hint, solved: lesson } = PUZZLES[state.puzzle], is_last = solved.size === PUZZLES.length;
    const dots = PUZZLES.map((_, i) => html("button", {
      type: "button", class: "al-dot", "aria-label": `Puzzle ${i + 1}${solved.has(i) ? ", solved" : ""}`,
      "aria-current": i === state.puzzle ? "true" : null, onclick: () => go(i),
    }, solved.has(i) ? "✓" : String(i + 1)));
    const tip = html("p", { class: "al-note", hidden: true }, hint);
    const help = html("button", { type: "button", onclick: () => { tip.hidden = false; help.hidden = true; say(hint); } }, "Hint");
    const next = html("button", { type: "button", class: "al-main", onclick: () => go((state.puzzle + 1) % PUZZLES.length) }, "Next");
    card.replaceChildren(
      html("p", { class: "al-task" }, is_solved ? html("b", {}, "Solved. ") : "", is_solved ? lesson : task),
      html("div", { class: "al-buttons" }, is_solved && !is_last ? next : is_solved ? "" : help,
        html("div", { class: "al-dots", role: "group", "aria-label": "Puzzles" }, ...dots)), tip);
    if (is_last) card.append(html("p", { class: "al-note" },
      "You have solved them all. One thing is left to find: whatever you do, one number of the table stays 1.00. Why?"));
    card.dataset.solved = is_solved;
  }
  function go(i) {
    state.puzzle = i;
    is_solved = false;
    before = null;
    show_puzzle();
    say(PUZZLES[i].task);
    draw();
  }
  function show_ratio() {
    ratios.replaceChildren(choice("τₘ / τₛ", "al-ratio", RATIOS, String(state.tau), (value) => {
      state.tau = Number(value);
      changed();
    }));
  }
  function begin() {
    state = read(asked());
    is_solved = false;
    selected = 0;
    show_ratio();
    show_puzzle();
    state.found = null;
    update();
  }
  function start_again() {
    begin();
    tell();
  }
  if (own) begin(); // a chapter has other things to say
  else {
    addEventListener("hashchange", start_again);
    start_again();
  }
});
})();
