// No alarm: say what is being watched, and what to do next so that a real one finds this node ready.

import { el } from "./dom.js";

export function empty(status, exposures, levers) {
  const next = [];
  const down = status.quorum.silent;
  if (down.length) next.push(["Find out why members are silent", down.slice(0, 6).join(", "), "tocsin status"]);
  if (!status.sensors.length) next.push(["Give it eyes", "This node has no sensor of its own; it hears the others alone.", "tocsin config check"]);
  if (!exposures.length) next.push(["Say what you hold", "The policy names no exposure, so no loss can be weighed.", "tocsin policy check"]);
  if (status.mode === "observe") next.push(["Lend it a lever", "The policy is on observe: it decides, tells, and moves nothing.", "tocsin lever list"]);
  next.push(["Rehearse", "An incident on seven real nodes on this machine, and what it saved.", "tocsin testnet"]);
  return el(
    "section",
    { class: "empty" },
    el("h2", {}, "All quiet"),
    el("p", {}, `${status.quorum.hears} of ${status.quorum.n} groups are heard${status.sensors.length ? `, ${status.sensors.length} own sensor${status.sensors.length > 1 ? "s look" : " looks"}` : ""}. No alarm stands${levers ? `; ${levers} lever${levers > 1 ? "s" : ""} still hold` : ""}.`),
    el("h3", {}, "What to do next"),
    el("ul", { class: "next" }, next.slice(0, 4).map(([what, why, how]) => el("li", {}, el("strong", {}, what), el("span", { class: "dim" }, why), el("code", {}, how)))),
  );
}
