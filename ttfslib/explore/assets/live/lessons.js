/* One neuron learns to fire at a time, by gradient descent: potential and `target` (above), weights now
   and at the start (below), after any number of steps. `data` holds `times`, the weights of the `start`,
   the `rate` and the number of `steps`. The sliders are the `target` and the `step`. */
live.register("lessons", ({ panels: [above, below], data, colors }) => {
  const { first_spike_time, spike_time_gradient } = ttfslib, { times } = data;
  const start = Array.from(data.start);

  /* Weights before each step and after the last. */
  function learn(target) {
    const history = [start];
    for (let i = 0; i < data.steps; i += 1) {
      const w = history[i], miss = first_spike_time(times, w) - target;
      const { d_weights } = spike_time_gradient(times, w);
      history.push(miss < Infinity ? w.map((weight, k) => weight - data.rate * miss * d_weights[k]) : w);
    }
    return history;
  }

  let learned = { target: null };
  return {
    show({ target, step }) {
      if (learned.target !== target) learned = { target, history: learn(target) };
      const w = learned.history[step];
      above.line([[target, above.ylim[0]], [target, above.ylim[1]]],
        { color: colors.accent, width: 1.8, dash: "1.8 3" });
      above.word("target", [target, above.ylim[1]], { color: colors.accent, down: -4 });
      const spike = live.potential(above, times, w, ttfslib.DEFAULT, colors);
      if (spike === Infinity) above.note("silent: no gradient", colors.spike);
      below.stems(Array.from(times, (time, i) => [time + 0.02, start[i]]), 0, { color: colors.muted, width: 2.2 });
      live.inputs(below, times, w, colors);
      const said = spike < Infinity ? `fires at ${spike.toFixed(3)}` : "stays silent";
      return { spike, weights: w, says: `Target ${target}, step ${step}: the neuron ${said}.` };
    },
  };
});
