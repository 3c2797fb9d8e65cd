// The reader of the page "/": the server extracts the digit, and runs the models.
"use strict";

const reader = (() => {
  let maxBytes = 0;

  // Return the answer of the server, or null if it is busy.
  async function post(url, body) {
    const response = await fetch(url, { method: "POST", body });
    const content = await response.json();
    if (response.status === 429) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
      return null;
    }
    if (!response.ok) throw new Error(content.error);
    return content;
  }

  async function load() {
    const content = await (await fetch("models")).json();
    maxBytes = content.max_bytes;
    document.getElementById("in-browser").hidden = !content.in_browser;
    return content.models;
  }

  async function predict(pad) {
    const { photograph } = pad;
    if (!photograph) return post("predict?background=uniform", pad.toFile());
    if (photograph.file.size > maxBytes) return { message: `this file exceeds ${maxBytes / 1e6} MB.` };
    return post("predict", photograph.file);
  }

  const explain = (name, digit) => post(`explain?model=${encodeURIComponent(name)}`, JSON.stringify(digit));

  return { invitation: "Draw a digit, or choose a photograph.", load, predict, explain };
})();
