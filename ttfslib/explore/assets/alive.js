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

/* One of several choices, side by side; those of two places on a page do not touch each other. */
let n_choices = 0;
function choice(legend, name, options, chosen, onchoose) {
  const group = `${name}-${(n_choices += 1)}`;
  const buttons = options.map(([value, text, spoken]) => html("label", {},
    html("input", {
      type: "radio", name: group, value, checked: value === chosen, "aria-label": spoken || false,
      onchange: () => onchoose(value),
    }), html("span", {}, text)));
  return html("fieldset", { class: "al-choice" }, html("legend", {}, legend), html("div", {}, ...buttons));
}

/* ---- Programs, and the places where they run ---- */

const programs = {}, data = {};

/* A file hands over what a program needs. */
function deliver(name, content) {
  data[name] = content;
}

/* A program runs in its places: now on its own page, and later where it sleeps. */
function wake(name, start) {
  programs[name] = start;
  document.querySelectorAll(`.ttfs-alive[data-page="${name}"]:not([data-scripts])`).forEach(begin);
}

/* What computes takes the place of the still picture. */
async function begin(root) {
  const stage = html("div", { class: "al-stage" });
  await programs[root.dataset.page](stage, data[root.dataset.page], root.dataset);
  root.querySelector(".al-still").replaceWith(stage);
  root.dataset.state = "ready";
  return stage;
}

const home = document.currentScript?.src, loads = {};
const ran = new Promise((done) => document.addEventListener("DOMContentLoaded", done)); // all scripts of the page

/* A script that did not come counts as absent, so that it can be asked for again. */
addEventListener("error", ({ target }) => {
  if (target instanceof HTMLScriptElement) target.remove();
}, true);

/* Loads a script of the site, once; it may be there already. */
function load(file) {
  const { href } = new URL(file, home), bare = (address) => address.split("?")[0];
  loads[href] ??= new Promise((done, fail) => {
    if ([...document.scripts].some(({ src }) => bare(src) === bare(href))) done();
    else document.head.append(html("script", { src: href, onload: done, onerror: fail }));
  }).catch((event) => {
    delete loads[href];
    throw event;
  });
  return loads[href];
}

/* A program that sleeps in a chapter wakes when it is asked to, or when the reader comes near. */
function offer(root) {
  const still = root.querySelector(".al-still"), note = still.querySelector(".al-needs"), needs = note.textContent;
  const tell = (sentence) => {
    note.textContent = sentence;
    note.hidden = !sentence;
  };
  const rouse = async () => {
    tell("");
    button.disabled = true;
    try {
      await ran;
      for (const file of root.dataset.scripts.split(" ")) await load(file);
    } catch {
      tell("This could not be loaded.");
      button.textContent = "Try again";
      button.disabled = false;
      still.append(button);
      return button;
    }
    try {
      return (await begin(root)).querySelector("button, [tabindex]");
    } catch (error) {
      console.error(error);
      root.dataset.state = "failed";
      button.remove();
      tell(needs);
      return null;
    }
  };
  const button = html("button", { type: "button", class: "al-main", async onclick() {
    (await rouse())?.focus({ preventScroll: true });
  } }, root.dataset.offer ?? "");
  note.setAttribute("role", "alert");
  tell("");
  root.dataset.state = "asleep";
  if (root.dataset.offer) {
    still.append(button);
  } else {
    new IntersectionObserver((entries, watcher) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      rouse();
    }, { rootMargin: "100%" }).observe(root);
  }
}
document.querySelectorAll(".ttfs-alive[data-scripts]").forEach(offer);

globalThis.alive = { html, svg, set, clear, follow, voice, once_a_frame, slider, choice, deliver, wake };
})();
