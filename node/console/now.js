// The page "Now": a card for each alarm that matters most, a line for each of the others, and own levers beside them.

import { action } from "./action.js";
import { card } from "./card.js";
import { el } from "./dom.js";
import { empty } from "./empty.js";
import { row } from "./row.js";
import { rank } from "./words.js";

export const title = "Now";
export const says = "";
const CARDS = 8;
const opened = new Set();
let looked = "";
const topic = (one) => `${one.subject}\n${one.threat}`;

export function draw(seen, { may, redraw }) {
  const ranked = [...seen.alerts].sort(before);
  const wanted = [];
  const lines = [];
  ranked.forEach((alert, at) => {
    if (at < CARDS || opened.has(alert.id)) wanted.push(whole(alert, seen, may));
    else lines.push(alert);
  });
  if (lines.length) {
    wanted.push({ key: "more", says: lines.length, make: () => el("h2", { class: "more" }, `${lines.length.toLocaleString("en")} more, the less grave`) });
  }
  for (const alert of lines) {
    const open = () => {
      opened.add(alert.id);
      looked = alert.id;
      redraw();
    };
    wanted.push({ key: `row-${alert.id}`, says: [alert.level, alert.groups, alert.needed, alert.certificate?.level], make: () => row(alert, open) });
  }
  const known = new Set(ranked.map(topic));
  const rest = seen.actions.filter((one) => !known.has(topic(one)));
  if (!ranked.length) {
    const facts = [seen.status.quorum, seen.status.sensors.length, seen.status.mode, seen.exposures.length, rest.length];
    wanted.push({ key: "empty", says: facts, make: () => empty(seen.status, seen.exposures, rest.filter((one) => one.phase === "effective").length) });
  }
  if (rest.length) {
    const make = () => el("section", { class: "card none" }, el("h2", {}, "Levers without an alarm"), el("ul", { class: "actions" }, rest.map((one) => action(one, may))));
    wanted.push({ key: "rest", says: [rest, may], make });
  }
  return wanted;
}

// Who opened a line stands on its card.
export function drawn() {
  if (looked) document.querySelector(`[data-key="${looked}"]`)?.focus();
  looked = "";
}

// What stands and is worst first; of equals the one that was there first, so that nothing jumps.
function before(a, b) {
  return rank(b.level) - rank(a.level) || Boolean(b.certificate) - Boolean(a.certificate) || (a.id < b.id ? -1 : 1);
}

function whole(alert, seen, may) {
  const own = seen.actions.filter((one) => topic(one) === topic(alert));
  const mine = seen.exposures.filter((one) => one.subjects.includes(alert.subject));
  // a figure that is read anew each second is no news while it says the same
  const restricted = seen.actions.some((one) => one.subject === alert.subject && one.phase === "effective");
  const says = [alert, own, mine.map(({ read_ms, ...one }) => one), may, seen.status.quorum.n, restricted];
  return { key: alert.id, says, make: () => card(alert, own, mine, seen.status, may, restricted) };
}
