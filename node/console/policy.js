// The page "Policy": the owner's rules in sentences, and what they would do: on incidents, and on one of your choosing.

import { get } from "./api.js";
import { el } from "./dom.js";
import { duration, table } from "./figures.js";
import { hint } from "./network.js";
import { source } from "./source.js";
import { LEVELS, sentence } from "./words.js";

export const title = "Policy";
export const says = "what the owner's rules say, and what they would do";
export const feed = false;
const held = source("/v1/policy", ["epoch"], 60000);
export const { heard } = held;
const MODES = { observe: "decides and tells, moves nothing", ask: "a person approves each action", act: "moves by itself within its rules" };
const OWN = { verified: "our own check agrees", unable: "our own check cannot tell", contradicted: "our own check says otherwise" };
const choice = { asset: "", level: "ISOLATE", own: "verified", groups: "" };
let tried = null;
let redraw = () => {};

export function enter(redraws) {
  redraw = redraws;
  held.enter(redraws);
}
export function leave() {
  held.leave();
  redraw = () => {};
}

export function draw() {
  const waits = held.state();
  if (waits) return [waits];
  const told = held.data;
  const wanted = [{ key: "sentences", says: [told.mode, told.sentences, told.faults], make: () => sentences(told) }];
  if (!Object.keys(told.assets).length) return [...wanted, { key: "none", says: "", make: () => el("section", { class: "sheet" }, hint("What to do next", "The policy names no asset, so nothing can be tried on it.", "tocsin policy check")) }];
  wanted.push({ key: "form", says: Object.keys(told.assets), make: () => form(told) });
  if (tried) wanted.push({ key: "tried", says: tried, make: () => answer(tried) });
  const packs = [...new Set(told.incidents.map((one) => one.pack))].sort((a, b) => a.endsWith(".benign") - b.endsWith(".benign"));
  for (const pack of packs) {
    const of = told.incidents.filter((one) => one.pack === pack);
    wanted.push({ key: pack, says: of, make: () => incident(pack, of) });
  }
  return wanted;
}

function sentences(told) {
  return el(
    "section",
    { class: "sheet" },
    el("h2", {}, `Mode ${told.mode}`, el("span", { class: "dim aside" }, MODES[told.mode] ?? "")),
    told.faults.length ? el("div", { class: "notice bad", role: "alert" }, el("strong", {}, `${told.faults.length} faults`), el("ul", {}, told.faults.map((one) => el("li", {}, one)))) : "",
    el("ul", { class: "sentences" }, told.sentences.map((one) => el("li", {}, one))),
  );
}

function form(told) {
  const pick = (name, label, options) => el("div", {}, el("label", { for: `try-${name}` }, label), el("select", { id: `try-${name}`, name }, options.map(([value, text]) => el("option", { value, selected: choice[name] === value }, text))));
  const submit = async (event) => {
    event.preventDefault();
    Object.assign(choice, Object.fromEntries(new FormData(event.target)));
    try {
      tried = await get(`/v1/policy/try?${new URLSearchParams({ ...choice, groups: choice.groups || 0 })}`);
    } catch (error) {
      tried = { fault: error.message, decisions: [] };
    }
    redraw();
  };
  return el(
    "section",
    { class: "sheet" },
    el("h2", {}, "What would happen if"),
    el(
      "form",
      { class: "try", on: { submit } },
      pick("asset", "An alarm on", Object.keys(told.assets).map((one) => [one, one])),
      pick("level", "said at", LEVELS.map((one) => [one, one])),
      pick("own", "while", Object.entries(OWN)),
      el("div", {}, el("label", { for: "try-groups" }, "by how many groups"), el("input", { id: "try-groups", name: "groups", type: "number", min: "0", max: "256", placeholder: "a quorum", value: choice.groups || null })),
      el("button", { type: "submit", class: "primary" }, "Try it; nothing moves"),
    ),
    el("p", { class: "dim" }, `Assumed here and below: ${told.assumed}.`),
  );
}

function answer(told) {
  if (told.fault) return el("section", { class: "sheet" }, el("p", { class: "fault", role: "alert" }, told.fault));
  const certified = told.certified ? `${told.groups} groups certify ${told.level}` : `${told.groups} groups say ${told.level}; ${told.needed} are needed, so nothing is certified`;
  return el("section", { class: "sheet", role: "status" }, el("p", {}, el("strong", {}, certified), `; ${OWN[told.own] ?? told.own}.`), decided(told.decisions, "What would be decided"));
}

function decided(decisions, caption) {
  if (!decisions.length) return el("p", { class: "dim" }, "Nothing would be decided.");
  const rows = decisions.map((one) => [verdict(one), one.lever ?? el("span", { class: "dim" }, "no lever"), one.lease_ms ? duration(one.lease_ms) : "", one.why]);
  return table(caption, ["Verdict", "Lever", "For", "Why"], rows);
}

const verdict = (one) => el("span", { class: `verdict ${one.verdict}` }, one.verdict, one.page ? el("span", { class: "dim small" }, "and calls people") : "");

// In one line: what would be done where our own check agrees.
function verdicts(one) {
  const found = one.answers.filter((given) => given.own === "verified").flatMap((given) => given.decisions.filter((decision) => decision.lever));
  return found.length ? found.map((decision, at) => el("span", {}, at ? ", " : "", verdict({ ...decision, page: false }), ` ${decision.lever}`)) : el("span", { class: "verdict ignore" }, "no lever");
}

function incident(pack, found) {
  return el(
    "section",
    { class: "sheet incident" },
    el("h2", {}, sentence(pack.replace(/\.benign$/, "")), pack.endsWith(".benign") ? el("span", { class: "dim" }, " its harmless twin") : ""),
    found.map((one) => {
      const formed = Object.entries(one.levels).map(([level, told]) => `${level} after ${duration(told.after_ms)} by ${told.groups} groups`);
      const rows = one.answers.flatMap((given) => (given.decisions.length ? given.decisions : [{ verdict: "ignore", lever: null, lease_ms: 0, why: "nothing would be decided" }]).map((decision) => [OWN[given.own] ?? given.own, given.asset, verdict(decision), decision.lever ?? el("span", { class: "dim" }, "no lever"), decision.lease_ms ? duration(decision.lease_ms) : "", decision.why]));
      return el(
        "details",
        {},
        el("summary", {}, sentence(one.threat), " → ", verdicts(one), el("span", { class: "dim" }, ` · ${formed.join("; ") || "no certificate would form here"}`)),
        el("p", { class: "dim" }, one.named ? "The policy names what the incident was about." : "The policy does not name what it was about: as if it had met each of its assets."),
        table(`${sentence(one.threat)}: what this policy would decide`, ["While", "On", "Verdict", "Lever", "For", "Why"], rows),
      );
    }),
  );
}
