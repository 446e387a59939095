// The page "Exposure": from what an alarm may be about, through what we hold, to the ways out and the levers on them.

import { el } from "./dom.js";
import { chips, table } from "./figures.js";
import { graph, mount } from "./graph.js";
import { key, narrow } from "./map.js";
import { hint } from "./network.js";
import { source } from "./source.js";
import { rank, share, usd } from "./words.js";

export const title = "Exposure";
export const says = "what an alarm may reach here, and by which way";
export const feed = false;
const policy = source("/v1/policy", ["epoch"], 60000);
const levers = source("/v1/levers", ["action", "renewal"]);

export function enter(redraw) {
  policy.enter(redraw);
  levers.enter(redraw);
}
export function heard(one) {
  policy.heard(one);
  levers.heard(one);
}
export function leave() {
  policy.leave();
  levers.leave();
}

export function draw(seen) {
  const waits = policy.state() ?? levers.state();
  if (waits) return [waits];
  const { assets, exposures } = policy.data;
  if (!exposures.length) {
    const why = "The policy names no exposure: every alarm is answered, and nothing here is known to be at risk.";
    return [{ key: "none", says: "", make: () => el("section", { class: "empty" }, el("h2", {}, "Nothing is named"), hint("What to do next", why, "tocsin policy check")) }];
  }
  const reached = reach(assets, exposures, seen, levers.data);
  // what stands behind another is read where that one is, and counted once
  const total = reached.exposures.filter((one) => !one.behind && typeof one.usd === "number").reduce((sum, one) => sum + one.usd, 0);
  const unknown = reached.exposures.filter((one) => typeof one.usd !== "number").length;
  const told = reached.exposures.map(({ usd: worth, ...one }) => ({ ...one, worth: usd(worth) }));
  return [
    { key: "sum", says: [usd(total), unknown, reached.hit], make: () => sum(total, unknown, reached) },
    { key: "graph", says: [told.map(({ read_s, ...one }) => one), reached.assets, narrow.matches], make: () => picture(reached) },
    { key: "table", says: [told, reached.assets], make: () => listed(reached) },
  ];
}

export const drawn = () => mount();

// Joins what the policy names with what is read, what is alarmed and what is shut now.
function reach(assets, exposures, seen, lent) {
  const levels = new Map();
  for (const [name, subjects] of Object.entries(assets)) {
    const tops = seen.alerts.filter((one) => subjects.includes(one.subject)).map((one) => one.level);
    levels.set(name, tops.reduce((top, one) => (rank(one) > rank(top) ? one : top), "NONE"));
  }
  const read = new Map(seen.exposures.map((one) => [one.name, one]));
  const own = new Map(exposures.map((one) => [one.name, one]));
  const hit = (one) => levels.get(one.behind ? own.get(one.behind)?.asset : one.asset) ?? "NONE";
  const rows = exposures.map((one) => ({
    name: one.name,
    asset: one.asset,
    behind: one.behind,
    level: hit(one),
    usd: read.get(one.name)?.usd ?? null,
    used: share(read.get(one.name)?.utilisation),
    why: read.get(one.name)?.why ?? "",
    // ten seconds: a figure that is read anew each second is no news
    read_s: Math.floor((read.get(one.name)?.read_ms ?? 0) / 10000) * 10,
    ways: one.ways_out.map((way) => {
      const on = lent.filter((lever) => lever.exposure === one.name && lever.closes.includes(way));
      const found = on.map((lever) => ({ name: lever.name, holds: lever.stands.some((stand) => stand.phase === "effective") }));
      return { name: way, levers: found, shut: found.some((lever) => lever.holds) };
    }),
  }));
  return { assets: Object.keys(assets).map((name) => ({ name, level: levels.get(name) })), exposures: rows, hit: rows.filter((one) => rank(one.level) >= 0).map((one) => one.name) };
}

function sum(total, unknown, reached) {
  const missing = unknown ? `; ${unknown} of ${reached.exposures.length} could not be read` : "";
  const first = reached.exposures.length === unknown ? null : usd(total);
  const alarmed = reached.hit.length ? `an alarm reaches ${reached.hit.join(", ")}` : "no alarm reaches any of it";
  return el(
    "section",
    { class: "sheet" },
    el("dl", { class: "facts" }, fact("At risk, as read now", first ?? "not computed", `by this node's own readers${missing}`), fact("Reached", String(reached.hit.length), `of ${reached.exposures.length}: ${alarmed}`)),
  );
}

const fact = (name, value, from) => el("div", { class: "fact" }, el("dt", {}, name), el("dd", {}, el("span", { class: value === "not computed" ? "figure unknown" : "figure" }, value), el("span", { class: "from" }, from)));

// More rows than this nobody can read at once: first what an alarm reaches, then the most at risk; the table has all.
const ROWS_DRAWN = 32;

function foremost(reached) {
  const all = new Map(reached.exposures.map((one) => [one.name, one]));
  // what could not be read may be anything
  const worth = (one) => (typeof one.usd === "number" ? one.usd : Number.MAX_VALUE);
  const drawn = new Set();
  let rows = 0;
  for (const one of [...reached.exposures].sort((a, b) => rank(b.level) - rank(a.level) || worth(b) - worth(a))) {
    // what stands behind another is nothing without it
    const wanted = [one, all.get(one.behind)].filter((own) => own && !drawn.has(own.name));
    const more = wanted.reduce((sum, own) => sum + Math.max(1, own.ways.length), 0);
    if (drawn.size && rows + more > ROWS_DRAWN) continue;
    rows += more;
    wanted.forEach((own) => drawn.add(own.name));
  }
  if (drawn.size === all.size) return reached;
  return { ...reached, exposures: [...drawn].map((name) => all.get(name)) };
}

function picture(reached) {
  const shown = foremost(reached);
  const [some, whole] = [shown.exposures.length, reached.exposures.length];
  const words = `From ${reached.assets.length} assets through ${some} exposures to their ways out; the table below says the same`;
  const left = some < whole ? el("span", { class: "left-out" }, `drawn: ${some} of ${whole}, those that an alarm reaches and the most at risk; the table has all`) : "";
  return el("section", { class: "sheet" }, graph(shown, words), el("p", { class: "legend dim" }, key("loud", "an alarm's way"), key("up", "way out, open"), key("down", "way out, shut now"), left));
}

function listed(reached) {
  const rows = reached.exposures.map((one) => [
    el("span", { class: "name" }, one.name),
    one.behind ? `${one.asset}, behind ${one.behind}` : one.asset,
    rank(one.level) >= 0 ? el("span", { class: `level ${one.level.toLowerCase()}` }, one.level) : el("span", { class: "dim" }, "none"),
    usd(one.usd) ?? el("span", { class: "dim" }, `not computed${one.why ? `: ${one.why}` : ""}`),
    one.used ?? el("span", { class: "dim" }, "not read"),
    one.read_s ? el("span", { "data-since": one.read_s * 1000 }, "…") : el("span", { class: "dim" }, "never"),
    one.ways.length ? el("span", { class: "chips" }, one.ways.map((way) => el("span", { class: `tag ${way.shut ? "shut" : "open"}` }, `${way.name}: ${way.shut ? "shut" : way.levers.length ? `open, ${way.levers.map((lever) => lever.name).join(", ")} would shut it` : "open, no lever"}`))) : chips([], "none listed"),
  ]);
  return el("section", { class: "sheet" }, table("What is exposed", ["Exposure", "To", "Alarm", "At risk", "Used", "Read", "Ways out"], rows));
}
