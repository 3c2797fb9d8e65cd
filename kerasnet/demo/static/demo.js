// Ask the reader (server.js or browser.js) about the newest drawing, one question at a time, and show its answers.
"use strict";

const element = (id) => document.getElementById(id);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const OFFLINE = "The server does not answer. Is kerasnet demo still running?";
const percent = (value) => (value > 0.9995 ? ">\u00a099.9\u00a0%" : `${(100 * value).toFixed(1)}\u00a0%`);

const REST = 120; // milliseconds without a new stroke before saliency and HOG cells are computed
const SPACING = 16; // milliseconds between the starts of two requests, at least

let models = [];
let revision = 0; // of the drawing
let answered = -1; // newest revision with an answer
let isAsking = false;
let rest = null; // timer
let answer = {};

const pad = new Pad(element("pad"), () => {
  revision += 1;
  element("invitation").hidden = !pad.isEmpty;
  element("pad").setAttribute("aria-label", `Drawing area, ${pad.content}`);
  element("undo").disabled = element("clear").disabled = pad.isEmpty;
  ask();
});

async function ask() {
  clearTimeout(rest);
  if (isAsking || !models.length) return;
  isAsking = true;
  while (answered !== revision) {
    const started = performance.now();
    await predict(revision).catch(fail);
    await pause(SPACING - (performance.now() - started));
  }
  isAsking = false;
  rest = setTimeout(() => explain(revision).catch(fail), REST);
}

async function predict(current) {
  const result = pad.isEmpty ? {} : await reader.predict(pad);
  if (result === null) return;
  answer = result;
  answered = current;
  if (answer.digit) showAnswer();
  else showNothing();
  document.body.dataset.answered = current;
}

// Say the answer and explain it. Screen readers read it aloud, therefore this is done when the drawing rests.
async function explain(current) {
  say(answer.digit ? describe() : sentence(answer.message ?? reader.invitation));
  if (answer.digit && reader.explain) {
    const name = selected(), result = await reader.explain(name, answer.digit);
    if (current !== revision || name !== selected()) return;
    if (result === null) return explain(current);
    showExplanation(name, result);
  }
  document.body.dataset.explained = current;
}

function fail(error) {
  answer = { message: error instanceof TypeError ? OFFLINE : error.message };
  answered = revision;
  showNothing();
  say(sentence(answer.message));
}

function say(text) {
  element("words").textContent = text;
  if (element("said").textContent !== text) element("said").textContent = text;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const selected = () => document.querySelector("input[name=model]:checked").value;

function best(probabilities) {
  const values = probabilities.map((value) => value ?? -1);
  return values.indexOf(Math.max(...values));
}

function showAnswer() {
  const digit = best(answer.predictions[selected()]);
  element("digit").textContent = digit;
  element("digit").classList.add("found");
  for (const [row, probabilities] of models.map((model) => [model.row, answer.predictions[model.name]])) {
    const winner = best(probabilities);
    row.querySelectorAll("td").forEach((cell, index) => {
      const value = probabilities[index];
      cell.style.setProperty("--p", value ?? 0);
      cell.classList.toggle("best", index === winner);
      cell.lastChild.textContent = value === null ? "–" : value >= 0.005 ? Math.round(100 * value) : "";
      cell.title = value === null ? "not among the classes of this model" : percent(value);
    });
  }
  element("words").textContent = describe();
  pictures.seen(element("seen"), answer.digit, `What the networks see: a digit, read as ${digit}`);
}

function describe() {
  const name = selected(), digit = best(answer.predictions[name]);
  const agreeing = models.filter((model) => best(answer.predictions[model.name]) === digit).length;
  const others = models.length > 1 ? `\n${agreeing} of ${models.length} models read a ${digit}.` : "";
  return `${name} reads a ${digit} (${percent(answer.predictions[name][digit])}).${others}`;
}

function showExplanation(name, { saliency, hog }) {
  const digit = best(answer.predictions[name]);
  const unit = saliency?.every((row) => row.every((value) => value === row[0])) ? "rows" : "pixels";
  element("saliency-note").textContent = saliency
    ? `${unit} that change the answer of ${name} most`
    : `not available for ${name}`;
  if (saliency) pictures.saliency(element("saliency"), saliency, `Saliency of ${name} for the digit ${digit}`);
  else pictures.clear(element("saliency"), "No saliency");
  pictures.hog(element("hog"), hog, "HOG cells: directions of the edges in 7 × 7 cells");
}

function showNothing() {
  element("digit").textContent = "?";
  element("digit").classList.remove("found");
  element("words").textContent = "";
  for (const canvas of document.querySelectorAll("figure canvas")) pictures.clear(canvas, "Nothing to see yet");
  for (const cell of document.querySelectorAll("td")) {
    cell.style.setProperty("--p", 0);
    cell.classList.remove("best");
    cell.lastChild.textContent = cell.title = "";
  }
}

function make(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function makeRow(model, index) {
  const radio = make("input", { type: "radio", name: "model", value: model.name, checked: index === 0 });
  radio.addEventListener("change", () => {
    if (!answer.digit) return;
    showAnswer();
    explain(revision).catch(fail);
  });
  const accuracy = model.accuracy === null ? "from a file" : `${(100 * model.accuracy).toFixed(2)} %`;
  const parameters = model.n_parameters ? ` · ${model.n_parameters.toLocaleString("en")} parameters` : "";
  const size = make("span", {}, parameters);
  const facts = make("small", {}, accuracy, size);
  const head = make("th", { scope: "row" }, make("label", {}, radio, make("b", {}, model.name), facts));
  const cells = Array.from({ length: 10 }, () => make("td", {}, make("span"), make("b")));
  return make("tr", {}, head, ...cells);
}

async function choose(file) {
  if (!file) return;
  let bitmap = null; // formats that the browser cannot show are sent nevertheless
  try {
    bitmap = await createImageBitmap(file);
  } catch {}
  pad.show({ file, bitmap });
}

element("undo").addEventListener("click", () => pad.undo());
element("clear").addEventListener("click", () => pad.clear());
element("photograph")?.addEventListener("change", (event) => {
  choose(event.target.files[0]);
  event.target.value = "";
});
for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    if (!element("photograph")) return;
    element("sheet").classList.toggle("dropping", type === "dragenter" || type === "dragover");
    if (type === "drop") choose(event.dataTransfer.files[0]);
  });
}

(async () => {
  for (let digit = 0; digit < 10; digit++) element("heads").append(make("th", { scope: "col" }, String(digit)));
  models = (await reader.load()).map((model, index) => ({ ...model, row: makeRow(model, index) }));
  element("rows").append(...models.map((model) => model.row));
  document.body.dataset.ready = "";
  ask();
})().catch(fail);
