/* What test_site_browser asks of every page, in one go. */
() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const seen = (e) => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length;
  const say = (e) => `${e.tagName.toLowerCase()}.${e.className} ${e.textContent.trim().slice(0, 40)}`;
  const root = document.documentElement;
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parsed = new Map();
  const parse = (color) => {
    if (!parsed.has(color)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      parsed.set(color, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return parsed.get(color);
  };
  const solid = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const layer = parse(getComputedStyle(e).backgroundColor);
      if (layer[3]) layers.push(layer);
      if (layer[3] === 255) break;
    }
    return layers.reverse().reduce(
      (below, [r, g, b, a]) => [r, g, b].map((v, i) => (v * a + below[i] * (255 - a)) / 255),
      [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map(
      (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ink = (e) => light(parse(getComputedStyle(e).color).slice(0, 3));
  const ratio = (...lights) => {
    const [a, b] = lights.sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const contrast = (e) => ratio(ink(e), light(solid(e)));
  const ownText = (e) => [...e.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const texts = all("body *").filter((e) => (ownText(e) || e.matches("mjx-container"))
    && !e.matches("script, style, noscript, svg *, mjx-assistive-mml *, :disabled, .glyphs *") && seen(e));
  const large = ({fontSize, fontWeight}) => parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24);
  const wanted = (e) => large(getComputedStyle(e)) ? 3 : 4.5;
  /* A link among words differs from them by more than its color, or by much of it. */
  const around = (e) => e.parentElement.closest("p, li, dt, dd, td, th, figcaption, summary, div");
  const isAmongWords = (e) => ownText(around(e));
  const distinct = (e) => {
    const own = getComputedStyle(e), block = getComputedStyle(around(e));
    return own.textDecorationLine.includes("underline") || parseFloat(own.borderBottomWidth) > 0
      || ["fontWeight", "fontStyle", "fontFamily"].some((look) => own[look] !== block[look])
      || ratio(ink(e), ink(around(e))) >= 3;
  };
  const byScript = (e) => e.matches(".formula, .wide");
  const scrolls = (e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible";
  const cue = (e) => getComputedStyle(e, "::after").content.includes("›") && e.tabIndex === 0
    && e.getAttribute("role") === "region" && e.getAttribute("aria-label");
  const SPACE = 8; /* A space that ends a line may hang over. */
  const covers = (button, line) => line.right - SPACE > button.left && line.left < button.right
    && line.bottom > button.top && line.top < button.bottom;
  const lines = (e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return [...range.getClientRects()].filter((line) => line.width);
  };
  const exes = {};
  const ex = (e) => {
    const {fontSize, fontFamily} = getComputedStyle(e);
    return (exes[fontSize + fontFamily] ??= (() => {
      const probe = document.createElement("div");
      probe.style = `position: absolute; width: 100ex; font: ${fontSize} ${fontFamily}`;
      document.body.append(probe);
      const width = probe.getBoundingClientRect().width / 100;
      probe.remove();
      return width;
    })());
  };
  const scale = (e) => e.getBoundingClientRect().width / (parseFloat(e.getAttribute("width")) * ex(e.parentElement));
  const figureScale = (e) => e.getBoundingClientRect().width / (e.getAttribute("width") || e.naturalWidth);
  const size = (selector) => parseFloat(getComputedStyle(document.querySelector(selector) || document.body).fontSize);
  return {
    overflow: root.scrollWidth - root.clientWidth,
    theme: root.dataset.theme,
    formulas: all("article .math").length,
    focusable: all("article .math :is([tabindex], a):not(.headerlink, .formula)").map(say),
    barred: all("article span.math, article span.math *").filter((e) => seen(e)
      && !e.closest("mjx-assistive-mml") && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)).map(say),
    wide: all("article span.math").filter((e) => seen(e)
      && e.getBoundingClientRect().right > root.clientWidth + 1).map(say),
    cut: all("article pre").filter((e) => seen(e) && e.scrollWidth > e.clientWidth + 1).map(say),
    uncued: all("article, article *").filter((e) => seen(e) && e.clientWidth > 1
      && (scrolls(e) ? !cue(e) : byScript(e) && e.matches("[tabindex], [role], .more-right"))).map(say),
    covered: all("button.copybtn").filter((e) => seen(e) && getComputedStyle(e).opacity > 0
      && lines(e.parentElement.querySelector("pre")).some((line) => covers(e.getBoundingClientRect(), line)))
      .map((e) => say(e.parentElement)),
    shrunk: all("article .math mjx-container > svg").filter((e) => seen(e) && scale(e) < 0.69).map((e) => say(e.parentElement)),
    reduced: all("article :is(figure, .ttfs-interactive) img").filter((e) => seen(e) && figureScale(e) < 0.8
      && !all(".enlarge", e.closest(".ttfs-interactive, figure")).some(seen)).map((e) => e.alt),
    indistinct: all("article a[href]").filter((e) => seen(e) && ownText(e) && isAmongWords(e) && !distinct(e)).map(say),
    weak: texts.filter((e) => contrast(e) < wanted(e)).map(say),
    small: all("article summary, article button:not(.copybtn), article :is(input, select), .bd-header-article button")
      .filter((e) => seen(e) && e.getBoundingClientRect().height < 40).map(say),
    wrongMode: all("img").filter((e) => seen(e)
      && e.matches(root.dataset.theme === "dark" ? ".only-light" : ".only-dark")).map((e) => e.src),
    figureWidths: [...new Set(all("article img.fills").filter((e) => seen(e) && !e.closest("details")).map((e) => Math.round(e.getBoundingClientRect().width)))],
    headings: [size("article h1"), size("article h2")],
    fonts: [...document.fonts].filter((f) => f.status === "loaded").map((f) => f.family.replaceAll('"', "")),
    breaks: all("article figure, article div.cell_input, article div.math").filter((e) => seen(e)
      && getComputedStyle(e).breakInside !== "avoid").map(say),
    screenOnly: all(".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .headerlink, .copybtn, .prev-next-footer")
      .filter(seen).map(say),
    title: document.querySelector("h1")?.textContent || "",
    titleSeen: Boolean(document.querySelector("h1") && seen(document.querySelector("h1"))),
  };
}
