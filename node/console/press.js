// A button that does something for real: the first press asks, the second within five seconds does it.

import { command } from "./api.js";
import { el } from "./dom.js";

const ARMED_MS = 5000;
let after = () => {};
export const done = (does) => {
  after = does;
};

export function press(id, label, path, kind = "", body = {}) {
  let armed = 0;
  const button = el("button", { id, type: "button", class: kind }, label);
  const calm = () => {
    armed = 0;
    button.textContent = label;
    button.classList.remove("armed");
  };
  button.addEventListener("click", async () => {
    if (Date.now() > armed) {
      armed = Date.now() + ARMED_MS;
      button.textContent = `Press again: ${label.toLowerCase()}`;
      button.classList.add("armed");
      setTimeout(() => Date.now() >= armed && calm(), ARMED_MS + 50);
      return;
    }
    calm();
    button.disabled = true;
    try {
      const told = await command(path, body);
      say(`${label}: ${told.says}`);
      after();
    } catch (error) {
      say(`${label}: ${error.message}${error.cure ? `; ${error.cure}` : ""}`, true);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

let quiet;
export function say(text, bad = false) {
  const place = document.getElementById("said");
  place.textContent = text;
  place.classList.toggle("bad", bad);
  place.classList.add("shown");
  clearTimeout(quiet);
  quiet = setTimeout(() => place.classList.remove("shown"), 8000);
}
