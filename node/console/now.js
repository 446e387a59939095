// The page "Now": a card for each alarm that matters most, a line for each of the others, and own levers beside them.

import { action, ENDED } from "./action.js";
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
  const live = ranked.filter((one) => rank(one.level) >= 0);
  const own = new Set(seen.actions.filter((deed) => !ENDED.has(deed.phase)).map(topic));
  const known = new Set(ranked.map(topic));
  const rest = seen.actions.filter((one) => !known.has(topic(one)));
  const wanted = [];
  if (!live.length) {
    const facts = [seen.status.quorum, seen.status.sensors.length, seen.status.mode, seen.exposures.length, rest.length];
    wanted.push({ key: "empty", says: facts, make: () => empty(seen.status, seen.exposures, rest.filter((one) => one.phase === "effective").length) });
  }
  const whole = (one, at) => opened.has(one.id) || own.has(topic(one)) || (rank(one.level) >= 0 && at < CARDS);
  for (const alert of ranked.filter(whole)) wanted.push(one(alert, seen, may));
  if (rest.length) {
    const make = () => el("section", { class: "card none" }, el("h2", {}, "Levers without an alarm"), el("ul", { class: "actions" }, rest.map((deed) => action(deed, may))));
    wanted.push({ key: "rest", says: [rest, may], make });
  }
  const lines = ranked.filter((alert, at) => !whole(alert, at));
  return [...wanted, ...listed(lines.filter((one) => rank(one.level) >= 0), "more", "less grave", redraw), ...listed(lines.filter((one) => rank(one.level) < 0), "ended", "that stand no more", redraw)];
}

// Alarms in a line each, until somebody opens one.
function listed(alerts, key, which, redraw) {
  if (!alerts.length) return [];
  const title = { key, says: alerts.length, make: () => el("h2", { class: "more" }, `${alerts.length.toLocaleString("en")} ${which}`) };
  const rows = alerts.map((alert) => {
    const open = () => {
      opened.add(alert.id);
      looked = alert.id;
      redraw();
    };
    return { key: `row-${alert.id}`, says: [alert.level, alert.groups, alert.needed, alert.certificate?.level], make: () => row(alert, open) };
  });
  return [title, ...rows];
}

// Who opened a line stands on its card.
export function drawn() {
  if (looked) document.querySelector(`[data-key="${looked}"]`)?.focus();
  looked = "";
}

// What is worst first, certified ahead of said; of equals by their ids, so that nothing jumps.
function before(a, b) {
  return rank(b.level) - rank(a.level) || Boolean(b.certificate) - Boolean(a.certificate) || (a.id < b.id ? -1 : 1);
}

function one(alert, seen, may) {
  const own = seen.actions.filter((deed) => topic(deed) === topic(alert));
  const mine = seen.exposures.filter((held) => held.subjects.includes(alert.subject));
  // a figure that is read anew each second is no news while it says the same
  const restricted = seen.actions.some((deed) => deed.subject === alert.subject && deed.phase === "effective");
  const says = [alert, own, mine.map(({ read_ms, ...held }) => held), may, seen.status.quorum.n, restricted];
  return { key: alert.id, says, make: () => card(alert, own, mine, seen.status, may, restricted) };
}
