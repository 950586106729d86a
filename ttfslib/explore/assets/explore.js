/* Wakes every interactive figure on the page that is not awake yet. Frames lie side by side in
   the order of nested loops over the controls, the last control turning fastest. */
(() => {
  const { count, position, connect, readOut } = ttfsControls;
  const unpack = async (parcel) => {
    const bytes = Uint8Array.from(atob(parcel.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  /* The page may be dark, and may change while it is read. */
  const isDark = () => document.documentElement.dataset.theme === "dark";
  const onGround = (parcel, line) => {
    if (!isDark() || !parcel.dark) return parcel.lines[line];
    if (parcel.rasters[line]) return parcel.rasters[line];
    return parcel.lines[line].replace(/#[0-9a-f]{3,6}\b/gi, (color) => parcel.dark[color] || color);
  };

  const wake = async (root) => {
    const part = (name) => root.querySelector(".ttfs-" + name);
    const [stage, spoken, panel] = [part("stage"), part("spoken"), part("controls")];
    const still = panel.innerHTML;
    root.dataset.state = "loading";
    panel.innerHTML = part("panel").textContent;
    let parcel;
    try {
      parcel = await unpack(part("frames").textContent);
    } catch {
      panel.innerHTML = still;
      root.dataset.state = "still";
      return;
    }
    const controls = [...panel.querySelectorAll("input, select")];
    const show = () => {
      const frame = controls.reduce((index, c) => index * count(c) + position(c), 0);
      const picture = parcel.frames[frame].map((line) => onGround(parcel, line)).join("");
      controls.forEach(readOut);
      stage.src = "data:image/svg+xml," + encodeURIComponent(picture);
      stage.alt = parcel.alts[frame % parcel.alts.length];
      const is_playing = controls.some((c) => "playing" in c.dataset);
      if (parcel.alts.length > 1 && !is_playing) spoken.textContent = stage.alt;
      root.dataset.frame = frame;
    };
    for (const control of controls) {
      connect(control);
      control.addEventListener("input", show);
      control.disabled = false;
    }
    if (isDark()) show();
    new MutationObserver(show).observe(document.documentElement, {
      attributeFilter: ["data-theme"],
    });
    root.dataset.state = "ready";
  };

  document.querySelectorAll(".ttfs-interactive:not([data-state], .ttfs-live)").forEach(wake);
})();
