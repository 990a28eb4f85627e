"use strict";
// The budget as a slider. What to take from which budget on was decided when the page was made and is only looked up
// here. Nothing is loaded, nothing is sent.
(() => {
  const state = JSON.parse(document.getElementById("state").textContent);
  const slider = document.getElementById("budget");
  const shown = document.getElementById("budget-shown");
  const low = state.low_ms, high = state.high_ms;
  const STEPS = 1000;
  const toMs = (step) => low * (high / low) ** (step / STEPS);
  const toStep = (ms) => Math.round((STEPS * Math.log(ms / low)) / Math.log(high / low));
  const round = (ms) => Number(ms.toPrecision(3));
  const holds = (entries, budget) => entries.findLast((each) => each.from <= budget) ?? entries[0];
  const STATES = ["sure", "doubtful", "unknown", "missed"];
  const mark = (element, name) => STATES.forEach((each) => element.classList.toggle(each, each === name));

  function card(index, budget) {
    const entry = holds(state.cards[index], budget);
    const element = document.querySelector(`.headline[data-card="${index}"]`);
    element.hidden = false;
    mark(element, entry.state);
    const big = element.querySelector(".big");
    big.textContent = entry.big;
    big.classList.toggle("long", entry.big.length > 5);
    element.querySelector(".what").textContent = entry.what.replace("{budget}", `${round(budget)} ms`);
    element.querySelectorAll(".note").forEach((note) => note.remove());
    for (const line of entry.notes) {
      const note = document.createElement("p");
      note.className = "note";
      note.textContent = line;
      element.lastElementChild.append(note);
    }
  }

  function row(index, budget) {
    // With one profile the card says what to take, perhaps of another model; with several each has a row of its own.
    const entry = holds(state.rows[index], budget);
    const own = document.querySelector(`tr[data-profile="${index}"]`);
    if (own) {
      mark(own, entry.state);
      own.querySelectorAll("td.taken").forEach((cell, number) => (cell.textContent = entry.cells[number]));
    }
    document.querySelectorAll(`tr[data-series="${index}"]`).forEach((each) => {
      const chosen = each.dataset.resolution === entry.chosen;
      each.classList.toggle("chosen", chosen);
      mark(each, chosen ? entry.state : "");
      each.classList.toggle("over", Number(each.dataset.median) > budget);
    });
  }

  function line(name, chart, budget) {
    const picture = document.querySelector(`svg[data-name="${name}"]`);
    if (!picture) return;
    let group = picture.querySelector(".slid");
    if (!group) {
      const make = (tag) => document.createElementNS(picture.namespaceURI, tag);
      group = make("g");
      group.setAttribute("class", "slid");
      group.append(make("line"), make("text"));
      picture.append(group);
    }
    const scale = chart.log ? Math.log : (value) => value;
    const share = (scale(budget) - scale(chart.low)) / (scale(chart.high) - scale(chart.low));
    group.setAttribute("display", share >= 0 && share <= 1 ? "inline" : "none");
    const x = chart.left + share * (chart.right - chart.left);
    const y = chart.bottom - share * (chart.bottom - chart.top);
    const ends = chart.across
      ? { x1: x, x2: x, y1: chart.bottom, y2: chart.top }
      : { x1: chart.left, x2: chart.right, y1: y, y2: y };
    const [rule, text] = group.children;
    for (const [key, value] of Object.entries(ends)) rule.setAttribute(key, value);
    // Beside an upright line there is room on one side only.
    const behind = chart.across && x < (chart.left + chart.right) / 2;
    text.style.textAnchor = behind ? "start" : "end";
    text.setAttribute("x", behind ? x + 4 : chart.across ? x - 4 : chart.right - 4);
    text.setAttribute("y", chart.across ? chart.bottom - 6 : y - 4);
    text.textContent = `budget ${round(budget)} ms`;
  }

  // The present value stands over the slider's thumb, and inside the ends.
  function tell(text) {
    const share = (100 * slider.value) / STEPS;
    shown.textContent = text;
    shown.style.left = `${share}%`;
    shown.style.transform = `translateX(-${share}%)`;
    slider.setAttribute("aria-valuetext", text);
  }

  function show(budget) {
    tell(`${round(budget)} ms`);
    state.cards.forEach((_, index) => card(index, budget));
    state.rows.forEach((_, index) => row(index, budget));
    // What was drawn for the budget of the page gives way to the slider's lines.
    document.querySelectorAll('svg [id*="-budget-"]').forEach((part) => part.setAttribute("display", "none"));
    for (const [name, chart] of Object.entries(state.charts)) line(name, chart, budget);
  }

  // A table that is wider than the window says so.
  function overflow() {
    document.querySelectorAll(".scroll").forEach((each) => {
      each.classList.toggle("more", each.scrollWidth > each.clientWidth + 1);
    });
  }

  document.querySelector(".slider").hidden = false;
  const asked = Number(/^#budget=([0-9.]+)$/.exec(location.hash)?.[1]);  // report.html#budget=20
  const start = asked > 0 ? asked : state.budget_ms;
  document.getElementById("budget-low").textContent = `${round(low)} ms`;
  document.getElementById("budget-high").textContent = `${round(high)} ms`;
  slider.max = STEPS;
  slider.value = start ? toStep(start) : STEPS;
  if (asked > 0) show(asked);
  else tell(start ? `${round(start)} ms` : "move it");
  slider.addEventListener("input", () => show(toMs(Number(slider.value))));
  addEventListener("resize", overflow);
  overflow();
})();
