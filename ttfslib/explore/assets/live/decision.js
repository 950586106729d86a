/* A point of the plane and the spikes of a network of first spikes for it: drag the point. `data` holds
   `sizes`, `weights`, `clock`, the time of the last input, `shades` of the classes, and of the hidden
   neurons the `order` from bottom to top and the `classes`. */
live.register("decision", ({ panels: [plane, volley], data, colors }) => {
  // In double precision, so that a spike is as sure as its closed form.
  const network = new ttfslib.TTFSNetwork(data.sizes, data.weights.map((matrix) => Float64Array.from(matrix)));
  const shades = data.shades.map(live.ink), n_hidden = data.sizes[1], furthest = 0.498;

  return {
    handle: { panel: plane, x: "x", y: "y", label: "Point of the disc" },

    /* The disc touches the sides of the square. A slider that is moved alone ends at the rim. */
    confine({ x, y }, moved) {
      const [right, up] = [x - 0.5, y - 0.5], share = Math.min(1, furthest / Math.hypot(right, up));
      const chord = (along, across) => 0.5 + Math.sign(along) * Math.sqrt(Math.max(0, furthest ** 2 - across ** 2));
      const within = (value) => 0.5 + Math.min(Math.max(value - 0.5, -furthest), furthest);
      if (share === 1) return { x, y };
      if (moved === "x") return { x: chord(right, up), y: within(y) };
      if (moved === "y") return { x: within(x), y: chord(up, right) };
      return { x: 0.5 + share * right, y: 0.5 + share * up };
    },

    show({ x, y }) {
      const inputs = Float64Array.of(...ttfslib.latency_encode([x, y, 1 - x, 1 - y]), data.clock);
      const [hidden, output] = network.forward(inputs);
      const decision = ttfslib.decision_time(output), winner = ttfslib.decided_class(output);
      volley.line([[decision, volley.ylim[0]], [decision, volley.ylim[1]]], { color: colors.muted, width: 1 });
      shades.forEach((shade, k) => {
        const rows = Array.from(data.order, (neuron, row) => [hidden[neuron], row]);
        volley.dots(rows.filter(([time], row) => time < Infinity && data.classes[data.order[row]] === k), 4, shade);
        if (output[k] < Infinity) volley.ticks([[output[k], n_hidden + 18]], 16, { color: shade, width: 2.5 });
      });
      volley.ticks(Array.from(inputs, (time) => [time, -18]), 12.6, { color: colors.potential, width: 1.5 });
      return {
        spikes: [inputs, hidden, output].map((times) => Array.from(times)),
        says: `Point (${x.toFixed(2)}, ${y.toFixed(2)}): class ${winner} fires first, at ${decision.toFixed(2)}.`,
      };
    },
  };
});
