/* Sliders and lists to choose from, as `_controls.py` writes them: what interactive figures share. */
(() => {
  const count = (control) => (control.options ? control.options.length : Number(control.max) + 1);
  const position = (control) => (control.options ? control.selectedIndex : Number(control.value));

  /* A figure may stand on a page twice, so ids are made here. */
  const connect = (control) => {
    control.id = "ttfs-" + Math.random().toString(36).slice(2);
    control.parentElement.querySelector("label").htmlFor = control.id;
  };

  const readOut = (control) => {
    if (control.options) return;
    const value = JSON.parse(control.dataset.values)[position(control)];
    control.setAttribute("aria-valuetext", (value + " " + control.dataset.unit).trim());
    control.parentElement.querySelector(".ttfs-value").textContent = value;
  };

  globalThis.ttfsControls = { count, position, connect, readOut };
})();
