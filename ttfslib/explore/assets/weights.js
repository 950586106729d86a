/* The weights onto one layer as a picture: onto the first hidden layer each neuron as an image of its
   pixels, onto the others a column for each neuron and a row for each presynaptic one. */
(() => {
"use strict";
const { html, set } = alive;

const SIDE = 8, GAP = 2; // pixels of an image, and between images
const REACH = 2; // standard deviations of the weights that have the full color

/* The two colors of the page, light or dark, as numbers, by the sign of a weight. */
function shades(painter) {
  const style = getComputedStyle(painter.canvas);
  return ["--al-inhibits", "--al-excites"].map((name) => {
    painter.fillStyle = style.getPropertyValue(name).trim();
    const code = parseInt(painter.fillStyle.slice(1), 16);
    return [code >> 16, (code >> 8) & 255, code & 255];
  });
}

/* Where weight i of a matrix (n_pre, n_post) is drawn, and how large the picture becomes. */
function layout(layer, n_pre, n_post) {
  if (layer > 0) {
    return { width: n_post, height: n_pre, place: (pre, post) => pre * n_post + post };
  }
  const across = Math.ceil(Math.sqrt(n_post)), step = SIDE + GAP, width = across * step - GAP;
  return {
    width,
    height: Math.ceil(n_post / across) * step - GAP,
    place: (pre, post) =>
      (Math.floor(post / across) * step + Math.floor(pre / SIDE)) * width + (post % across) * step + (pre % SIDE),
  };
}

/* `names` are those of the layers, the input first; `onchoose` hears which layer is looked at. */
function weights(box, names, onchoose) {
  const canvas = html("canvas", { class: "al-weights", role: "img", "aria-label": "Weights" });
  const painter = canvas.getContext("2d");
  const select = html("select", { onchange: () => onchoose(Number(select.value)) },
    ...names.slice(1).map((name, i) => html("option", { value: i }, name)));
  box.append(html("figure", {},
    html("figcaption", {}, html("label", {}, "Weights onto ", select)), canvas));

  function show({ layer, n_post, matrix }) {
    const { width, height, place } = layout(layer, matrix.length / n_post, n_post);
    if (canvas.width !== width || canvas.height !== height) set(canvas, { width, height });
    const image = painter.createImageData(width, height), colors = shades(painter);
    const size = Math.sqrt(matrix.reduce((sum, w) => sum + w * w, 0) / matrix.length);
    let n_positive = 0;
    matrix.forEach((w, i) => {
      const at = 4 * place(Math.floor(i / n_post), i % n_post);
      image.data.set(colors[Number(w > 0)], at);
      image.data[at + 3] = 255 * Math.min(1, Math.abs(w) / (REACH * size));
      n_positive += w > 0;
    });
    painter.putImageData(image, 0, 0);
    const share = Math.round((100 * n_positive) / matrix.length);
    set(canvas, {
      "aria-label": `Weights onto ${names[layer + 1]}: ${share} % of them excite, ` +
        `their root mean square is ${size.toFixed(3)} thresholds.`,
    });
  }
  return { show };
}

alive.weights = weights;
})();
