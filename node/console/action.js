// One own lever: what it does, how far it is, when it ends by itself, and what this person may do about it.

import { el } from "./dom.js";
import { press } from "./press.js";
import { ending, waiting } from "./second.js";
import { short, time } from "./words.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const WAY = ["ordered", "planned", "simulated", "sending", "sent", "effective"];
export const ENDED = new Set(["lapsed", "lifted", "refused"]);
const SAYS = { asked: "waits for a person", armed: "planned, not sent", escalated: "needs a person", lifting: "is being lifted", lapsed: "ended by its lease", lifted: "lifted", refused: "refused by a person" };

// `at`: ahead of the buttons' ids, where one action is shown twice on a page.
export function action(one, may, at = "") {
  const ended = ENDED.has(one.phase);
  const last = one.steps.at(-1);
  const opened = one.steps[0]?.at_ms;
  return el(
    "li",
    { class: `action${ended ? " ended" : ""}${one.phase === "escalated" ? " escalated" : ""} ${one.rung.toLowerCase()}` },
    el(
      "div",
      { class: "action-head" },
      el("strong", {}, one.lever),
      el("span", { class: "dim" }, `${one.rung} · rule ${one.rule} · ${one.instance}`),
      ended ? el("span", { class: "lease over" }, one.phase) : lease(one, opened),
    ),
    way(one),
    last ? el("p", { class: "says" }, last.says, last.reference ? el("code", { title: last.reference }, ` ${short(last.reference)}`) : "", el("span", { class: "dim" }, ` ${time(last.at_ms)}`)) : "",
    waiting(one),
    buttons(one, may, ended, at),
  );
}

function lease(one, opened) {
  const length = Math.max(1, one.until_ms - (opened ?? one.until_ms));
  return el(
    "span",
    { class: "lease", title: "It ends by itself then" },
    el("span", { class: "lease-bar", "data-lease": length, "data-end": one.until_ms }),
    el("span", { class: "lease-left", "data-until": one.until_ms }, "…"),
  );
}

function way(one) {
  const seen = new Set(one.steps.map((step) => step.phase));
  const reached = Math.max(...WAY.map((phase, at) => (seen.has(phase) || one.phase === phase ? at : -1)));
  const beside = SAYS[one.phase];
  return el(
    "ol",
    { class: "way", "aria-label": `Phase: ${one.phase}` },
    WAY.map((phase, at) => el("li", { class: at <= reached ? "done" : "", "aria-current": one.phase === phase ? "step" : null }, phase)),
    beside ? el("li", { class: `beside ${one.phase}` }, beside) : "",
  );
}

function buttons(one, may, ended, at) {
  const found = [];
  if (may.operate && ["asked", "armed"].includes(one.phase)) {
    found.push(press(`${at}approve-${one.key}`, "Approve", `/v1/actions/${one.key}/approve`, "primary"));
    found.push(press(`${at}refuse-${one.key}`, "Refuse", `/v1/actions/${one.key}/refuse`));
  }
  const longer = Math.min(HOUR_MS, Math.floor((one.extendable_until_ms - one.until_ms) / MINUTE_MS) * MINUTE_MS);
  if (may.operate && longer >= MINUTE_MS) found.push(press(`${at}extend-${one.key}`, longer < HOUR_MS ? `Extend by ${longer / MINUTE_MS} min` : "Extend by 1 h", `/v1/actions/${one.key}/extend`, "", { by_s: longer / 1000 }));
  if (may.release && !ended) found.push(...ending(one, `${at}lift-${one.key}`, "Lift now", `/v1/actions/${one.key}/lift`, may));
  return found.length ? el("div", { class: "buttons" }, found) : "";
}
