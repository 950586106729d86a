/* A spike that comes to graze the threshold: potential with the slope at the spike, and the spike time
   over the weight `w` of the first input. `data` holds `times`, `second`, the weight of the second
   input, and `sweep`, weights at which the spike time is drawn, as one array for each branch. */
live.register("grazing", ({ panels: [left, right], data, colors }) => {
  const { first_spike_time, spike_time_gradient, psp_slope } = ttfslib;
  const spike_at = (w) => first_spike_time(data.times, [w, data.second]);
  const branches = data.sweep.map((weights) => Array.from(weights, (w) => [w, spike_at(w)]));
  const rounded = (value, digits) => value.toFixed(digits).replace("-", "\u2212");

  return {
    show({ w }) {
      const weights = [w, data.second], spike = live.potential(left, data.times, weights, ttfslib.DEFAULT, colors);
      const slope = weights.reduce((sum, weight, i) => sum + weight * psp_slope(spike - data.times[i]), 0);
      const derivative = spike_time_gradient(data.times, weights).d_weights[0];
      const run = Math.min(0.3 / slope, 1);
      const corners = [[spike, 1], [spike + run, 1 + run * slope], [spike + run, 1], [spike, 1]];
      left.line(corners, { color: colors.accent, width: 2.2 });
      const [from, to] = left.xlim;
      const title = `$V$\u2032 = ${rounded(slope, 3)} $\u03b8/\u03c4\u209b$,  $\u2202t*/\u2202w$ = `
        + `${rounded(derivative, 2)} $\u03c4\u209b/\u03b8$`;
      left.word(title, [(from + to) / 2, left.ylim[1]], { color: colors.potential, down: -6 });
      for (const branch of branches) right.line(branch, { color: colors.potential });
      right.dots([[w, spike]], 6, colors.spike);
      return {
        spike, slope, derivative,
        says: `Weight ${w.toFixed(4)}: spike at ${spike.toFixed(2)}, its derivative is ${derivative.toFixed(2)}.`,
      };
    },
  };
});
