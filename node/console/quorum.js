// Who says so, group by group: one place for each that is needed, filled as they speak; then on what, through what.

import { el } from "./dom.js";
import { rank, short } from "./words.js";

export function quorum(alert, told) {
  const counted = new Set(alert.certificate ? alert.certificate.groups : alert.groups);
  const needed = alert.needed;
  const places = Math.max(told?.quorum?.n ?? 0, counted.size, needed);
  const live = alert.opinions.filter((one) => rank(one.level) >= 0);
  return el(
    "section",
    { class: "part" },
    el("h3", {}, "Quorum", el("span", { class: "count" }, `${counted.size} of ${needed} groups`, el("span", { class: "dim" }, places > needed ? ` · ${places} in all` : ""))),
    el(
      "div",
      { class: "places", role: "img", "aria-label": `${counted.size} groups say so, ${needed} are needed` },
      Array.from({ length: places }, (_, at) => el("span", { class: `place${at < counted.size ? " filled" : ""}${at === needed - 1 ? " needed" : ""}` })),
    ),
    el("ul", { class: "voices" }, live.map((one) => voice(one, counted))),
  );
}

function voice(one, counted) {
  const through = one.sources.length ? `through ${one.sources.join(", ")}` : "names no source";
  const types = [...new Set(one.claims.map((claim) => claim.type))].join(", ");
  return el(
    "li",
    { class: `voice${one.live && !one.released ? "" : " past"}${counted.has(one.group) ? " counts" : ""}` },
    el("span", { class: "who" }, one.author),
    el("span", { class: `chip ${one.level.toLowerCase()}` }, one.level),
    el("span", { class: "basis" }, one.by_person ? "a person" : one.basis.toLowerCase()),
    el("span", { class: "through", title: through }, one.released ? "released by a quorum" : one.live ? through : "no longer counts"),
    types ? el("span", { class: "types", title: one.claims.map((claim) => claim.id).join("\n") }, types, one.claims.length === 1 ? el("code", {}, ` ${short(one.claims[0].id, 11)}`) : "") : "",
  );
}
