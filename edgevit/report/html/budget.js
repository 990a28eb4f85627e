"use strict";
// The budget as a slider: which resolution fits, by the medians in the table below. Nothing is loaded, nothing is sent.
(() => {
  const state = JSON.parse(document.getElementById("state").textContent);
  const slider = document.getElementById("budget");
  const shown = document.getElementById("budget-shown");
  const all = state.series.flatMap((series) => series.points.map((point) => point.median));
  const low = Math.min(...all) * 0.9, high = Math.max(...all) * 1.1;
  const STEPS = 1000;
  const toMs = (step) => low * (high / low) ** (step / STEPS);
  const toStep = (ms) => Math.round((STEPS * Math.log(ms / low)) / Math.log(high / low));
  const say = (ms) => (ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms >= 1 ? ms.toFixed(2) : ms.toFixed(3));
  const marked = (point) => point.mark + say(point.median);
  const reasons = (point) => (point.reason ? [`${point.reason}.`] : []);
  const round = (ms) => Number(ms.toPrecision(3));

  function pick(series, budget) {
    const fitting = series.points.filter((point) => point.median <= budget);
    const better = (a, b) => b.tokens > a.tokens || (b.tokens === a.tokens && b.median < a.median);
    return fitting.reduce((best, point) => (best && !better(best, point) ? best : point), null);
  }

  function notes(series, chosen, budget) {
    if (!chosen) {
      const fastest = series.points.reduce((a, b) => (b.median < a.median ? b : a));
      const line = `The fastest measured one, ${fastest.resolution}, takes ${marked(fastest)} ms (median).`;
      return [line, ...reasons(fastest)];
    }
    const over = chosen.p90 > budget ? ", which is over the budget" : "";
    const lines = [`${marked(chosen)} ms median; the slowest tenth takes ${say(chosen.p90)} ms or more${over}.`];
    lines.push(...reasons(chosen));
    if (chosen.top1 === null) return lines;
    lines.push(`Top-1 accuracy there: ${chosen.top1_says} on ${series.pictures}.`);
    const better = series.points
      .filter((point) => point.median <= budget && point.top1 !== null)
      .reduce((a, b) => (b.top1 > a.top1 ? b : a), chosen);
    if (better.top1 > chosen.top1) {
      const untold = better.top1 - chosen.top1 <= better.top1_margin;
      const alike = untold ? `; ${series.not_told} the two apart` : "";
      lines.push(`${better.resolution} takes ${marked(better)} ms and is more accurate: ${better.top1_says}${alike}.`);
      return lines;
    }
    const faster = series.points
      .filter((point) => point.median < chosen.median && point.top1 !== null)
      .filter((point) => chosen.top1 - point.top1 <= chosen.top1_margin)
      .reduce((a, b) => (a && a.median <= b.median ? a : b), null);
    if (faster) {
      const two = `${chosen.resolution} from ${faster.resolution}`;
      lines.push(`${series.not_told} ${two}, which takes ${marked(faster)} ms.`);
    }
    return lines;
  }

  function headline(index, budget) {
    const series = state.series[index], chosen = pick(series, budget);
    const card = document.querySelector(`.headline[data-series="${index}"]`);
    card.classList.toggle("missed", !chosen);
    const big = card.querySelector(".big");
    big.textContent = chosen ? chosen.resolution : "none";
    big.classList.toggle("long", big.textContent.length > 5);
    card.querySelector(".what").textContent =
      chosen ? `is the largest resolution under ${round(budget)} ms` : `no resolution fits ${round(budget)} ms`;
    card.querySelectorAll(".note").forEach((note) => note.remove());
    for (const line of notes(series, chosen, budget)) {
      const note = document.createElement("p");
      note.className = "note";
      note.textContent = line;
      card.lastElementChild.append(note);
    }
    document.querySelectorAll(`tr[data-series="${index}"]`).forEach((row) => {
      row.classList.toggle("chosen", Boolean(chosen) && row.dataset.resolution === chosen.resolution);
      row.classList.toggle("over", Number(row.dataset.median) > budget);
    });
  }

  function take(plan, paragraph, budget) {
    const better = (a, b) => b.worth > a.worth || (b.worth === a.worth && b.latency < a.latency);
    const fitting = plan.candidates.filter((each) => each.needs <= budget);
    const chosen = fitting.reduce((a, b) => (a && !better(a, b) ? a : b), null);
    const within = `${round(budget)} ms${plan.where}`;
    const late = chosen && chosen.late > budget ? `; ${state.late}` : "";
    paragraph.textContent = chosen
      ? `${plan.best} within ${within}: ${chosen.costs}${late}${chosen.doubts}.`
      : `Nothing fits ${within}.`;
    paragraph.hidden = false;
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
    state.series.forEach((_, index) => headline(index, budget));
    document.querySelectorAll(".choice").forEach((each, index) => take(state.plans[index], each, budget));
    // What was drawn for the budget of the page gives way to the slider's lines.
    document.querySelectorAll('svg [id*="-budget-"]').forEach((part) => part.setAttribute("display", "none"));
    for (const [name, chart] of Object.entries(state.charts)) line(name, chart, budget);
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
})();
