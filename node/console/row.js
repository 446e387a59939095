// An alarm in one line, where there are too many for cards.

import { el } from "./dom.js";
import { rank, sentence, short, subject } from "./words.js";

export function row(alert, open) {
  const { head, tail } = subject(alert.subject);
  const stands = alert.certificate ? "certified" : rank(alert.level) < 0 ? "" : `${alert.groups.length} of ${alert.needed} groups`;
  return el(
    "button",
    { type: "button", class: `row ${alert.level.toLowerCase()}`, title: alert.subject, on: { click: open } },
    el("span", { class: `level ${alert.level.toLowerCase()}` }, rank(alert.level) < 0 ? "no level" : alert.level),
    el("span", { class: "row-what" }, sentence(alert.threat)),
    el("span", { class: "row-on" }, tail ? `${head}${short(tail, 13)}` : head),
    el("span", { class: "row-stands" }, stands),
  );
}
