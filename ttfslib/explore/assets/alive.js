/* What the pages that compute share: elements, drawings that follow the width, and a voice. */
(() => {
"use strict";
const SVG = "http://www.w3.org/2000/svg";

/* An element with attributes, listeners (`onclick`) and children. */
function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const html = (tag, attributes = {}, ...children) =>
  build(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  build(document.createElementNS(SVG, tag), attributes, children);

const set = (element, attributes) => build(element, attributes, []);
const clear = (element) => element.replaceChildren();

/* A drawing in pixels of the screen: `draw(width)` is called once now and whenever the width changes. */
function follow(box, draw) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const found = Math.floor(entry.contentRect.width);
    if (found && found !== width) draw((width = found));
  }).observe(box);
}

/* Says a sentence to a screen reader, at most every few seconds, the last one always. */
function voice(region, pause = 3000) {
  let spoken = 0, timer = null;
  return (sentence) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      spoken = Date.now();
      region.textContent = sentence;
    }, Math.max(0, spoken + pause - Date.now()));
  };
}

/* Draws once for the next picture of the screen, however often it is asked to. */
function once_a_frame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

/* A slider with its label and its value. */
function slider(label, { min, max, step, value, show, oninput }) {
  const output = html("output", {}, show(value));
  const input = html("input", {
    type: "range", min, max, step, value, "aria-valuetext": show(value),
    oninput() {
      output.textContent = show(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
      oninput(Number(input.value));
    },
  });
  return html("label", { class: "al-slider" }, html("span", {}, label), input, output);
}

/* One of several choices, side by side. */
function choice(legend, name, options, chosen, onchoose) {
  const buttons = options.map(([value, text, spoken]) => html("label", {},
    html("input", {
      type: "radio", name, value, checked: value === chosen, "aria-label": spoken || false,
      onchange: () => onchoose(value),
    }), html("span", {}, text)));
  return html("fieldset", { class: "al-choice" }, html("legend", {}, legend), html("div", {}, ...buttons));
}

/* The page wakes up: what it computes takes the place of the still picture. */
async function wake(name, start) {
  const root = document.querySelector(`.ttfs-alive[data-page="${name}"]`);
  if (!root) return;
  const stage = html("div", { class: "al-stage" });
  await start(stage, JSON.parse(root.querySelector("script[type='application/json']")?.textContent || "null"));
  root.querySelector(".al-still").remove();
  root.prepend(stage);
  root.dataset.state = "ready";
}

globalThis.alive = { html, svg, set, clear, follow, voice, once_a_frame, slider, choice, wake };
})();
