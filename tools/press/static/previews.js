/* Shows what a link to an equation, figure, reference or term leads to, on hover and on focus. What
   stands on other pages comes from files that the build has written, so no network is needed. */
(() => {
  const FOLDER = new URL("previews/", document.currentScript.src);
  const KINDS = /^(equation-|fig-|term-|id\d+$)/;
  const WAIT_MS = 180;
  const loaded = {};
  let box, shownFor, timer;

  const page = (url) => url.pathname.split("/").pop();
  const isHere = (url) => url.pathname === location.pathname;

  const quiet = (element) => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll("script, style, .headerlink, .ttfs-controls, .ttfs-spoken, .enlarge").forEach((e) => e.remove());
    [copy, ...copy.querySelectorAll("[id], [name]")].forEach((e) => { e.removeAttribute("id"); e.removeAttribute("name"); });
    copy.querySelectorAll("a, summary, button, [tabindex]").forEach((e) => { e.tabIndex = -1; });
    return copy;
  };

  /* A term needs its description. */
  const fromHere = (id) => {
    const element = document.getElementById(id);
    if (!element) return null;
    const parts = element.matches("dt") ? [element, element.nextElementSibling] : [element];
    return parts.filter(Boolean).map(quiet);
  };

  /* Called by the files of the build. */
  window.firstSpikesPreviews = (name, fragments, glyphs) => {
    const drawings = document.createElement("template");
    drawings.innerHTML = glyphs;
    drawings.content.querySelectorAll("path[id]").forEach((path) => {
      if (document.getElementById(path.id)) path.remove();
    });
    document.body.append(drawings.content);
    loaded[name].resolve(fragments);
  };

  const load = (name) => {
    if (!loaded[name]) {
      const entry = (loaded[name] = {});
      entry.promise = new Promise((resolve) => { entry.resolve = resolve; });
      const script = document.createElement("script");
      script.src = new URL(name.replace(/\.html$/, ".js"), FOLDER);
      script.onerror = () => entry.resolve({});
      document.head.append(script);
    }
    return loaded[name].promise;
  };

  const fromElsewhere = async (url, id) => {
    const fragment = (await load(page(url)))[id];
    if (!fragment) return null;
    const template = document.createElement("template");
    template.innerHTML = fragment;
    template.content.querySelectorAll("img").forEach((image) => {
      image.src = new URL(image.getAttribute("src"), url);
    });
    return [...template.content.children].map(quiet);
  };

  const hide = () => {
    clearTimeout(timer);
    if (shownFor) shownFor.removeAttribute("aria-describedby");
    box?.remove();
    box = shownFor = undefined;
  };

  const place = (link) => {
    const at = link.getClientRects()[0] || link.getBoundingClientRect();
    const above = at.bottom + box.offsetHeight + 12 > innerHeight && at.top > box.offsetHeight + 12;
    const left = Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - 16);
    box.style.left = `${scrollX + Math.max(left, 8)}px`;
    box.style.top = `${scrollY + (above ? at.top - box.offsetHeight - 6 : at.bottom + 6)}px`;
  };

  const show = async (link) => {
    const url = new URL(link.href);
    const id = decodeURIComponent(url.hash.slice(1));
    const parts = isHere(url) ? fromHere(id) : await fromElsewhere(url, id);
    if (!parts || shownFor !== link) return;
    box = document.createElement("div");
    box.className = "preview";
    box.id = "preview";
    box.setAttribute("role", "tooltip");
    box.append(...parts);
    box.addEventListener("mouseleave", hide);
    document.body.append(box);
    link.setAttribute("aria-describedby", "preview");
    place(link);
  };

  const wanted = (event) => {
    const link = event.target.closest?.("article a[href*='#'], .preview a[href*='#']");
    if (!link || link.matches(".headerlink") || link.closest(".preview")) return null;
    return KINDS.test(decodeURIComponent(new URL(link.href).hash.slice(1))) ? link : null;
  };

  const arrive = (event) => {
    const link = wanted(event);
    if (!link || link === shownFor) return;
    hide();
    shownFor = link;
    timer = setTimeout(() => show(link), event.type === "focusin" ? 0 : WAIT_MS);
  };
  const leave = (event) => {
    if (!shownFor || !wanted(event)) return;
    if (event.relatedTarget?.closest?.(".preview")) return;
    hide();
  };

  document.addEventListener("mouseover", arrive);
  document.addEventListener("mouseout", leave);
  document.addEventListener("focusin", arrive);
  document.addEventListener("focusout", leave);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
