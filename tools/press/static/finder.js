/* Finds sections that hold all words of the question; SECTIONS was written by the build. */
(() => {
  const SHOWN = 50;
  const AROUND = 90;
  const question = (new URLSearchParams(location.search).get("q") || "").trim();
  const plain = (text) => text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();
  /* "spikes" finds "spike" as well. */
  const stem = (word) => (word.length > 4 ? word.replace(/(?:ies|es|s|ing|ed)$/, "") : word);
  const escape = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const words = plain(question).split(/[^\p{L}\p{N}_.]+/u).filter(Boolean).map(stem);
  const patterns = words.map((word) => new RegExp(`(?<![\\p{L}\\p{N}])${escape(word)}`, "gu"));
  const count = (text, pattern) => (text.match(pattern) || []).length;

  const score = (section) => {
    const [title, text] = [plain(section.title), plain(section.text)];
    const each = patterns.map((p) => 10 * count(title, p) + Math.min(count(text, p), 8));
    return each.every(Boolean) ? each.reduce((a, b) => a + b) : 0;
  };

  /* The passage around the first hit, cut at words, with the hits marked. */
  const passage = (text) => {
    const anyWord = new RegExp(patterns.map((p) => p.source).join("|"), "giu");
    const first = Math.max(text.search(anyWord), 0);
    const start = first > AROUND ? text.indexOf(" ", first - AROUND) + 1 : 0;
    const end = first + AROUND < text.length ? text.lastIndexOf(" ", first + 2 * AROUND) : text.length;
    const part = text.slice(start, end > start ? end : undefined);
    const line = document.createElement("p");
    line.append(start ? "… " : "");
    let done = 0;
    for (const hit of part.matchAll(anyWord)) {
      const mark = document.createElement("mark");
      mark.textContent = hit[0];
      line.append(part.slice(done, hit.index), mark);
      done = hit.index + hit[0].length;
    }
    line.append(part.slice(done), end < text.length ? " …" : "");
    return line;
  };

  const entry = (section) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${section.page}?highlight=${encodeURIComponent(words.join(" "))}#${section.anchor}`;
    link.textContent = section.title;
    item.append(link);
    if (section.chapter !== section.title) {
      const chapter = document.createElement("div");
      chapter.className = "chapter";
      chapter.textContent = section.chapter;
      item.append(chapter);
    }
    item.append(passage(section.text));
    return item;
  };

  const input = document.querySelector("article input[name=q]");
  input.value = question;
  if (!words.length) { input.focus(); return; }
  const hits = SECTIONS.map((section) => [score(section), section]).filter(([points]) => points);
  hits.sort((a, b) => b[0] - a[0]);
  const found = hits.length === 1 ? "One section holds" : `${hits.length || "No"} sections hold`;
  document.getElementById("finder-count").textContent = `${found} “${question}”.`;
  document.getElementById("finder-results").append(...hits.slice(0, SHOWN).map((hit) => entry(hit[1])));
})();
