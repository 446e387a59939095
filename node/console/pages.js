// Which pages there are, which one the address names, and the way between them.

import { el, fill } from "./dom.js";
import * as exposure from "./exposure.js";
import * as governance from "./governance.js";
import * as history from "./history.js";
import * as levers from "./levers.js";
import * as network from "./network.js";
import * as now from "./now.js";
import * as policy from "./policy.js";
import { rank } from "./words.js";

export const PAGES = { now, network, exposure, levers, history, policy, governance };

export function wanted() {
  const named = location.hash.replace(/^#\//, "");
  return Object.hasOwn(PAGES, named) ? named : "now";
}

// What deserves a look on another page stands as a number beside its name.
function badge(name, seen) {
  if (name === "now") return seen.alerts.filter((one) => rank(one.level) >= 0).length;
  if (name === "network") return seen.status.quorum.silent.length;
  if (name === "levers") return seen.actions.filter((one) => one.phase === "asked" || one.phase === "escalated").length;
  return 0;
}

const MEANS = { now: "alarms", network: "silent", levers: "waiting for a person" };

export function nav(place, page, seen) {
  const links = Object.entries(PAGES).map(([name, one]) => {
    const count = badge(name, seen);
    return {
      key: name,
      says: [name === page, count],
      make: () =>
        el(
          "a",
          { href: `#/${name}`, id: `to-${name}`, "aria-current": name === page ? "page" : null },
          one.title,
          count ? el("span", { class: `badge ${name}`, "aria-label": `${count} ${MEANS[name]}` }, count.toLocaleString("en")) : "",
        ),
    };
  });
  fill(place, links);
}
