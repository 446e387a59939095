// The page "Now": the stream says that something changed, the state is read anew, and what differs is drawn.

import { forget, get, Refused } from "/api.js";
import { action } from "/action.js";
import { card } from "/card.js";
import * as clock from "/clock.js";
import { el, fill } from "/dom.js";
import { empty } from "/empty.js";
import { feed, note } from "/feed.js";
import { head, warnings } from "/head.js";
import { form, me } from "/signin.js";
import { Stream } from "/stream.js";
import { rank } from "/words.js";

const READ_MS = 350;
const CALM_MS = 5000;
const BACK = 400;
const place = { head: document.getElementById("head"), now: document.getElementById("now"), feed: document.getElementById("feed") };
const seen = { person: null, live: "broken", status: null, alerts: [], actions: [], exposures: [] };
let stream = null;
let due = null;
let reading = false;

const may = () => ({ person: seen.person?.person, people: seen.status?.release_people, operate: ["operator", "releaser"].includes(seen.person?.role), release: seen.person?.role === "releaser" });
const topic = (one) => `${one.subject}\n${one.threat}`;

function draw() {
  fill(place.head, [{ key: "head", says: [seen.person, seen.live, brief(seen.status)], make: () => head(seen.status, seen.person, seen.live, leave) }]);
  if (!seen.person || !seen.status) return;
  const alarms = [...seen.alerts].sort((a, b) => rank(b.level) - rank(a.level) || (a.id < b.id ? -1 : 1));
  const wanted = warnings(seen.status).map(([kind, what, why]) => ({
    key: `warn-${what}`,
    says: why,
    make: () => el("div", { class: `notice ${kind}`, role: "alert" }, el("strong", {}, what), " ", why),
  }));
  for (const alert of alarms) {
    const own = seen.actions.filter((one) => topic(one) === topic(alert));
    const mine = seen.exposures.filter((one) => one.subjects.includes(alert.subject));
    // a figure that is read anew each second is no news while it says the same
    const says = [alert, own, mine.map(({ read_ms, ...one }) => one), may(), seen.status.quorum.n];
    wanted.push({ key: alert.id, says, make: () => card(alert, own, mine, seen.status, may()) });
  }
  const known = new Set(alarms.map(topic));
  const rest = seen.actions.filter((one) => !known.has(topic(one)));
  if (!alarms.length) {
    const facts = [seen.status.quorum, seen.status.sensors.length, seen.status.mode, seen.exposures.length, rest.length];
    wanted.push({ key: "empty", says: facts, make: () => empty(seen.status, seen.exposures, rest.filter((one) => one.phase === "effective").length) });
  }
  if (rest.length) {
    const make = () => el("section", { class: "card none" }, el("h2", {}, "Levers without an alarm"), el("ul", { class: "actions" }, rest.map((one) => action(one, may()))));
    wanted.push({ key: "rest", says: [rest, may()], make });
  }
  fill(place.now, wanted);
  feed(place.feed);
  const top = alarms.find((one) => rank(one.level) >= 0);
  document.title = top ? `${top.level} · Tocsin` : "Tocsin";
  clock.tick();
}

const brief = (status) => status && [status.member, status.epoch, status.signing, status.quorum, status.mode];

async function read() {
  if (reading || !seen.person) return;
  reading = true;
  try {
    const [status, alerts, actions, exposures] = await Promise.all(["status", "alerts", "actions", "exposures"].map((one) => get(`/v1/${one}`)));
    clock.set(status.now_ms);
    Object.assign(seen, { status, alerts, actions, exposures });
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return leave("This token is good no more.");
  } finally {
    reading = false;
  }
  draw();
}

function soon() {
  due ??= setTimeout(() => {
    due = null;
    if (reading) soon();
    else read();
  }, READ_MS);
}

function heard(one) {
  note(one, clock.now());
  soon();
}

async function enter(person) {
  seen.person = person;
  document.body.classList.remove("outside");
  place.now.replaceChildren();
  await read();
  if (!seen.person) return;
  stream = new Stream({
    heard,
    state: (live) => {
      seen.live = live;
      if (live === "out") leave("This token is good no more.");
      else draw();
    },
  });
  stream.run(Math.max(0, (seen.status?.position ?? 0) - BACK));
}

function leave(fault = "") {
  forget();
  stream?.close();
  Object.assign(seen, { person: null, status: null, alerts: [], actions: [], exposures: [] });
  document.body.classList.add("outside");
  place.feed.replaceChildren();
  place.head.replaceChildren();
  place.now.replaceChildren(form(enter, typeof fault === "string" ? fault : ""));
  document.getElementById("token").focus();
}

// j and k walk from card to card
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key)) return;
  const cards = [...document.querySelectorAll(".card")];
  const at = cards.indexOf(document.activeElement?.closest(".card"));
  const to = cards[Math.max(0, Math.min(cards.length - 1, at + (event.key === "j" ? 1 : -1)))];
  to?.focus();
  to?.scrollIntoView({ block: "start", behavior: "smooth" });
});

clock.start();
setInterval(() => document.visibilityState === "visible" && soon(), CALM_MS);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && soon());
me().then((person) => (person ? enter(person) : leave()), (error) => leave(`${error.message}${error.cure ? `; ${error.cure}` : ""}`));
