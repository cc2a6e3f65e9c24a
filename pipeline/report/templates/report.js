"use strict";
// Keys, citations that light their frames, and in a folder of pages the filters. Text is only ever set as text.
const all = (query, within = document) => [...within.querySelectorAll(query)];
const one = (query) => document.querySelector(query);
const page = document.body.dataset.page;
const follow = (query) => one(query)?.click();

// A row: the strip, the large frame above it, and citations.
const frames = all(".strip a");
const stage = one("#stage");
let shown = 0;
stage?.addEventListener("load", drawBoxes);

function show(place) {
  if (!frames.length) return;
  shown = Math.min(Math.max(place, 0), frames.length - 1);
  const frame = frames[shown];
  if (stage && frame.getAttribute("href")) stage.src = frame.href;
  if (stage) stage.alt = frame.dataset.name;
  one("#stage-caption").textContent = frame.dataset.name;
  drawBoxes();
  for (const each of frames) each.removeAttribute("aria-current");
  frame.setAttribute("aria-current", "true");
  const strip = frame.closest(".strip");
  const item = frame.parentElement;
  strip.scrollTo({ left: item.offsetLeft - strip.offsetLeft - (strip.clientWidth - item.clientWidth) / 2 });
}

// Where the row says that things are: in shares of the picture, which the drawing fits as the picture is fitted.
function drawBoxes() {
  const drawing = one("#boxes");
  if (!drawing || !stage?.naturalWidth) return;
  const [width, height] = [stage.naturalWidth, stage.naturalHeight];
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.replaceChildren();
  const put = (name, attributes) => {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    return drawing.appendChild(shape);
  };
  for (const [label, left, top, right, bottom, look] of JSON.parse(frames[shown].dataset.boxes || "[]")) {
    const [x, y] = [left * width, top * height];
    put("rect", { x, y, width: (right - left) * width, height: (bottom - top) * height, class: look });
    const size = height / 20;
    const above = y > 1.4 * size ? y - 0.4 * size : bottom * height + size;  // what is in the box stays in sight
    put("text", { x, y: above, "font-size": size, class: look }).textContent = label;
  }
}

function light(citation) {
  for (const each of all(".lit")) each.classList.remove("lit");
  if (!citation) return;
  citation.classList.add("lit");
  const places = citation.dataset.frames.split(" ").map(Number);
  for (const place of places) one("#frame-" + place)?.classList.add("lit");
  show(places[0]);
}

const citations = all("a.cited");
let pinned = null;
for (const citation of citations) {
  citation.addEventListener("mouseenter", () => light(citation));
  citation.addEventListener("mouseleave", () => light(pinned));
  citation.addEventListener("focus", () => light(citation));
  citation.addEventListener("blur", () => light(pinned));
  citation.addEventListener("click", (event) => {
    event.preventDefault();
    pinned = pinned === citation ? null : citation;
    light(citation);
    stage?.scrollIntoView({ block: "nearest" });
  });
}
frames.forEach((frame, place) => frame.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(place);
}));
if (frames.length) show(Number(one(".stage").dataset.frame));

// A list.
const cards = all(".card");

function step(by) {
  const seen = cards.filter((card) => !card.hidden);
  const now = seen.findIndex((card) => card.contains(document.activeElement));
  const next = now < 0 ? (by > 0 ? 0 : seen.length - 1) : Math.min(Math.max(now + by, 0), seen.length - 1);
  seen[next]?.querySelector("h2 a").focus();
}

function citation(by) {
  if (!citations.length) return;
  const now = citations.indexOf(document.activeElement);
  citations[(now + by + citations.length) % citations.length].focus();
}

// A folder of pages has no server to filter: the rows of the page are filtered here, the filters kept in the address.
const form = one("form[data-static]");

function passes(card, wanted) {
  const scores = JSON.parse(card.dataset.scores);
  const value = wanted.score ? scores[wanted.score] : undefined;
  const bounded = wanted.score && (wanted.low || wanted.high);
  return (card.textContent + card.dataset.thought).toLowerCase().includes((wanted.text || "").toLowerCase())
    && (!wanted.task || card.dataset.task === wanted.task)
    && (!wanted.source || card.dataset.source.split(" ").includes(wanted.source))
    && (!wanted.reason || card.dataset.reasons.split(" ").includes(wanted.reason))
    && (!bounded || (typeof value === "number"
      && (!wanted.low || value >= Number(wanted.low)) && (!wanted.high || value <= Number(wanted.high))));
}

function filter() {
  const wanted = Object.fromEntries(new FormData(form));
  for (const card of cards) card.hidden = !passes(card, wanted);
  one("#found").textContent = cards.filter((card) => !card.hidden).length + " of " + cards.length + " on this page";
  const filled = Object.entries(wanted).filter(([, value]) => value);
  history.replaceState(null, "", filled.length ? "#" + new URLSearchParams(filled) : location.pathname.split("/").pop());
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of given) if (form.elements[name]) form.elements[name].value = value;
  if (given.size) filter();
}

if (form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  window.addEventListener("hashchange", readAddress);
  readAddress();
} else {
  // Empty filters do not clutter the address.
  one("form")?.addEventListener("submit", (event) => {
    for (const each of event.target.elements) if (each.name && !each.value) each.disabled = true;
  });
  window.addEventListener("pageshow", () => all("form :disabled").forEach((each) => { each.disabled = false; }));
}

const KEYS = {
  rows: { j: () => step(1), k: () => step(-1), n: () => follow("a[rel=next]"), p: () => follow("a[rel=prev]") },
  row: {
    j: () => follow("a[rel=next]"), k: () => follow("a[rel=prev]"), c: () => citation(1), C: () => citation(-1),
    u: () => follow(".where a"), ArrowRight: () => show(shown + 1), ArrowLeft: () => show(shown - 1),
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/" && one("#search")) {
    event.preventDefault();
    one("#search").focus();
    return;
  }
  const act = (KEYS[page] || {})[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
