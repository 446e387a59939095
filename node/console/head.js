// Whose node this is, whether it may sign, whom it hears; and whether this page is live.

import { el } from "./dom.js";
import { time } from "./words.js";

const LIVE = { live: "live", broken: "reconnecting…", out: "signed out" };

export function head(status, me, live, leave) {
  const quorum = status?.quorum ?? {};
  const signing = status?.signing ?? {};
  return el(
    "div",
    { class: "head-row" },
    el("img", { src: status?.exercise ? "/drill.svg" : "/bell.svg", alt: "", width: 30, height: 30 }),
    el("span", { class: "brand" }, "Tocsin"),
    status ? el("span", { class: "whose" }, el("strong", {}, status.member), el("span", { class: "dim" }, ` ${status.network_name || status.network.slice(0, 12)} · epoch ${status.epoch.number}`)) : "",
    el("span", { class: "grow" }),
    status ? pill(signing.may ? "good" : "bad", signing.may ? "signs" : "signs nothing", signing.why || signing.warning || "") : "",
    status ? pill(quorum.blind ? "bad" : "good", `hears ${quorum.hears} of ${quorum.n}`, quorum.says, `needs ${quorum.needed}`) : "",
    status ? pill("", `${status.mode}`, "What the policy may do by itself") : "",
    pill(live === "live" ? "good" : "bad", LIVE[live] ?? live, "This page"),
    me ? el("button", { id: "leave", type: "button", class: "quiet", title: "Sign out", "aria-label": `${me.person} · ${me.role}: sign out`, on: { click: leave } }, `${me.person} · ${me.role}`) : "",
  );
}

const pill = (kind, text, title, more) => el("span", { class: `pill ${kind}`, title }, text, more ? el("span", { class: "dim" }, ` · ${more}`) : "");

// Of a drill network: from edge to edge, above all else, on every page.
export const exercise = () =>
  el("p", { class: "exercise-banner", role: "status" }, el("strong", {}, "EXERCISE"), " This is no alarm. Levers are planned and simulated here, and never pulled.");

// `cut`: the node does not answer, so all of this is as it was.
export function warnings(status, cut) {
  const found = [];
  if (!status) return found;
  if (cut) found.push(["bad", "This is not live", `The node does not answer; everything here is as it was at ${time(status.now_ms)}. The node itself may be well: tocsin status`]);
  if (!status.signing.may) found.push(["bad", "This node signs nothing", status.signing.why]);
  if (status.quorum.blind) found.push(["bad", "Blind: no ISOLATE or HALT can form", status.quorum.says]);
  for (const one of status.escalated) found.push(["bad", `${one.lever} needs a person`, one.says]);
  for (const one of status.chains.filter((chain) => !chain.ok && chain.says !== "not asked yet")) found.push(["", `Connection ${one.id} is down`, one.says]);
  return found.slice(0, 6);
}
