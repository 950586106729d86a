/* What pages do beyond being read: each part stands alone, and a page without it loses no content. */
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* A box that scrolls says on which side there is more. It can be reached and named by keyboard,
     but only where it does scroll. */
  const SCROLLING = ".formula, .wide";
  const nameOf = (box) => box.matches(".wide")
    ? `Table: ${all("th", box.querySelector("tr")).map((head) => head.textContent.trim()).filter(Boolean).join(", ")}`
    : `Equation ${box.parentElement.querySelector(".eqno")?.firstChild.textContent || ""}`.trim();
  const markSides = (box) => {
    box.classList.toggle("more-left", box.scrollLeft > 1);
    box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  };
  const markScrolling = () => {
    for (const box of all(SCROLLING)) {
      markSides(box);
      const scrolls = box.matches(".more-left, .more-right");
      if (scrolls === box.hasAttribute("tabindex")) continue;
      if (!scrolls) {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        continue;
      }
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", nameOf(box));
    }
  };
  const whenScrolled = ({target}) => { if (target.matches?.(SCROLLING)) markSides(target); };

  /* A figure opens large; without this the link leads to the picture itself. */
  const largeView = () => {
    const dialog = document.createElement("dialog");
    dialog.className = "large";
    dialog.innerHTML = '<div class="board"><img alt=""></div><button type="button">Close</button>';
    document.body.append(dialog);
    const board = dialog.querySelector(".board"), picture = dialog.querySelector("img");
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
    board.addEventListener("click", (event) => { if (!event.target.closest(".ttfs-live")) dialog.close(); });
    dialog.setAttribute("aria-label", "Figure, enlarged");
    const open = (image) => {
      picture.src = image.currentSrc || image.src;
      picture.alt = image.alt;
      dialog.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight || 2);
      dialog.showModal();
      board.scrollTo(0, 0);
    };
    /* A figure that the page draws itself goes into the dialog and comes back. */
    const lend = (figure) => {
      const place = document.createComment("");
      figure.replaceWith(place);
      board.replaceChildren(figure);
      dialog.addEventListener("close", () => {
        place.replaceWith(figure);
        board.replaceChildren(picture);
      }, { once: true });
      dialog.showModal();
      board.scrollTo(0, 0);
    };
    const shown = (link) => all("img", link).find((image) => image.offsetParent !== null);
    document.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      const link = event.target.closest("a.picture");
      const image = link ? shown(link) : event.target.closest("img.ttfs-stage");
      if (!image) return;
      event.preventDefault();
      open(image);
    });
    for (const figure of all(".ttfs-interactive")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "enlarge";
      button.textContent = "Enlarge";
      button.addEventListener("click", () => {
        const image = figure.querySelector("img.ttfs-stage");
        if (image) open(image);
        else lend(figure);
      });
      figure.append(button);
    }
  };

  /* A link into a folded box opens it. */
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    if (target.closest("details")) target.scrollIntoView();
  };

  /* The word that was searched for. */
  const highlight = () => {
    const words = (new URLSearchParams(location.search).get("highlight") || "").split(/\s+/).filter((w) => w.length > 1);
    const article = document.querySelector("article");
    if (!words.length || !article) return;
    const pattern = new RegExp(words.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "gi");
    const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT, (node) =>
      node.parentElement.closest("script, style, mjx-container, .headerlink") || node.data.search(pattern) < 0
        ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    const found = [];
    while (walker.nextNode()) found.push(walker.currentNode);
    for (const node of found) {
      const pieces = document.createDocumentFragment();
      let end = 0;
      for (const hit of node.data.matchAll(pattern)) {
        const mark = document.createElement("mark");
        mark.textContent = hit[0];
        pieces.append(node.data.slice(end, hit.index), mark);
        end = hit.index + hit[0].length;
      }
      pieces.append(node.data.slice(end));
      node.replaceWith(pieces);
    }
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    (target || document.querySelector("article mark"))?.scrollIntoView();
  };

  /* Paper is light, and shows what is folded only if the reader has opened it. */
  const printing = () => {
    const root = document.documentElement;
    let theme;
    addEventListener("beforeprint", () => {
      theme = root.dataset.theme;
      root.dataset.theme = "light";
      for (const image of all("img.only-light")) image.loading = "eager";
    });
    addEventListener("afterprint", () => { root.dataset.theme = theme; });
  };

  /* From the keyboard a reader reaches figures, not a button for every block of code. */
  const quietCopyButtons = () => { for (const button of all("button.copybtn")) button.tabIndex = -1; };

  addEventListener("load", quietCopyButtons);
  printing();
  largeView();
  highlight();
  unfold();
  markScrolling();
  addEventListener("hashchange", unfold);
  document.fonts.ready.then(markScrolling);
  document.addEventListener("scroll", whenScrolled, {capture: true, passive: true});
  new ResizeObserver(markScrolling).observe(document.body);
})();
