// The page "Governance": what is being decided, who is still to say, what would change; and the seats as they are.

import { get } from "./api.js";
import { el } from "./dom.js";
import { date, duration, facts, figure, table } from "./figures.js";
import { hint } from "./network.js";
import { source } from "./source.js";
import { capital, short } from "./words.js";

export const title = "Governance";
export const says = "what is being decided, and who still has to speak";
export const feed = false;
const KINDS = ["proposal", "ballot", "epoch", "epoch-certified", "prepare", "commit", "propose", "keyset"];
const votes = source("/v1/proposals", KINDS);
const seats = source("/v1/network", KINDS);
const LIVE = new Set(["open", "waiting", "incident", "key", "ready"]);
const effects = new Map();
let redraw = () => {};

export function enter(redraws) {
  redraw = redraws;
  votes.enter(redraws);
  seats.enter(redraws);
}
export function heard(one) {
  votes.heard(one);
  seats.heard(one);
}
export function leave() {
  votes.leave();
  seats.leave();
}

export function draw(seen) {
  const waits = votes.state() ?? seats.state();
  if (waits) return [waits];
  const network = seats.data;
  const open = votes.data.filter((one) => LIVE.has(one.state));
  const past = votes.data.filter((one) => !LIVE.has(one.state));
  const wanted = [{ key: "epoch", says: [network.epoch, network.round, open.length], make: () => epoch(network, open.length) }];
  for (const one of open) wanted.push({ key: one.id, says: [one, effects.get(one.id), network.epoch.n], make: () => proposal(one, network) });
  if (!open.length) {
    wanted.push({
      key: "none",
      says: "",
      make: () => el("section", { class: "sheet" }, hint("Nothing is being decided", "Whoever holds a governance key may propose: a seat, a group, a threshold, a source.", "tocsin vote list")),
    });
  }
  if (past.length) wanted.push({ key: "past", says: past.map((one) => [one.id, one.stands]), make: () => over(past) });
  wanted.push({ key: "seats", says: [network.members.map(({ last_word_ms, sentences, ...one }) => one), network.left], make: () => table_of(network, seen.status.member) });
  return wanted;
}

function epoch(network, open) {
  const { epoch: now } = network;
  const levels = Object.entries(now.thresholds).map(([level, count]) => `${level} ${count}`);
  return el(
    "section",
    { class: "sheet", "aria-label": "The epoch in force" },
    facts(
      figure("Epoch", String(now.number), "", `in force since ${date(now.activates_ms)}`),
      figure("Quorum", `${now.q} of ${now.n}`, "groups", `${now.f} may lie or sleep`),
      figure("For a level", levels.join(" · "), "groups", "thresholds of this epoch", "words"),
      figure("Being decided", String(open), open === 1 ? "proposal" : "proposals", network.round === null ? "no round runs" : `round ${network.round} runs`),
    ),
    el("p", { class: "dim" }, `A change waits ${duration(now.change_delay_ms)} after it passed, one that loosens ${duration(now.loosen_delay_ms)}. `, el("code", { title: now.hash }, short(now.hash, 15))),
  );
}

function proposal(one, network) {
  const groups = new Set([...one.yes, ...one.no, ...one.missing]);
  const total = Math.max(network.epoch.n, groups.size);
  return el(
    "article",
    { class: `card proposal ${one.loosens ? "guard" : "watch"}`, tabindex: "-1", "aria-label": one.says },
    el("header", { class: "card-head" }, el("h2", {}, capital(one.says)), one.loosens ? el("span", { class: "tag shut" }, "loosens") : "", el("span", { class: "since dim" }, "closes ", date(one.closes_ms))),
    el("p", { class: "says" }, el("strong", {}, capital(one.stands)), el("span", { class: "dim" }, ` · proposed by ${one.author}, ${date(one.opened_ms)}`)),
    one.note ? el("p", {}, one.note) : "",
    one.needed ? tally(one, total) : el("p", { class: "dim" }, "It is its owner's own affair and takes no ballots."),
    one.ballots.length ? table("Ballots", ["Member", "Group", "Vote", "Counts", "Declared interest"], one.ballots.map((cast) => [cast.member, cast.group, cast.vote, cast.counts ? "yes" : "no", cast.conflict || el("span", { class: "dim" }, "none")])) : "",
    change(one),
    el("p", { class: "how" }, el("span", { class: "dim" }, "A ballot is sealed by the governance key: "), el("code", {}, `tocsin vote cast ${one.id.slice(0, 12)} yes --governance-key FILE`)),
  );
}

function tally(one, total) {
  const places = [...one.yes.map((name) => ["yes", name]), ...one.no.map((name) => ["no", name])];
  while (places.length < total) places.push(["", ""]);
  return el(
    "div",
    { class: "tally" },
    el(
      "div",
      { class: "places", role: "img", "aria-label": `${one.yes.length} of ${one.needed} groups needed say yes, ${one.no.length} say no` },
      places.map(([vote, name], at) => el("span", { class: `place ${vote}${at === one.needed - 1 ? " needed" : ""}`, title: name || null })),
    ),
    el("p", {}, el("strong", {}, `${one.yes.length} of ${one.needed} groups say yes`), one.no.length ? `, ${one.no.length} say no` : "", one.missing.length ? el("span", { class: "dim" }, ` · not heard: ${one.missing.join(", ")}`) : ""),
  );
}

// What it would change is counted on demand: the node replays what its members said.
function change(one) {
  const known = effects.get(one.id);
  const listed = Array.isArray(known) ? el("ul", { class: "sentences" }, known.map((text) => el("li", {}, text))) : el("p", { class: "dim" }, known ?? "Counting…");
  const read = async (event) => {
    if (!event.target.open || effects.has(one.id)) return;
    try {
      effects.set(one.id, (await get(`/v1/proposals/${one.id}`)).would_change);
    } catch (error) {
      effects.set(one.id, error.message);
    }
    redraw();
  };
  return el("details", { open: Boolean(known), on: { toggle: read } }, el("summary", {}, "What would have been different"), listed);
}

function over(past) {
  const rows = past.map((one) => [capital(one.says), one.author, date(one.opened_ms), one.needed ? `${one.yes.length} of ${one.needed}` : "none asked", one.stands]);
  return el("section", { class: "sheet" }, table("Decided or over", ["Proposal", "By", "Opened", "Groups for it", "How it ended"], rows));
}

function table_of(network, me) {
  const term = (one) => (one.seated_ms ? date(one.seated_ms + network.epoch.seat_term_ms) : el("span", { class: "dim" }, "a founder's, without an end"));
  const rows = network.members.map((one) => [
    el("span", { class: "name" }, one.name, one.name === me ? el("span", { class: "dim" }, " this node") : ""),
    one.group,
    term(one),
    el("code", { title: one.governance }, short(one.governance, 15)),
    one.proofs.length ? el("span", { class: "fault-word" }, `${one.stands}; two payloads under one number, kept as proof`) : one.stands === "sits" ? "in good standing" : one.stands,
  ]);
  const left = network.left.length ? el("p", { class: "dim" }, `Left: ${network.left.join(", ")}.`) : "";
  return el("section", { class: "sheet" }, table("Seats", ["Member", "Group", "Term until", "Governance key", "Standing"], rows), left);
}
