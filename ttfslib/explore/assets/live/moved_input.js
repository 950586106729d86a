/* One input of several, moved: potential (top), inputs (bottom), and the spike time for every arrival
   of this input. `data` holds `times`, `weights` and `names` of all inputs, and the index of the `moved`
   one. The sliders are its `arrival` and its `weight`. */
live.register("moved_input", ({ panels: [top, jump, bottom], data, colors }) => {
  const { names, moved } = data, params = ttfslib.DEFAULT;
  const replaced = (values, value) => Array.from(values, (old, i) => (i === moved ? value : old));
  const begin = 0; // the potential is at rest before
  const [earliest, latest] = jump.xlim, n = 400;
  const sweep = Array.from({ length: n + 1 }, (_, k) => earliest + (k / n) * (latest - earliest));

  return {
    handle: { panel: bottom, x: "arrival", y: "weight", label: `Input ${names[moved]}: arrival and weight` },

    show({ arrival, weight }) {
      const times = replaced(data.times, arrival), weights = replaced(data.weights, weight);
      const spike = live.potential(top, times, weights, params, colors, begin), fires = spike < Infinity;
      if (fires) bottom.band(bottom.xlim[0], spike, colors.spike, 0.1);
      live.inputs(bottom, times, weights, colors);
      times.forEach((time, i) => {
        const look = time < spike && fires ? { color: colors.spike, weight: "bold" } : { color: colors.potential };
        const gap = i === moved ? 5 : 0; // for the handle
        bottom.word(names[i], [time, weights[i]], { ...look, down: weights[i] > 0 ? -4 - gap : 12 + gap });
      });
      const found = sweep.map((t) => [t, ttfslib.first_spike_time(replaced(times, t), weights)]);
      jump.dots(found.filter(([, t]) => t < Infinity), 1.6, colors.potential);
      if (fires) jump.dots([[arrival, spike]], 6, colors.spike);
      else top.note("no spike", colors.spike);
      const causes = ttfslib.causal_set(times, weights).map((i) => names[i]).join(", ");
      const outcome = fires ? `a spike at ${spike.toFixed(2)}, caused by ${causes}` : "no spike";
      return {
        spike, causes, found,
        says: `${names[moved]} at ${arrival.toFixed(2)}, weight ${weight}: ${outcome}.`,
      };
    },
  };
});
