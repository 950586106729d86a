/* Light or dark as the machine has it, on paper light; D changes it. Then the deck begins. */
(() => {
  const root = document.documentElement;
  const on_paper = /[?&](view=print|print-pdf)/.test(location.search);
  const is_dark = !on_paper && matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = is_dark ? "dark" : "light";
  addEventListener("beforeprint", () => { root.dataset.theme = "light"; });
  addEventListener("DOMContentLoaded", () => {
    Reveal.initialize({
      width: 1280, height: 720, margin: 0.06, center: false, hash: true, slideNumber: "c/t",
      transition: "none", backgroundTransition: "none", pdfSeparateFragments: false,
      pdfMaxPagesPerSlide: 1,
    });
    Reveal.addKeyBinding({ keyCode: 68, key: "D", description: "Light or dark" }, () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    });
  });
})();
