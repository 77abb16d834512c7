"use strict";
/* The curves are their own data: a path's figures are seconds and MiB. */
(() => {
  const charts = [...document.querySelectorAll(".chart")];
  const tip = document.getElementById("tip");
  const length = Number(document.body.dataset.length);
  const decimals = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  let shown = null; // the mark whose reason is shown
  let hiding = 0;

  /* ---- what the curves say at a time ---- */

  /* Segments of [seconds, MiB]; an area's begin and end on its ground. */
  function read(path) {
    const segments = [];
    for (const text of path.getAttribute("d").split("M").slice(1)) {
      const points = text.replace("Z", "").split("L").map((point) => point.trim().split(" ").map(Number));
      segments.push(path.dataset.ground === undefined ? points : points.slice(1, -1));
    }
    return segments;
  }

  function at(segments, seconds) {
    const segment = segments.find((points) => points[0][0] <= seconds && seconds <= points[points.length - 1][0]);
    if (!segment) return null;
    let low = 0, high = segment.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (segment[middle][0] <= seconds) low = middle;
      else high = middle - 1;
    }
    const [from, to] = [segment[low], segment[Math.min(low + 1, segment.length - 1)]];
    const part = to[0] > from[0] ? (seconds - from[0]) / (to[0] - from[0]) : 0;
    return from[1] + part * (to[1] - from[1]);
  }

  function figures(chart, seconds) {
    chart.curves ??= [...chart.querySelectorAll("path[data-title]")].reverse().map((path) => [path.dataset.title, read(path)]);
    return chart.curves.map(([title, segments]) => [title, at(segments, seconds)]).filter(([, value]) => value !== null);
  }

  /* ---- the cursor: one time, in all charts ---- */

  function say(chart, seconds) {
    const readout = chart.querySelector(".readout");
    const words = [`+${decimals.format(seconds)} s`];
    for (const [title, value] of figures(chart, seconds)) words.push(` · ${title} `, Object.assign(document.createElement("b"), { textContent: decimals.format(value) }));
    readout.replaceChildren(...words);
  }

  function point(seconds) {
    for (const chart of charts) {
      for (const line of chart.querySelectorAll(".cursor")) {
        const place = `${(100 * seconds) / length}%`;
        line.setAttribute("x1", place);
        line.setAttribute("x2", place);
        line.removeAttribute("visibility");
      }
      const box = chart.getBoundingClientRect();
      if (box.bottom > 0 && box.top < innerHeight) say(chart, seconds);
    }
  }

  function unpoint() {
    for (const line of document.querySelectorAll(".cursor")) line.setAttribute("visibility", "hidden");
    for (const readout of document.querySelectorAll(".readout")) readout.replaceChildren();
  }

  /* ---- a mark's reason ---- */

  function row(mark) {
    return document.getElementById(mark.getAttribute("aria-labelledby"));
  }

  function show(mark) {
    hide();
    shown = mark;
    const cells = [...row(mark).cells].map((cell) => cell.textContent.trim());
    const parts = [["b", `${cells[2]}: ${cells[3]}`], ["span", cells[4]], ["span", [cells[0], cells[1], cells[5]].filter(Boolean).join(", ")]];
    tip.replaceChildren(...parts.map(([name, textContent]) => Object.assign(document.createElement(name), { textContent })));
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const left = Math.min(Math.max(box.left + box.width / 2 - tip.offsetWidth / 2, 8), document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above > 0 ? above : box.bottom + 6) + scrollY}px`;
    row(mark).classList.add("now");
    point(Number(mark.dataset.at));
  }

  function hide() {
    clearTimeout(hiding);
    if (shown) row(shown).classList.remove("now");
    shown = null;
    tip.hidden = true;
  }

  function hideSoon() {
    clearTimeout(hiding);
    hiding = setTimeout(() => shown !== document.activeElement && hide(), 200);
  }

  /* ---- the pointer ---- */

  for (const area of document.querySelectorAll(".area, .lane")) {
    area.addEventListener("pointermove", (event) => {
      if (event.target.matches(".marks use")) return;
      const box = area.getBoundingClientRect();
      point(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * length);
    });
    area.addEventListener("pointerleave", () => shown || unpoint());
  }
  document.addEventListener("pointerover", (event) => {
    if (event.target.matches?.(".marks use")) show(event.target);
  });
  document.addEventListener("pointerout", (event) => {
    if (event.target.matches?.(".marks use")) hideSoon();
  });
  tip.addEventListener("pointerenter", () => clearTimeout(hiding));
  tip.addEventListener("pointerleave", hideSoon);

  /* ---- the keyboard: Tab to a chart's marks, arrows from one to the next ---- */

  function marksOf(chart) {
    return [...chart.querySelectorAll(".marks use")];
  }

  function go(mark) {
    for (const other of marksOf(mark.closest(".chart"))) other.setAttribute("tabindex", other === mark ? "0" : "-1");
    mark.focus();
  }

  /* The mark nearest in time, in the next chart upwards or downwards that has any. */
  function nearest(mark, step) {
    const seconds = Number(mark.dataset.at);
    const away = (other) => Math.abs(Number(other.dataset.at) - seconds);
    for (let i = charts.indexOf(mark.closest(".chart")) + step; charts[i]; i += step) {
      const marks = marksOf(charts[i]);
      if (marks.length) return marks.reduce((best, other) => (away(other) < away(best) ? other : best));
    }
    return mark;
  }

  function next(mark, key) {
    const marks = marksOf(mark.closest(".chart"));
    const index = marks.indexOf(mark);
    switch (key) {
      case "ArrowLeft": return marks[Math.max(index - 1, 0)];
      case "ArrowRight": return marks[Math.min(index + 1, marks.length - 1)];
      case "Home": return marks[0];
      case "End": return marks[marks.length - 1];
      case "ArrowUp": return nearest(mark, -1);
      case "ArrowDown": return nearest(mark, 1);
      default: return null;
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { hide(); unpoint(); return; }
    if (!event.target.matches?.(".marks use") || event.ctrlKey || event.altKey || event.metaKey) return;
    const mark = next(event.target, event.key);
    if (!mark) return;
    event.preventDefault();
    go(mark);
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(".marks use")) show(event.target);
    else hide();
  });
  document.addEventListener("focusout", (event) => {
    if (event.target === shown) { hide(); unpoint(); }
  });
})();
