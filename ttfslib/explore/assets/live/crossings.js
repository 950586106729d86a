/* The potential after one input spike at time 0, with both crossings of the threshold. The sliders
   are the weight `w` and the `params` of the neuron. */
live.register("crossings", ({ panels: [panel], colors }) => {
  const { psp, peak_delay } = ttfslib;

  /* When the potential falls back to the threshold; Infinity if it never does. */
  function downward_crossing(w, params) {
    const peak = peak_delay(0, w, params), excess = (s) => w * psp(s, params) - params.threshold;
    if (peak === Infinity) return Infinity;
    let [above, below] = [peak, 2 * peak];
    while (excess(below) > 0) below *= 2;
    for (let i = 0; i < 60; i += 1) {
      const middle = (above + below) / 2;
      if (excess(middle) > 0) above = middle;
      else below = middle;
    }
    return below;
  }

  function in_words(w, up, down) {
    if (up === Infinity) return `With weight ${w} the potential stays below the threshold.`;
    const fall = down === Infinity ? "for good" : `and falls back at ${down.toFixed(2)}`;
    return `With weight ${w} it reaches the threshold at ${up.toFixed(2)} ${fall}.`;
  }

  return {
    show({ w, params }) {
      const up = live.potential(panel, [0], [w], params, colors);
      const down = up === Infinity ? Infinity : downward_crossing(w, params);
      const sides = [[up, "spike", "end", -3], [down, "accent", "start", 3]];
      for (const [time, role, anchor, right] of sides) {
        if (time > panel.xlim[1]) continue;
        panel.word(time.toFixed(2), [time, 1.06], { color: colors[role], anchor, right });
      }
      const edge = panel.xlim[1];
      if (down <= edge) panel.ring([down, 1], 9, colors.accent);
      else if (down < Infinity) {
        panel.word(`${down.toFixed(2)} \u2192`, [edge, 1.06], { color: colors.accent, anchor: "end", right: -3 });
      }
      return { up, down, says: in_words(w, up, down) };
    },
  };
});
