// What happened, newest first: one line for each thing a person would want to be told.

import { el, fill } from "./dom.js";
import { sentence, short, subject, time } from "./words.js";

const MOST = 60;
const held = [];
const on = (one) => {
  const { head, tail } = subject(one.subject ?? "");
  return tail ? short(tail, 13) : head;
};
const DEEDS = { Raise: "raised an alarm", Withdraw: "took our word back", ReleaseTopic: "said that it is over", ActionCommand: "decided about a lever", Extend: "extended what stands", Rerun: "had evidence re-run", Publish: "published a statement", TakeKey: "put a new key in place" };
const LINES = {
  attestation: (one) => [one.level, one.level === "NONE" ? `${one.author} withdraws: ${sentence(one.threat).toLowerCase()}` : `${one.author} says ${one.level}: ${sentence(one.threat).toLowerCase()}`, on(one)],
  release: (one) => ["NONE", `${one.author} says that ${sentence(one.threat).toLowerCase()} is over`, on(one)],
  certificate: (one) => [one.level, `Certified ${one.level}: ${sentence(one.threat).toLowerCase()}, by ${one.signers.length}`, on(one)],
  verdict: (one) => ["", `Our check of ${one.claim_type}: ${one.ruling}`, one.why],
  decision: (one) => ["", `Policy: ${one.verdict} ${one.lever}`, one.why],
  action: (one) => [one.rung, `${one.lever}: ${one.phase}`, one.says],
  renewal: (one) => ["", "A lease was renewed", one.says],
  operator: (one) => ["", `${one.person} ${DEEDS[one.deed] ?? `did: ${sentence(one.deed)}`}`, ""],
  asked: (one) => ["GUARD", `${one.person} asks: ${one.what}. It needs a second person`, on(one)],
  "asked-no-more": (one) => ["", `${sentence(one.what)}, asked before: ${one.how}${one.person ? ` by ${one.person}` : ""}`, on(one)],
  acknowledged: (one) => ["", `${one.person} has seen it: ${sentence(one.threat).toLowerCase()}`, on(one)],
  rerun: (one) => [one.same || !one.before ? "" : "GUARD", `Re-run for ${one.person}: ${one.claim_type} ${one.ruling}${one.same ? ", as before" : one.before ? `, before: ${one.before}` : ""}`, one.why],
  peer: (one) => ["", `${one.member || "a peer"} ${one.up ? "is up" : "went down"}`, ""],
  epoch: (one) => ["", `Epoch ${one.number} is in force`, `${one.n} groups`],
  equivocation: (one) => ["HALT", `${one.author} forked its feed: proven`, ""],
  "false-statement": (one) => ["GUARD", "A false statement was kept as proof", one.why],
  proposal: (one) => ["", `${one.author} proposes a change`, ""],
  actionreport: (one) => ["", `${one.author} tells what its lever did`, ""],
  keyset: (one) => ["", `${one.author} names its keys`, ""],
  ballot: (one) => ["", `${one.author} votes`, ""],
  "epoch-certified": (one) => ["", `Epoch ${one.number} is decided`, ""],
  "signing-stopped": (one) => ["HALT", "This node signs nothing any more", one.why],
};

const ELSE = (one) => ["", one.author ? `${one.author}: ${sentence(one.kind).toLowerCase()}` : sentence(one.kind), ""];

let number = 0;
export function note(one, nowMs) {
  if (!LINES[one.kind]) return;
  held.unshift({ key: String(number++), one: { ...one, at_ms: one.at_ms || nowMs } });
  held.length = Math.min(held.length, MOST);
}

export function line(one) {
  const [level, text, more] = (LINES[one.kind] ?? ELSE)(one);
  return el("p", { class: `line ${String(level).toLowerCase()}`, "data-at": one.at_ms }, el("time", {}, time(one.at_ms)), el("span", { class: "text" }, text, more ? el("span", { class: "dim" }, ` ${more}`) : ""));
}

export function feed(place) {
  const title = { key: "title", says: "", make: () => el("h2", {}, "What happened") };
  const rows = held.map(({ key, one }) => ({ key, says: "", make: () => line(one) }));
  fill(place, held.length ? [title, ...rows] : [title, { key: "none", says: "", make: () => el("p", { class: "dim" }, "Nothing since this page was opened.") }]);
}
