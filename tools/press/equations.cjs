/* Reads one request a line, {"tex": ..., "display": ...}, and answers with one line: the markup of
   the formula, the glyphs that no formula before it used, and what TeX complained about. */
const folder = process.argv[2];
const settings = {
  loader: {
    load: ["input/tex-full", "output/svg", "adaptors/liteDOM", "a11y/assistive-mml"],
    paths: { mathjax: folder },
    versionWarnings: false,
  },
  tex: { packages: { "[-]": ["noerrors", "noundefined"] } },
  svg: { fontCache: "global" },
};

const serve = async (MathJax) => {
  const adaptor = MathJax.startup.adaptor;
  const glyphs = MathJax.startup.output.fontCache;
  const lines = require("readline").createInterface({ input: process.stdin });
  for await (const line of lines) {
    const { tex, display } = JSON.parse(line);
    glyphs.clearCache();
    const node = await MathJax.tex2svgPromise(tex, { display });
    const markup = adaptor.outerHTML(node);
    const error = /data-mjx-error="([^"]*)"/.exec(markup);
    const answer = {
      markup,
      glyphs: adaptor.innerHTML(glyphs.getCache()),
      error: error && error[1],
    };
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
};

require(folder + "/node-main.js").init(settings).then(serve).catch((error) => {
  console.error(error);
  process.exit(1);
});
