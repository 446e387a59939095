// The page "History": what happened as the log has it, in lanes over time; what stood at any moment of it, and replay.

import { get } from "./api.js";
import { el } from "./dom.js";
import { date } from "./figures.js";
import { line } from "./feed.js";
import { narrow, svg } from "./map.js";
import { hint } from "./network.js";
import { stood } from "./stood.js";
import { sentence, span, time } from "./words.js";

export const title = "History";
export const says = "what happened, as this node's log has it";
export const feed = false;
const LANES = [["attestation", "Words"], ["certificate", "Certificates"], ["verdict", "Own checks"], ["action", "Levers"], ["operator", "People"], ["other", "Else"]];
const [ROW, LEFT] = [34, 110];
const wide = () => (narrow.matches ? 480 : 1200);
const MOST = 20000;
const SHOWN = 80;
const PLAYS_MS = 100;
const held = { list: [], from: null, fault: "", at: null, speed: 0, loading: false };
let redraw = () => {};
let timer = null;

export async function enter(redraws) {
  redraw = redraws;
  if (held.from === null) await older();
}

// What happens while the page is open is added to its end.
export function heard(one) {
  if (one.kind === "reset") {
    Object.assign(held, { list: [], from: null, at: null });
    older();
    return;
  }
  if (held.from === null || !one.position || one.kind === "heartbeat" || one.kind === "manifest") return;
  if (one.position > (held.list.at(-1)?.position ?? 0)) held.list.push(one);
}

export function leave() {
  stop();
  redraw = () => {};
}

async function older() {
  if (held.loading || held.from === 0) return;
  held.loading = true;
  try {
    const told = await get(`/v1/history${held.from === null ? "" : `?before=${held.from}`}`);
    const known = held.list[0]?.position ?? Infinity;
    held.list = [...told.happenings.filter((one) => one.position < known), ...held.list].slice(-MOST);
    held.from = told.from;
    held.fault = "";
  } catch (error) {
    held.fault = error.message;
  } finally {
    held.loading = false;
  }
  redraw();
}

function stop() {
  clearInterval(timer);
  timer = null;
  held.speed = 0;
}

function play(speed) {
  const again = held.speed === speed;
  stop();
  if (!again) {
    const [first, last] = reach();
    held.speed = speed;
    if (held.at === null || held.at >= last) held.at = first;
    timer = setInterval(() => {
      held.at = Math.min(reach()[1], held.at + PLAYS_MS * speed);
      if (held.at >= reach()[1]) stop();
      redraw();
    }, PLAYS_MS);
  }
  redraw();
}

const reach = () => held.list.reduce(([first, last], one) => [Math.min(first, one.at_ms), Math.max(last, one.at_ms)], [held.list[0]?.at_ms ?? 0, 0]);

export function draw(seen) {
  if (held.fault) return [{ key: "fault", says: held.fault, make: () => el("p", { class: "notice bad", role: "alert" }, held.fault) }];
  if (held.from === null) return [{ key: "reading", says: "", make: () => el("p", { class: "dim" }, "Reading…") }];
  if (!held.list.length) {
    return [{ key: "none", says: held.from, make: () => el("section", { class: "empty" }, el("h2", {}, "Nothing happened yet"), hint("What to do next", "The log of this node holds no alarm, no vote and no lever. An incident can be rehearsed on this machine.", "tocsin testnet"), more()) }];
  }
  const [first, last] = reach();
  const at = Math.min(last, held.at ?? last);
  const upto = held.list.filter((one) => one.at_ms <= at);
  const shown = upto.slice(-SHOWN);
  return [
    { key: "lanes", says: [held.list.length, held.list[0].position, narrow.matches], make: () => lanes(first, last) },
    { key: "scrub", says: [first, last, held.speed, held.from, held.loading], make: () => scrub(first, last, at) },
    { key: "stood", says: [upto.length, Math.floor(at / 1000)], make: () => stands(upto, at, seen.status.member) },
    { key: "lines", says: [shown[0]?.position, shown.length, shown.at(-1)?.position], make: () => lines(shown, upto.length) },
  ];
}

// The scrubber and its mark are moved, not made anew: whoever drags it keeps it.
export function drawn() {
  const slider = document.getElementById("scrub");
  if (!slider) return;
  const [first, last] = reach();
  const at = Math.min(last, held.at ?? last);
  if (document.activeElement !== slider || held.speed) slider.value = String(at);
  slider.setAttribute("aria-valuetext", `${date(at)} ${time(at)}`);
  document.getElementById("scrub-at").textContent = `${date(at).slice(0, 10)} ${time(at)}`;
  document.getElementById("scrub-mark")?.setAttribute("transform", `translate(${x(at, first, last)} 0)`);
}

