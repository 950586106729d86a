/* Wakes every interactive figure on the page that is not awake yet. Frames lie side by side in
   the order of nested loops over the controls, the last control turning fastest. */
(() => {
  const unpack = async (parcel) => {
    const bytes = Uint8Array.from(atob(parcel.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  const size = (control) => (control.options ? control.options.length : Number(control.max) + 1);
  const position = (control) => (control.options ? control.selectedIndex : Number(control.value));

  const readOut = (control) => {
    if (control.options) return;
    const value = JSON.parse(control.dataset.values)[position(control)];
    control.setAttribute("aria-valuetext", (value + " " + control.dataset.unit).trim());
    control.parentElement.querySelector(".ttfs-value").textContent = value;
  };

  const wake = async (root) => {
    root.dataset.state = "loading";
    const stage = root.querySelector(".ttfs-stage");
    const controls = [...root.querySelectorAll(".ttfs-control :is(input, select)")];
    let parcel;
    try {
      parcel = await unpack(root.querySelector(".ttfs-frames").textContent);
    } catch {
      root.dataset.state = "still";
      root.querySelector(".ttfs-note").hidden = false;
      return;
    }
    const spoken = root.querySelector(".ttfs-spoken");
    const show = (event) => {
      const frame = controls.reduce((index, c) => index * size(c) + position(c), 0);
      controls.forEach(readOut);
      stage.innerHTML = parcel.frames[frame].map((line) => parcel.lines[line]).join("");
      const alt = parcel.alts[frame % parcel.alts.length];
      stage.setAttribute("aria-label", alt);
      if (event && parcel.alts.length > 1) spoken.textContent = alt;
      root.dataset.frame = frame;
    };
    for (const control of controls) {
      control.addEventListener("input", show);
      control.disabled = false;
    }
    show();
    root.dataset.state = "ready";
  };

  document.querySelectorAll(".ttfs-interactive:not([data-state])").forEach(wake);
})();
