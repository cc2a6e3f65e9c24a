"use strict";
// j and k go to the next and the last trace, n and p to the next and the last page, / to the search.
const traces = [...document.querySelectorAll("article")];
const search = document.querySelector("#search");
const reason = document.querySelector("#reason");
const task = document.querySelector("#task");
let place = Math.max(0, traces.findIndex((trace) => "#" + trace.id === location.hash));

function go(step) {
  const shown = traces.filter((trace) => !trace.hidden);
  if (!shown.length) return;
  place = Math.min(Math.max(place + step, 0), shown.length - 1);
  shown[place].scrollIntoView();
  shown[place].focus({ preventScroll: true });
  history.replaceState(null, "", "#" + shown[place].id);
}

function filter() {
  const words = search.value.toLowerCase();
  for (const trace of traces) {
    trace.hidden =
      !trace.textContent.toLowerCase().includes(words) ||
      (reason.value && !trace.dataset.reasons.split(" ").includes(reason.value)) ||
      (task.value && trace.dataset.task !== task.value);
  }
  place = 0;
}

if (traces.length) {
  for (const control of [search, reason, task]) control.addEventListener("input", filter);
  for (const link of document.querySelectorAll("a.cited")) {
    const frame = document.getElementById(link.hash.slice(1));
    for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      link.addEventListener(event, () => frame.classList.toggle("lit", on));
    }
  }
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") go(1);
  if (event.key === "k") go(-1);
  const link = { n: "a[rel=next]", p: "a[rel=prev]" }[event.key];
  if (link) document.querySelector(link)?.click();
  if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
});
