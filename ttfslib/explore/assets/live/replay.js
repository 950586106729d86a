/* The spikes of a sample on their way through a network, as time passes. `data` holds `volleys`, by
   network and sample: the spike times of each layer, the input first and the output last; and, for a
   panel on the left, `images` by sample, with their `side` in pixels. The first three quarters of a
   hidden layer excite. The sliders are the `sample`, the `state` of the network and the `time`. */
live.register("replay", ({ panels, data, colors }) => {
  const [raster, canvas] = [panels.at(-1), panels.length > 1 ? panels[0] : null];
  const FRESH = 0.03, BAND = 0.86, ink = colors.potential;

  /* The dots of a layer, those after the decision faded and those of this moment large. */
  function add_layer(i, times, is_hidden, time, decision) {
    const groups = new Map();
    times.forEach((spike, j) => {
      if (spike > time) return;
      const place = (j + 0.5) / times.length, excites = place < 0.75;
      const role = is_hidden ? (excites ? "excitatory" : "inhibitory") : "potential";
      const look = `${role} ${spike > time - FRESH ? 4.5 : 2.65} ${spike > decision ? 0.2 : 1}`;
      if (!groups.has(look)) groups.set(look, []);
      groups.get(look).push([spike, i + BAND * place]);
    });
    for (const [look, points] of groups) {
      const [role, size, opacity] = look.split(" ");
      raster.dots(points, size, colors[role], opacity);
    }
  }

  function add_decision(i, output, decision, winner) {
    const [low, high] = raster.ylim;
    raster.line([[decision, low], [decision, high]], { color: colors.accent, width: 1.2 });
    raster.dots([[decision, i + (BAND * (winner + 0.5)) / output.length]], 5.5, colors.accent);
  }

  function add_image(sample) {
    const image = data.images[sample];
    image.forEach((share, k) => {
      const [x, y] = [k % data.side, Math.floor(k / data.side)];
      if (share > 0) canvas.area([x, y], [x + 1, y + 1], ink, share);
    });
  }

  return {
    show({ sample, state, time: shown }) {
      const time = Math.fround(shown); // as exact as the spikes, so that one at this very time is seen
      const layers = data.volleys[state][sample], output = layers.at(-1), top = layers.length - 1;
      const decision = ttfslib.decision_time(output), is_over = decision <= time;
      const winner = is_over ? ttfslib.decided_class(output) : null;
      if (canvas) add_image(sample);
      layers.forEach((times, i) => add_layer(i, times, i > 0 && i < top, time, decision));
      const [from, to] = raster.xlim;
      if (time < to) raster.line(raster.ylim.map((y) => [time, y]), { color: colors.muted, width: 0.8 });
      if (is_over) add_decision(top, output, decision, winner);
      const verdict = is_over ? `says ${winner} at t = ${decision.toFixed(2)}`
        : time < to ? `t = ${time.toFixed(2)}: no decision yet` : "has not decided";
      raster.word(verdict, [(from + to) / 2, raster.ylim[1]], { color: ink, down: -6, size: 12 });
      const fired = layers.map((times) => times.filter((spike) => spike <= time).length / times.length);
      const outcome = is_over ? verdict : "has not decided";
      return { decision, winner, fired, says: `Spikes until ${time.toFixed(2)}; the network ${outcome}.` };
    },
  };
});
