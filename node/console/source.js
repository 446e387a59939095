// What one page reads for itself: at its opening, when something happened that it names, and now and then.

import { get } from "./api.js";
import { el } from "./dom.js";

const LEAST_MS = 600;
const CALM_MS = 10000;

export function source(path, kinds = [], calmMs = CALM_MS) {
  const one = { data: null, fault: "", enter, heard, leave, state };
  const wanted = new Set(kinds);
  let redraw = () => {};
  let due = null;
  let beat = null;
  let last = 0;

  async function load() {
    due = null;
    last = performance.now();
    try {
      one.data = await get(path);
      one.fault = "";
    } catch (error) {
      one.fault = `${error.message}${error.cure ? `; ${error.cure}` : ""}`;
    }
    redraw();
  }

  function enter(redraws) {
    redraw = redraws;
    clearInterval(beat);
    beat = setInterval(() => document.visibilityState === "visible" && load(), calmMs);
    load();
  }

  function heard(event) {
    if (wanted.has(event.kind)) due ??= setTimeout(load, Math.max(0, last + LEAST_MS - performance.now()));
  }

  function leave() {
    clearInterval(beat);
    clearTimeout(due);
    due = null;
    redraw = () => {};
  }

  // What stands in the page's place until there is something to draw. What was read once stays; the frame says how old.
  function state() {
    if (one.fault && one.data === null) return { key: "fault", says: one.fault, make: () => el("p", { class: "notice bad", role: "alert" }, el("strong", {}, "This could not be read. "), one.fault) };
    return one.data === null ? { key: "reading", says: "", make: () => el("p", { class: "dim" }, "Reading…") } : null;
  }

  return one;
}
