/* Networks as points, by two of their measures, which one chooses. `data` holds `measures`, by name: the
   `limits` and `ticks` of an axis, and the `words` at the ticks; `groups`, by key: `name`, `mark` and
   `shade`; and `tables`, by data set: the `groups` and `seeds` of the networks, and by measure their `values`
   and what these are in `words`. A unit stands in brackets behind the name of a measure. The sliders are the
   `images`, what lies to the right, `x`, and upward, `y`, and the `group` that stands out, or "all". */
live.register("scatter", ({ panels: [panel], data, colors }) => {
  const ink = colors.potential, size = 10, PALE = 0.3;
  const MARKS = { // those of matplotlib, from the middle of a point
    o: "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", s: "m-3-3h6v6h-6z", "^": "m0-3l3 6h-6z",
    D: "m0-4.2l4.2 4.2-4.2 4.2-4.2-4.2z", x: "m-3-3l6 6m-6 0l6-6",
  };

  function add_axes(x, y) {
    const [across, up] = [data.measures[x], data.measures[y]], grid = { color: colors.muted, width: 0.6, opacity: 0.5 };
    [panel.xlim, panel.ylim] = [across.limits, up.limits];
    const [[left, right], [low, high]] = [panel.xlim, panel.ylim];
    across.ticks.forEach((tick, i) => {
      panel.line([[tick, low], [tick, high]], grid);
      panel.word(across.words[i], [tick, low], { color: ink, down: 11, size });
    });
    up.ticks.forEach((tick, i) => {
      panel.line([[left, tick], [right, tick]], grid);
      panel.word(up.words[i], [left, tick], { color: ink, anchor: "end", right: -3.5, down: 3.5, size });
    });
    panel.word(x, [(left + right) / 2, low], { color: ink, down: 25.5 });
    panel.word(y, [left, high], { color: ink, anchor: "start", down: -5 });
  }

  function add_marks(points, opacity) {
    for (const { at, key } of points) {
      const { mark, shade } = data.groups[key], color = live.ink(shade);
      panel.path(`M${panel.place(at)}${MARKS[mark]}`, { color, fill: color, width: 1, opacity });
    }
  }

  /* On the left of the first point, on the right of the last, and above those between, or below those that
     are lower than the ends or too high, so that neighbors can be read. */
  function add_seeds(points) {
    const row = [...points].sort((a, b) => a.at[0] - b.at[0]), last = row.length - 1;
    row.forEach(({ at, seed }, i) => {
      const is_low = at[1] < (row[0].at[1] + row[last].at[1]) / 2, is_high = panel.y(at[1]) < panel.top + 15;
      const place = i === last ? { anchor: "start", right: 8, down: 3.5 }
        : i === 0 ? { anchor: "end", right: -8, down: 3.5 } : { down: is_low || is_high ? 16 : -9 };
      panel.word(String(seed), at, { color: ink, weight: "bold", ...place });
    });
  }

  function in_words(measure, word) {
    const [, name, unit = ""] = measure.match(/^(.*?)(?: \((.*)\))?$/);
    return `${name} ${word} ${unit}`.trim();
  }

  return {
    names: {
      panel, color: ink, label: "Networks, group by group",
      hint: "Point at a network, or press the arrow keys, to see which one it is.",
    },

    show({ images, x, y, group }) {
      const { groups, seeds, values, words } = data.tables[images];
      const all = groups.map((key, i) => {
        const at = [values[x]?.[i], values[y]?.[i]], name = `${data.groups[key].name}, seed ${seeds[i]}`;
        const says = `${name}: ${in_words(x, words[x]?.[i])}, ${in_words(y, words[y]?.[i])}`;
        return { key, seed: seeds[i], at, name, says, chooses: { group: key } };
      });
      const seen = all.filter(({ at }) => at.every(Number.isFinite));
      const chosen = seen.filter(({ key }) => key === group), rest = seen.filter(({ key }) => key !== group);
      add_axes(x, y);
      add_marks(rest, group === "all" ? 1 : PALE);
      add_marks(chosen, 1);
      add_seeds(chosen);
      const n_chosen = groups.filter((key) => key === group).length;
      const of_group = group === "all" ? "" : n_chosen
        ? `, ${chosen.length} of ${n_chosen} in \u201c${data.groups[group].name}\u201d`
        : `; \u201c${data.groups[group].name}\u201d was not trained on these images`;
      return {
        points: [...chosen, ...rest],
        says: `${y} against ${x}: ${seen.length} of ${all.length} networks on ${images} have both values${of_group}.`,
      };
    },
  };
});
