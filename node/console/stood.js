// What stood at a moment, read off the happenings until then: the words that counted, what was certified, what held.

import { rank } from "./words.js";

const OVER = new Set(["lapsed", "lifted", "refused"]);
const topic = (one) => `${one.subject}\n${one.threat}`;

export function stood(happenings, at) {
  const words = new Map();
  const certified = new Map();
  const levers = new Map();
  for (const one of happenings) {
    if (one.kind === "attestation") {
      const said = words.get(topic(one)) ?? new Map();
      said.set(one.author, one);
      words.set(topic(one), said);
    } else if (one.kind === "release") words.get(topic(one))?.delete(one.author);
    else if (one.kind === "certificate") certified.set(topic(one), one);
    else if (one.kind === "action") levers.set(one.key, one);
    else if (one.kind === "renewal" && levers.has(one.key)) levers.set(one.key, { ...levers.get(one.key), until_ms: one.until_ms });
  }
  const alarms = [];
  for (const [name, said] of words) {
    const live = [...said.values()].filter((one) => rank(one.level) >= 0 && (one.expires_ms ?? Infinity) > at);
    if (!live.length) continue;
    const top = live.reduce((most, one) => (rank(one.level) > rank(most.level) ? one : most));
    const same = live.filter((one) => one.level === top.level);
    alarms.push({ threat: top.threat, subject: top.subject, level: top.level, authors: same.map((one) => one.author).sort(), certified: certified.has(name) });
  }
  alarms.sort((a, b) => rank(b.level) - rank(a.level));
  return { alarms, levers: [...levers.values()].filter((one) => !OVER.has(one.phase) && one.until_ms > at) };
}
