// The page "Network": who is heard, over which link, how late, who is silent and since when, and how near to blind.

import { el } from "./dom.js";
import { duration, facts, figure, table } from "./figures.js";
import { map, narrow } from "./map.js";
import { source } from "./source.js";
import { rank } from "./words.js";

export const title = "Network";
export const says = "who is heard, and how near this node is to blind";
const held = source("/v1/network", ["peer", "epoch", "keyset", "equivocation"]);
export const { enter, heard, leave } = held;

export function draw(seen) {
  const status = seen.status;
  const peers = new Map(status.peers.filter((one) => one.member).map((one) => [one.member, one]));
  const quorum = status.quorum;
  const levels = said(seen.alerts);
  const wanted = [{ key: "margin", says: quorum, make: () => margin(quorum) }];
  const waits = held.state();
  if (waits) return [...wanted, waits];
  const members = held.data.members;
  const links = members.map((one) => {
    const peer = peers.get(one.name);
    const me = one.name === status.member;
    const up = me || Boolean(peer?.up);
    return { ...one, me, up, rtt_ms: peer?.rtt_ms ?? null, peer, level: levels.get(one.name) ?? "" };
  });
  const drawn = links.map((one) => [one.name, one.up, bucket(one.rtt_ms), one.level, one.suspended]);
  wanted.push({ key: "map", says: [drawn, narrow.matches], make: () => map(links, quorum) });
  wanted.push({ key: "members", says: [links, status.now_ms >> 10], make: () => members_table(links) });
  wanted.push({ key: "rest", says: [status.chains, status.sensors, status.listening, observers(status).map((one) => [one.observer, one.up])], make: () => rest(status) });
  return wanted;
}

// A link is drawn anew where its latency became another one, not at each measurement.
const bucket = (ms) => (ms === null ? null : Math.round(Math.log2(1 + ms) * 2));
const observers = (status) => status.peers.filter((one) => one.observer);

// Whose word stands, and how high.
function said(alerts) {
  const found = new Map();
  for (const alert of alerts) {
    for (const one of alert.opinions) if (one.live && rank(one.level) > rank(found.get(one.author) ?? "")) found.set(one.author, one.level);
  }
  return found;
}

function margin(quorum) {
  const left = quorum.hears - quorum.needed;
  const word = quorum.blind ? "blind: no ISOLATE or HALT can form" : left === 0 ? "one more silence makes it blind" : `${left} more may fall silent`;
  return el(
    "section",
    { class: "sheet", "aria-label": "Quorum margin" },
    facts(
      figure("Heard", `${quorum.hears} of ${quorum.n}`, "groups", "by this node's own links"),
      figure("Needed", String(quorum.needed), "groups", `n − f of n = ${quorum.n}, f = ${quorum.f}`),
      figure("Margin", String(left), "groups", word, quorum.blind ? "bad" : left === 0 ? "thin" : ""),
    ),
    el(
      "div",
      { class: "places", role: "img", "aria-label": `${quorum.hears} groups heard, ${quorum.needed} needed` },
      Array.from({ length: quorum.n }, (_, at) => el("span", { class: `place heard${at < quorum.hears ? " filled" : ""}${at === quorum.needed - 1 ? " needed" : ""}` })),
    ),
    el("p", { class: "says" }, quorum.says),
  );
}

function members_table(links) {
  const rows = links.map((one) => [
    el("span", { class: "name" }, one.name, one.me ? el("span", { class: "dim" }, " this node") : ""),
    one.group,
    heard_word(one),
    one.me ? "" : one.rtt_ms === null ? el("span", { class: "dim" }, "not measured") : `${one.rtt_ms.toFixed(1)} ms`,
    one.last_word_ms ? el("span", { "data-since": one.last_word_ms }, "…") : el("span", { class: "dim" }, "none yet"),
    one.me ? "" : clock(one.peer),
    one.key_version === null ? el("span", { class: "fault-word" }, "no KeySet held") : `version ${one.key_version}`,
    one.stands === "sits" ? el("span", { class: "dim" }, "in good standing") : one.stands,
  ]);
  return el(
    "section",
    { class: "sheet" },
    table("Members and their links", ["Member", "Group", "Heard", "Round trip", "Last word", "Clock", "Keys", "Standing"], rows, (at) => (links[at].up ? "" : "silent")),
  );
}

function heard_word(one) {
  if (one.me) return "itself";
  if (one.up) return el("span", { class: "up" }, "heard");
  const since = one.peer?.since_ms;
  return el("span", { class: "down" }, el("strong", {}, "silent"), since ? el("span", {}, " for ", el("span", { "data-for": since }, "…")) : "", one.peer?.dialling ? el("span", { class: "dim small" }, one.peer.dialling) : "");
}

function clock(peer) {
  if (typeof peer?.clock_ahead_ms !== "number") return el("span", { class: "dim" }, "not heard");
  const text = `${peer.clock_ahead_ms > 0 ? "+" : ""}${peer.clock_ahead_ms} ms`;
  return peer.clock_warning ? el("span", { class: "fault-word", title: peer.clock_warning }, `${text}: too far`) : text;
}

function rest(status) {
  const chains = status.chains.map((one) => [one.id, one.chain, one.ok ? el("span", { class: "up" }, "answers") : el("span", { class: "down" }, one.says)]);
  const sensors = status.sensors.map((one) => [one.name, one.says || el("span", { class: "up" }, "well")]);
  const outside = observers(status).map((one) => [one.observer, one.up ? "connected" : "away", one.up ? duration(one.since_s * 1000) : ""]);
  return el(
    "section",
    { class: "sheet pair" },
    chains.length ? table("Own connections", ["Connection", "Chain", "State"], chains) : hint("Own connections", "This node asks no chain itself; it cannot re-run a claim.", "tocsin config check"),
    sensors.length ? table("Own sensors", ["Sensor", "State"], sensors) : hint("Own sensors", "This node looks at nothing itself; it hears the others alone.", "tocsin config check"),
    outside.length ? table("Observers", ["Observer", "State", "For"], outside) : "",
  );
}

export const hint = (what, why, how) => el("div", { class: "hint" }, el("h3", {}, what), el("p", {}, why), el("code", {}, how));
