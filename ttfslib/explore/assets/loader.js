/* Runs a program that came as base64 of gzip, once the page is whole. A browser that cannot keeps the
   still picture. */
(async (packed) => {
  if (!globalThis.DecompressionStream) return;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  if (document.readyState === "loading") {
    await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
  }
  document.head.append(script);
  script.remove();
