// The page "Levers": what this node could pull: what each closes and leaves, how it ends, when it was last tried.

import { el } from "./dom.js";
import { chips, duration } from "./figures.js";
import { hint } from "./network.js";
import { source } from "./source.js";
import { action } from "./action.js";

export const title = "Levers";
export const says = "what this node could pull, and what would end it";
export const feed = false;
const held = source("/v1/levers", ["action", "renewal"]);
export const { enter, heard, leave } = held;
const STALE_MS = 30 * 86400000;
const ENDS = {
  target: "The target itself ends it, whether this node lives or not.",
  guard: "Anybody may end it once its time is over, and this node does.",
  node: "This node lifts it: overdue while the node is down.",
  human: "Only people end it.",
};
const MODES = { act: "moves by itself", ask: "asks a person first", observe: "only told, moves nothing" };

export function draw(seen, { may }) {
  const waits = held.state();
  if (waits) return [waits];
  if (!held.data.length) {
    const why = "The policy of this node lends no lever: it answers alarms and touches nothing.";
    return [{ key: "none", says: "", make: () => el("section", { class: "empty" }, el("h2", {}, "No lever is lent"), hint("What to do next", why, "tocsin lever list")) }];
  }
  const ordered = [...held.data].sort((a, b) => b.stands.length - a.stands.length || (a.name < b.name ? -1 : 1));
  return ordered.map((one) => {
    const actions = seen.actions.filter((deed) => one.stands.some((stand) => stand.key === deed.key));
    return { key: one.name, says: [one, actions, may], make: () => lever(one, actions, may, seen.status.now_ms) };
  });
}

function lever(one, actions, may, nowMs) {
  const rung = (one.rung ?? "none").toLowerCase();
  return el(
    "article",
    { class: `card lever ${rung}`, tabindex: "-1", "aria-label": one.name },
    el(
      "header",
      { class: "card-head" },
      el("span", { class: `level ${rung}` }, one.rung ?? "no adapter"),
      el("h2", {}, one.name),
      el("code", { class: "dim" }, one.instance),
      el("span", { class: "since dim" }, MODES[one.mode] ?? one.mode),
    ),
    el("p", { class: "says" }, one.says),
    el(
      "dl",
      { class: "terms" },
      term("Closes", chips(one.closes, "nothing outright", "shut")),
      term("Leaves open", chips(one.leaves, "nothing that is listed", "open")),
      term("Honest exits", one.blocks_exit ? el("strong", { class: "fault-word" }, "blocked meanwhile") : "stay open"),
      term("Ends", ENDS[one.expires_by] ?? one.expires_by),
      term("Longest", `${duration(one.max_ms)}; again ${duration(one.cooldown_ms)} later`),
      term("Undone", one.reversible === null ? "not known" : one.reversible ? "yes" : el("strong", { class: "fault-word" }, "never: people only")),
      term("Pulled by", chips(one.rules, "no rule")),
      term("Last tried", tested(one.tested_ms, nowMs)),
    ),
    actions.length ? el("ul", { class: "actions" }, actions.map((deed) => action(deed, may, "lever-"))) : "",
  );
}

const term = (name, what) => el("div", {}, el("dt", {}, name), el("dd", {}, what));

function tested(ms, nowMs) {
  if (!ms) return el("span", {}, el("strong", { class: "fault-word" }, "never here. "), el("code", {}, "tocsin lever test"), el("span", { class: "dim" }, " tries it, and sends nothing"));
  const old = nowMs - ms > STALE_MS;
  return el("span", { class: old ? "fault-word" : "" }, el("span", { "data-since": ms }, "…"), old ? ": try it again" : ", and it would move");
}
