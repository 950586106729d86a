/* Sliders and lists to choose from, as `_controls.py` writes them: what interactive figures share. */
(() => {
  const count = (control) => (control.options ? control.options.length : Number(control.max) + 1);
  const position = (control) => (control.options ? control.selectedIndex : Number(control.value));

  /* A button beside the label that runs a slider to its end in some seconds, again from the start if it
     stands there. Who wants less motion gets some large steps. */
  const addPlay = (control, label) => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)"), last = count(control) - 1, steps = 12;
    const button = document.createElement("button"), named = document.createElement("span");
    const turn = (playing) => {
      control.toggleAttribute("data-playing", playing);
      button.setAttribute("aria-label", playing ? "Pause" : "Play");
    };
    const put = (at) => {
      control.value = at;
      control.dispatchEvent(new Event("input"));
    };
    const play = () => {
      const span = 1000 * Number(control.dataset.play), from = position(control) < last ? position(control) : 0;
      const began = performance.now() - (from / last) * span;
      turn(true);
      const advance = (now) => {
        if (!("playing" in control.dataset)) return;
        const share = Math.min(1, (now - began) / span);
        if (share === 1) turn(false);
        put(Math.round(last * (calm.matches ? Math.floor(steps * share) / steps : share)));
        if (share < 1) requestAnimationFrame(advance);
      };
      requestAnimationFrame(advance);
    };
    const stop = () => {
      turn(false);
      put(position(control));
    };
    Object.assign(button, { type: "button", className: "ttfs-play" });
    button.addEventListener("click", () => ("playing" in control.dataset ? stop() : play()));
    control.addEventListener("input", (event) => event.isTrusted && turn(false));
    turn(false);
    named.className = "ttfs-named";
    label.replaceWith(named);
    named.append(label, button);
  };

  /* A figure may stand on a page twice, so ids are made here. */
  const connect = (control) => {
    const label = control.parentElement.querySelector("label");
    control.id = "ttfs-" + Math.random().toString(36).slice(2);
    label.htmlFor = control.id;
    if (control.dataset.play) addPlay(control, label);
  };

  const readOut = (control) => {
    if (control.options) return;
    const value = JSON.parse(control.dataset.values)[position(control)];
    control.setAttribute("aria-valuetext", (value + " " + control.dataset.unit).trim());
    control.parentElement.querySelector(".ttfs-value").textContent = value;
  };

  globalThis.ttfsControls = { count, position, connect, readOut };
})();
