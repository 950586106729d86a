/* The pulse packets of an image, layer by layer, as time passes: spikes counted in bins, each layer to
   the scale of its packet. `data` holds `volleys`, by epoch and image: the `decision` and the spike times
   of the `layers`, the input first; the `sizes` of the layers and the `bin`. Panels lie from the last
   layer down. The sliders are the `image`, the `epoch` and the `time`. */
live.register("pulses", ({ panels, data, colors }) => {
  const rows = [...panels].reverse(), later = live.ink("#dfe3e6");
  const tallest = rows.map((panel) => panel.ylim[1] / 1.1); // where the scale of a packet has its 1

  function histogram(times) {
    const counts = new Map();
    for (const time of times) {
      const bin = Math.floor(time / data.bin);
      counts.set(bin, (counts.get(bin) || 0) + 1);
    }
    return counts;
  }

  function add_bins(panel, counts, height, color) {
    for (const [bin, count] of counts) {
      panel.area([bin * data.bin, 0], [(bin + 1) * data.bin, count * height], color, 1);
    }
  }

  function add_layer(i, times, { decision, share, time }) {
    const panel = rows[i], packet = times.filter((spike) => spike <= decision);
    const height = tallest[i] / Math.max(1, ...histogram(packet).values());
    const seen = times.filter((spike) => spike <= time), active = packet.filter((spike) => spike <= time);
    add_bins(panel, histogram(seen), height, later);
    add_bins(panel, histogram(active), height, colors.potential);
    const fired = active.length / data.sizes[i], said = [`${(100 * fired).toFixed(0)} % active`];
    const ends = decision <= time ? ttfslib.shortest_interval(packet, share) : null;
    if (ends) {
      const y = -0.12 * tallest[i];
      panel.line(ends.map((x) => [x, y]), { color: colors.spike, width: 4 });
      said.push(`width ${(ends[1] - ends[0]).toFixed(3)}`);
    }
    const middle = (panel.ylim[0] + panel.ylim[1]) / 2, lines = said.length;
    said.forEach((text, line) => panel.word(text, [panel.xlim[1], middle],
      { color: colors.potential, anchor: "start", right: 8, down: 3.5 + 12 * (line - (lines - 1) / 2), size: 9 }));
    return { fired, width: ends ? ends[1] - ends[0] : NaN };
  }

  return {
    show({ image, epoch, share, time: shown }) {
      const time = Math.fround(shown); // as exact as the spikes
      const { layers, decision } = data.volleys[epoch][image], is_over = decision <= time;
      const found = layers.map((times, i) => add_layer(i, times, { decision, share, time }));
      for (const panel of rows) {
        const upright = (x) => panel.ylim.map((y) => [x, y]);
        if (is_over) panel.line(upright(decision), { color: colors.accent, width: 1.2 });
        if (time < panel.xlim[1]) panel.line(upright(time), { color: colors.muted, width: 0.8 });
      }
      const shares = found.map(({ fired }) => fired), widths = found.map(({ width }) => width);
      const percent = shares.map((share) => (100 * share).toFixed(0)).join(", ");
      const outcome = is_over ? `decided at ${decision.toFixed(2)}` : "not decided";
      return { shares, widths, decision, says: `Until ${time.toFixed(2)}: ${outcome}; from the input up ${percent} % active.` };
    },
  };
});
