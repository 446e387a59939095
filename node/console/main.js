// The frame: who is signed in, which page is shown, what is heard for all tabs; what differs is drawn.

import { forget, get, token } from "./api.js";
import * as clock from "./clock.js";
import { el, fill } from "./dom.js";
import { feed, note } from "./feed.js";
import { exercise, head, warnings } from "./head.js";
import { Hub } from "./hub.js";
import { narrow } from "./map.js";
import { nav, PAGES, wanted } from "./pages.js";
import { done } from "./press.js";
import { form, me } from "./signin.js";
import * as tabs from "./tabs.js";
import { rank } from "./words.js";

const place = Object.fromEntries(["head", "nav", "page", "feed"].map((one) => [one, document.getElementById(one)]));
const seen = { person: null, live: "broken", status: null, alerts: [], actions: [], exposures: [], told: 0 };
const CUT_MS = 4000;
let hub = null;
// who is signed in already need not wait for the answer to who that is
const early = {
  asked: token() ? get("/v1/now").catch(() => null) : null,
  take() {
    const one = this.asked;
    this.asked = null;
    return one;
  },
};
let page = wanted();
let drawing = false;
let marked = false;

const may = () => ({ person: seen.person?.person, people: seen.status?.release_people, operate: ["operator", "releaser"].includes(seen.person?.role), release: seen.person?.role === "releaser" });
const brief = (status) => status && [status.exercise, status.member, status.epoch, status.signing, status.quorum, status.mode];

// At most once a frame; a tab that nobody looks at only keeps its title true.
function redraw() {
  if (drawing) return;
  if (document.visibilityState !== "visible") return retitle();
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  mark(Boolean(seen.status?.exercise));
  const banner = seen.status?.exercise ? [{ key: "exercise", says: "", make: exercise }] : [];
  fill(place.head, [...banner, { key: "head", says: [seen.person, seen.live, brief(seen.status)], make: () => head(seen.status, seen.person, seen.live, leave) }]);
  if (!seen.person || !seen.status) return;
  nav(place.nav, page, seen);
  const shown = PAGES[page];
  const first = { key: "title", says: page, make: () => el("h1", { class: page === "now" ? "page-title hidden" : "page-title" }, shown.title, shown.says ? el("span", { class: "dim" }, shown.says) : "") };
  const cut = seen.live !== "live" && performance.now() - seen.told > CUT_MS;
  const warned = warnings(seen.status, cut).map(([kind, what, why]) => ({
    key: `warn-${what}`,
    says: why,
    make: () => el("div", { class: `notice ${kind}`, role: "alert" }, el("strong", {}, what), " ", why),
  }));
  fill(place.page, [first, ...warned, ...shown.draw(seen, { may: may(), redraw })]);
  shown.drawn?.(seen);
  if (shown.feed !== false) feed(place.feed);
  retitle();
  clock.tick();
}

// What a page of a drill's node bears where its banner is not seen: the frame of the window, the tab's name and sign.
function mark(drill) {
  if (document.body.classList.toggle("exercise", drill) === marked) return;
  marked = drill;
  document.querySelector("link[rel=icon]").href = drill ? "/drill.svg" : "/bell.svg";
}

function retitle() {
  const top = Math.max(-1, ...seen.alerts.map((one) => rank(one.level)));
  const alarm = seen.alerts.find((one) => rank(one.level) === top);
  const name = page === "now" ? "Tocsin" : `${PAGES[page].title} · Tocsin`;
  const said = alarm && top >= 0 ? `${alarm.level} · ${name}` : name;
  const text = seen.status?.exercise ? `EXERCISE · ${said}` : said;
  if (document.title !== text) document.title = text;
}

function turn() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const to = wanted();
  if (to !== page) {
    PAGES[page].leave?.();
    place.page.replaceChildren();
    scrollTo(0, 0);
  }
  page = to;
  document.body.dataset.page = page;
  document.body.classList.toggle("alone", PAGES[page].feed === false);
  if (seen.person) {
    PAGES[page].enter?.(redraw);
    redraw();
  }
}

async function enter(person) {
  seen.person = person;
  document.body.classList.remove("outside");
  place.page.replaceChildren();
  hub = new Hub({
    early: early.take(),
    heard: (one) => {
      note(one, clock.now());
      PAGES[page].heard?.(one, redraw);
      redraw();
    },
    state: (now) => {
      clock.set(now.status.now_ms);
      Object.assign(seen, now, { told: performance.now() });
      redraw();
    },
    live: (how) => {
      seen.live = how;
      redraw();
    },
    out: () => leave("This token is good no more."),
  });
  done(() => hub?.again());
  await hub.open();
  turn();
}

function leave(fault = "") {
  PAGES[page].leave?.();
  hub?.close();
  hub = null;
  if (typeof fault === "string") forget();
  else tabs.leave();
  Object.assign(seen, { person: null, status: null, alerts: [], actions: [], exposures: [] });
  mark(false);
  document.body.classList.add("outside");
  for (const one of [place.head, place.nav, place.feed]) one.replaceChildren();
  place.page.replaceChildren(form(enter, typeof fault === "string" ? fault : ""));
  document.getElementById("token").focus();
}

// j and k walk from card to card
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey || !["j", "k"].includes(event.key)) return;
  const cards = [...document.querySelectorAll(".card")];
  const at = cards.indexOf(document.activeElement?.closest(".card"));
  const to = cards[Math.max(0, Math.min(cards.length - 1, at + (event.key === "j" ? 1 : -1)))];
  to?.focus();
  to?.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
});

clock.start();
addEventListener("hashchange", turn);
document.addEventListener("visibilitychange", redraw);
narrow.addEventListener("change", redraw);
tabs.lend(() => leave("Signed out in another tab."));
me().then((person) => (person ? enter(person) : leave("")), (error) => leave(`${error.message}${error.cure ? `; ${error.cure}` : ""}`));
