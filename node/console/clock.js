// The node's clock, not this screen's: leases are counted against what the node says the time is.

import { span } from "./words.js";

let ahead = 0;

export const set = (nodeMs) => {
  ahead = nodeMs - Date.now();
};
export const now = () => Date.now() + ahead;

// Every element with data-until counts down; with data-since it counts up. One timer for all of them.
function tick() {
  for (const one of document.querySelectorAll("[data-until]")) {
    const left = Number(one.dataset.until) - now();
    const text = left > 0 ? span(left) : "ended";
    if (one.textContent !== text) one.textContent = text;
    one.classList.toggle("soon", left > 0 && left < 60000);
  }
  for (const one of document.querySelectorAll("[data-lease]")) {
    const left = (Number(one.dataset.end) - now()) / Number(one.dataset.lease);
    one.style.setProperty("--left", String(Math.max(0, Math.min(1, left))));
  }
  for (const one of document.querySelectorAll("[data-since]")) {
    const text = `${span(now() - Number(one.dataset.since))} ago`;
    if (one.textContent !== text) one.textContent = text;
  }
  for (const one of document.querySelectorAll("[data-for]")) {
    const text = span(now() - Number(one.dataset.for));
    if (one.textContent !== text) one.textContent = text;
  }
}

export function start() {
  setInterval(tick, 500);
}
export { tick };
