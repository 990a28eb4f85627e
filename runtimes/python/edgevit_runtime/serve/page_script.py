"""The script of the page at `/`: it asks the server about a picture, lists the answer, and draws it."""

from __future__ import annotations

SCRIPT = """
"use strict";
const form = document.querySelector("form"), file = form.elements.file, resolution = form.elements.resolution;
const tasks = JSON.parse(form.dataset.tasks), task = form.querySelector(".task select");
const drop = document.querySelector(".drop"), answer = document.querySelector(".answer");
const image = answer.querySelector("img"), marks = answer.querySelector("canvas");
const list = answer.querySelector("ol"), says = answer.querySelector("p");
let turn = 0;

// The colour of a class or a point: [red, green, blue], as tasks/overlay.py has it.
function colour(index) {
  const [saturation, value] = [[0.85, 0.95], [0.6, 1], [1, 0.65]][index % 3];
  const hue = 6 * (index * (Math.sqrt(5) - 1) / 2 % 1);
  return [5, 3, 1].map((start) => {
    const place = (start + hue) % 6;
    return Math.round(255 * value * (1 - saturation * Math.max(0, Math.min(place, 4 - place, 1))));
  });
}

const css = (index) => "rgb(" + colour(index).join(", ") + ")";
const isGround = (each) => ["background", "_background_"].includes(each.label.toLowerCase());

function line(label, score, probabilities, mark) {
  const item = document.createElement("li"), name = document.createElement("div");
  name.className = "name";
  if (mark) {
    item.className = "marked";
    item.style.borderLeftColor = mark;
  }
  for (const text of [label, probabilities ? (100 * score).toFixed(1) + " %" : score.toPrecision(4)]) {
    const span = document.createElement("span");
    span.textContent = text;
    name.append(span);
  }
  item.append(name);
  if (probabilities) {
    const meter = document.createElement("meter");
    meter.value = score;
    item.append(meter);
  }
  return item;
}

// What pictures are compared by: its first numbers.
function vectorLine(vector) {
  const item = document.createElement("li"), name = document.createElement("div");
  name.className = "name";
  const first = vector.slice(0, 4).map((each) => each.toFixed(3)).join(", ");
  name.textContent = vector.length + " numbers: " + first + ", …";
  item.append(name);
  return item;
}

function lines(found) {
  if (found.vector) return [vectorLine(found.vector)];
  const all = found.top || found.boxes || found.points || found.regions;
  const probabilities = tasks[task.value].scores !== "regression";
  return all.map((each, place) => {
    const mark = found.top || found.regions && isGround(each) ? "" : css(each.index ?? place);
    return line(each.label || each.name, each.share ?? each.score, probabilities, mark);
  });
}

// The lengths of a mask's runs of 0, 1, 0, ... down its columns, from COCO's string (tasks/run_lengths.py).
function runs(counts) {
  const lengths = [];
  for (let at = 0; at < counts.length;) {
    let number = 0, place = 0, code;
    do {
      code = counts.charCodeAt(at++) - 48;
      number |= (code & 31) << place;
      place += 5;
    } while (code & 32);
    if (code & 16) number |= -1 << place;
    lengths.push(lengths.length > 2 ? number + lengths[lengths.length - 2] : number);
  }
  return lengths;
}

// Each region's colour lets half of the picture through; what none covers was not seen, and is darker.
function paint(pen, regions) {
  const { width, height } = marks, drawn = pen.createImageData(width, height);
  const words = new Uint32Array(drawn.data.buffer);
  const word = (...bytes) => new Uint32Array(new Uint8Array(bytes).buffer)[0];
  words.fill(word(0, 0, 0, 128));
  for (const each of regions) {
    const [rows, columns] = each.mask.size, lengths = runs(each.mask.counts);
    const ink = word(...colour(each.index), isGround(each) ? 0 : 128);
    let run = 0, end = lengths[0];
    for (let x = 0; x < width; x++)
      for (let y = 0; y < height; y++) {
        const pixel = Math.floor((x + 0.5) * columns / width) * rows + Math.floor((y + 0.5) * rows / height);
        while (pixel >= end && run < lengths.length - 1) end += lengths[++run];
        if (run % 2) words[y * width + x] = ink;
      }
  }
  pen.putImageData(drawn, 0, 0);
}

async function mark(found, mine) {
  try { await image.decode(); } catch (problem) { return; }
  if (mine !== turn) return;
  const size = Math.max(image.naturalWidth, image.naturalHeight), scale = Math.min(1, 1600 / size);
  marks.width = Math.ceil(image.naturalWidth * scale);
  marks.height = Math.ceil(image.naturalHeight * scale);
  const pen = marks.getContext("2d"), wide = size / 200;
  if (found.regions) paint(pen, found.regions);
  pen.scale(scale, scale);
  // The surest on top, each with a dark edge that shows on a ground of its own colour.
  for (const each of [...found.boxes || []].reverse())
    for (const [ink, width] of [["#000", 2 * wide], [css(each.index), wide]]) {
      pen.strokeStyle = ink;
      pen.lineWidth = width;
      pen.strokeRect(each.xmin, each.ymin, each.xmax - each.xmin, each.ymax - each.ymin);
    }
  for (const [index, each] of (found.points || []).entries()) {
    if (each.score < found.least_score) continue;
    for (const [ink, radius] of [["#000", 3 * wide], [css(index), 2 * wide]]) {
      pen.fillStyle = ink;
      pen.beginPath();
      pen.arc(each.x, each.y, radius, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}

function choose() {
  const { summary, resolutions, query } = tasks[task.value], before = resolution.value;
  document.querySelector("p").textContent = summary;
  document.querySelector("pre span").nextSibling.textContent = "/" + task.value + query + "'";
  resolution.replaceChildren(...resolutions.map(([value, text, chosen]) => new Option(text, value, chosen, chosen)));
  if (resolutions.some(([value]) => value === before)) resolution.value = before;
}

async function ask() {
  const picture = file.files[0], mine = ++turn;
  if (!picture) return;
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(picture);
  image.alt = picture.name;
  answer.hidden = false;
  list.replaceChildren();
  marks.width = 0;
  says.className = "muted";
  says.textContent = "…";
  const query = resolution.value ? "?resolution=" + encodeURIComponent(resolution.value) : "";
  let text, bad = true;
  try {
    const response = await fetch("/" + task.value + query, { method: "POST", body: picture,
      headers: { "Content-Type": "application/octet-stream" } });
    const found = await response.json();
    if (mine !== turn) return;
    if (response.ok) {
      list.replaceChildren(...lines(found));
      mark(found, mine);
      text = found.resolution + " px, " + found.latency_ms.toFixed(1) + " ms";
      if (!list.children.length) text += ", nothing found";
      if (found.budget_met === false) text += ", over the budget";
      bad = false;
    } else text = found.error;
  } catch (problem) { text = "No answer: does the server still run?"; }
  if (mine !== turn) return;
  says.textContent = text;
  says.className = bad ? "bad" : "muted";
}

document.querySelector("pre span").textContent = location.origin;
form.className = "ready";
form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
task.addEventListener("change", choose);
form.addEventListener("change", ask);
for (const kind of ["dragover", "dragleave", "drop"])
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) { file.files = event.dataTransfer.files; ask(); }
  });
"""
