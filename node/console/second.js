// Where the policy wants two people: who asked to end it, until when, and the buttons of the asker and of the second.

import { el } from "./dom.js";
import { press } from "./press.js";

export function waiting(one) {
  if (!one.asked) return "";
  const what = one.asked.what === "lift" ? "to lift it" : "to say that it is over";
  return el(
    "p",
    { class: "notice waiting", role: "status" },
    el("strong", {}, `${one.asked.person} asks ${what}`),
    "; it needs a second person, within ",
    el("span", { "data-until": one.asked.until_ms }, "…"),
  );
}

export function ending(one, id, label, path, may) {
  if (!one.asked) return [press(id, may.people > 1 ? `${label}: ask, first of two` : label, path)];
  const mine = one.asked.person.toLowerCase() === may.person?.toLowerCase();
  const back = press(`${id}-back`, "Take back", path, "", { take_back: true });
  return mine ? [back] : [press(`${id}-second`, `${label}, as the second person`, path), back];
}
