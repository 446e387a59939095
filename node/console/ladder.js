// The four rungs, and how far up this alarm stands: what opinions say, and what a certificate proves.

import { el } from "./dom.js";
import { LEVELS, rank } from "./words.js";

export function ladder(alert) {
  const said = rank(alert.level);
  const proven = alert.certificate ? rank(alert.certificate.level) : -1;
  const own = rank(alert.own.level);
  const words = `${alert.level}${proven >= 0 ? `, certified for ${alert.certificate.level}` : ", no certificate"}`;
  return el(
    "div",
    { class: "ladder", role: "img", "aria-label": `Level: ${words}` },
    LEVELS.map((level, at) =>
      el(
        "div",
        { class: `rung ${level.toLowerCase()}${at <= said ? " reached" : ""}${at <= proven ? " proven" : ""}` },
        el("span", { class: "rung-bar" }),
        el("span", { class: "rung-name" }, level),
        el("span", { class: "rung-note" }, at === proven ? "certified" : at === own ? "our word" : at === said ? "said" : ""),
      ),
    ),
  );
}