const x = (at, first, last) => LEFT + ((at - first) / Math.max(1, last - first)) * (wide() - LEFT - 14);

function lanes(first, last) {
  const known = new Map(LANES.map(([kind], at) => [kind, at]));
  const high = LANES.length * ROW + 26;
  // what falls on one spot is one mark, however long the log
  const spots = new Map();
  for (const one of held.list) {
    const lane = known.get(one.kind === "rerun" ? "verdict" : one.kind) ?? LANES.length - 1;
    const level = String(one.level ?? one.rung ?? "").toLowerCase();
    const at = Math.round(x(one.at_ms, first, last));
    spots.set(`${lane} ${level} ${at}`, [lane, level, at]);
  }
  const marks = [...spots.values()].map(([lane, level, at]) => svg("line", { x1: at, x2: at, y1: lane * ROW + 7, y2: lane * ROW + ROW - 7, class: `tick ${level}` }));
  const names = LANES.map(([, name], at) => svg("g", {}, svg("line", { x1: LEFT, x2: wide(), y1: (at + 1) * ROW, y2: (at + 1) * ROW, class: "rule" }), svg("text", { x: 0, y: at * ROW + ROW / 2 + 5, class: "lane-text" }, name)));
  const parts = narrow.matches ? 2 : 4;
  const clock = Array.from({ length: parts + 1 }, (_, part) => {
    const ms = first + ((last - first) * part) / parts;
    return svg("text", { x: x(ms, first, last), y: high - 4, class: "clock-text", "text-anchor": part === parts ? "end" : part ? "middle" : "start" }, time(ms));
  });
  const mark = svg("g", { id: "scrub-mark" }, svg("line", { x1: 0, x2: 0, y1: 0, y2: high - 20, class: "mark" }));
  return el("section", { class: "sheet lanes-sheet" }, svg("svg", { viewBox: `0 0 ${wide()} ${high}`, class: "lanes", role: "img", "aria-label": `${held.list.length} happenings from ${date(first)} to ${date(last)}` }, names, marks, clock, mark));
}

function scrub(first, last, at) {
  const moved = (event) => {
    stop();
    const to = Number(event.target.value);
    held.at = to >= last ? null : to;
    redraw();
  };
  const button = (speed, name) => el("button", { type: "button", id: `play-${speed}`, "aria-pressed": String(held.speed === speed), on: { click: () => play(speed) } }, held.speed === speed ? "Stop" : name);
  return el(
    "div",
    { class: "scrub" },
    el("label", { for: "scrub" }, "As it was at ", el("output", { id: "scrub-at" }, time(at))),
    el("input", { id: "scrub", type: "range", min: first, max: last, step: Math.max(1, Math.round((last - first) / 2000)), value: at, on: { input: moved } }),
    el("div", { class: "buttons" }, button(1, "Replay as it was"), button(10, "Replay ten times as fast"), more()),
  );
}

function more() {
  if (held.from === 0) return el("span", { class: "dim all" }, "this is all of the log");
  return el("button", { type: "button", id: "older", disabled: held.loading, on: { click: older } }, held.loading ? "Reading…" : "Read further back");
}

function stands(upto, at, me) {
  const then = stood(upto, at);
  const alarms = then.alarms.map((one) =>
    el("li", { class: String(one.level).toLowerCase() }, el("span", { class: `level ${one.level.toLowerCase()}` }, one.level), el("strong", {}, sentence(one.threat)), el("span", { class: "dim" }, `${one.certified ? "certified · " : ""}said by ${one.authors.join(", ")}`)),
  );
  const levers = then.levers.map((one) => el("li", { class: one.rung.toLowerCase() }, el("strong", {}, one.lever), el("span", {}, one.phase), el("span", { class: "dim" }, `ends in ${span(one.until_ms - at)}`)));
  return el(
    "section",
    { class: "sheet pair", "aria-label": "What stood then" },
    el("div", {}, el("h3", {}, "Alarms then"), alarms.length ? el("ul", { class: "then" }, alarms) : el("p", { class: "dim" }, "None stood.")),
    el("div", {}, el("h3", {}, `Levers of ${me} then`), levers.length ? el("ul", { class: "then" }, levers) : el("p", { class: "dim" }, "None held.")),
  );
}

function lines(shown, all) {
  return el(
    "section",
    { class: "sheet" },
    el("h3", {}, `The last ${shown.length} of ${all.toLocaleString("en")} until then`),
    el("div", { class: "log", tabindex: "0", role: "region", "aria-label": "Happenings" }, shown.reverse().map((one) => line(one))),
  );
}
