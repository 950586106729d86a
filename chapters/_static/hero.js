/* The first page's moving picture. The SVG of the page says where everything stands, the film beside
   it which neuron fires when; here is only how it moves. Without this script the SVG stays as it is. */
(() => {
  "use strict";
  const hero = document.querySelector(".fs-hero");
  const source = document.getElementById("fs-film");
  if (!hero || !source) return;

  const SECONDS_PER_TAU = 4.5, TRACE = 1.3, HOLD = 2.4, FADE = 0.7;
  const NEVER = 255, FLASH = 0.07;
  const REST = { ink: 0.9, excites: 0.55, inhibits: 0.55 };
  const film = JSON.parse(source.textContent);
  const canvas = hero.appendChild(document.createElement("canvas"));
  const pen = canvas.getContext("2d");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const root = document.documentElement;

  const volleys = film.volleys.map(volley => ({
    ...volley,
    times: volley.times.map(packed => Float32Array.from(atob(packed), byte => {
      const step = byte.charCodeAt(0);
      return step === NEVER ? Infinity : (step / (NEVER - 1)) * film.end;
    })),
  }));

  let stage = null, ink = {}, scale = 1;
  let shown = 0, clock = 0, last = null, frame = 0;
  let playing = !calm.matches, visible = false;

  /* Where things stand: read from whichever drawing the width of the page shows. */
  function measure() {
    const svg = [...hero.querySelectorAll("svg")].find(each => each.getClientRects().length);
    if (!svg) return;
    const { width, height } = svg.viewBox.baseVal;
    const box = svg.getBoundingClientRect(), corner = hero.getBoundingClientRect();
    const density = window.devicePixelRatio || 1;
    Object.assign(canvas.style, {
      left: `${box.left - corner.left}px`, top: `${box.top - corner.top}px`,
      width: `${box.width}px`, height: `${box.height}px`,
    });
    canvas.width = Math.round(box.width * density);
    canvas.height = Math.round((box.width * density * height) / width);
    scale = canvas.width / width;
    stage = {
      svg, width, height, upright: height > width, dot: Number(svg.dataset.dot),
      pulses: JSON.parse(svg.dataset.pulses),
      layers: [...svg.querySelectorAll(".cells")].map(path =>
        path.getAttribute("d").split("M").slice(1).map(dot => dot.split("h")[0].split(" ").map(Number))),
      outputs: [...svg.querySelectorAll(".output")],
    };
    stage.goals = stage.outputs.map(each => [Number(each.dataset.x), Number(each.dataset.y)]);
    const style = getComputedStyle(hero);
    ink = Object.fromEntries(["ink", "excites", "inhibits", "path", "pulse"].map(
      name => [name, style.getPropertyValue(`--hero-${name}`).trim()]));
  }

  const length = volley => volley.decision * SECONDS_PER_TAU + TRACE + HOLD + FADE;

  function draw() {
    if (!stage) return;
    const volley = volleys[shown];
    const now = Math.min(clock / SECONDS_PER_TAU, volley.decision);
    const after = clock - volley.decision * SECONDS_PER_TAU;
    const fade = Math.min(1, Math.max(0, (length(volley) - clock) / FADE));
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, stage.width, stage.height);
    pen.lineCap = "round";
    drawLines(volley, Math.max(0, after) / TRACE, fade);
    volley.times.forEach((times, layer) => drawLayer(times, layer, now, fade));
    volley.pulses.forEach((heights, layer) => drawPulse(heights, stage.pulses[layer], now, fade));
    for (const output of stage.outputs) {
      const won = Number(output.dataset.digit) === volley.digit;
      output.classList.toggle("winner", won && after >= 0 && fade === 1);
    }
  }

  function drawLayer(times, layer, now, fade) {
    const places = stage.layers[layer];
    for (let i = 0; i < times.length; i += 1) {
      if (times[i] > now) continue;
      const flash = Math.exp((times[i] - now) / FLASH);
      const [x, y] = places[i];
      const kind = layer === 0 ? "ink" : i < film.excitatory ? "excites" : "inhibits";
      pen.globalAlpha = fade * (REST[kind] + (1 - REST[kind]) * flash);
      pen.fillStyle = ink[kind];
      pen.beginPath();
      pen.arc(x, y, (stage.dot / 2) * (1.1 + 0.9 * flash), 0, 2 * Math.PI);
      pen.fill();
    }
  }

  function drawPulse(heights, [x, y, width, height], now, fade) {
    const step = width / (heights.length - 1);
    pen.save();
    pen.beginPath();
    pen.rect(x - 1, y - height - 2, (width * now) / film.end + 1, height + 4);
    pen.clip();
    pen.globalAlpha = fade;
    pen.fillStyle = ink.pulse;
    pen.beginPath();
    pen.moveTo(x, y);
    heights.forEach((h, i) => pen.lineTo(x + i * step, y - (height * h) / 100));
    pen.lineTo(x + width, y);
    pen.fill();
    pen.restore();
  }

  /* From the answer back to the digit: what led to the decision. */
  function drawLines(volley, share, fade) {
    const depth = volley.times.length;
    pen.strokeStyle = ink.path;
    pen.lineWidth = 0.8;
    for (const [layer, pre, post] of volley.lines) {
      const progress = Math.min(1, Math.max(0, share * depth - (depth - 1 - layer)));
      if (!progress) continue;
      const [u, v] = stage.layers[layer][pre];
      const [x, y] = layer + 1 < depth ? stage.layers[layer + 1][post] : stage.goals[post];
      pen.globalAlpha = 0.5 * progress * fade;
      pen.beginPath();
      pen.moveTo(u, v);
      if (stage.upright) pen.bezierCurveTo(u, (v + y) / 2, x, (v + y) / 2, x, y);
      else pen.bezierCurveTo((u + x) / 2, v, (u + x) / 2, y, x, y);
      pen.stroke();
    }
  }

  function tick(time) {
    if (last !== null) clock += Math.min(0.1, (time - last) / 1000);
    last = time;
    if (clock >= length(volleys[shown])) {
      shown = (shown + 1) % volleys.length;
      clock = 0;
    }
    draw();
    frame = requestAnimationFrame(tick);
  }

  /* Starts or stops the clock, whenever one of the reasons for it changes. */
  function schedule() {
    const moves = playing && visible;
    if (moves && !frame) frame = requestAnimationFrame(tick);
    if (!moves) {
      cancelAnimationFrame(frame);
      frame = 0;
      last = null;
    }
    hero.dataset.state = moves ? "moving" : "still";
  }

  const button = document.createElement("button");
  button.type = "button";
  button.className = "fs-hero-button";
  function label() {
    button.textContent = playing ? "Pause" : "Play";
    button.setAttribute("aria-label", `${button.textContent} the moving picture`);
  }
  function begin() {
    hero.classList.add("live");
    measure();
    draw();
  }
  button.addEventListener("click", () => {
    playing = !playing;
    if (playing) begin();
    label();
    schedule();
  });
  hero.after(button);
  label();

  new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    schedule();
  }, { threshold: 0.15 }).observe(hero);
  calm.addEventListener("change", () => {
    playing = !calm.matches;
    if (playing) begin();
    label();
    schedule();
  });
  new ResizeObserver(() => { measure(); if (hero.classList.contains("live")) draw(); }).observe(hero);
  new MutationObserver(() => { measure(); if (hero.classList.contains("live")) draw(); })
    .observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  if (playing) begin();
  schedule();
})();
