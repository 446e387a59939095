// Sign in with a token, or with the address of one that is good for one sign-in: it is spent and struck from the bar.

import { Refused, forget, get, keep, signIn, token } from "./api.js";
import { el } from "./dom.js";
import { borrowed } from "./tabs.js";

export async function me() {
  const once = new URLSearchParams(location.hash.slice(1)).get("once");
  if (once) {
    history.replaceState(null, "", "/#/now");
    try {
      keep((await signIn(once)).token);
    } catch (error) {
      if (!(error instanceof Refused) || !token()) throw error;
    }
  }
  await borrowed();
  if (!token()) return null;
  try {
    return await get("/v1/me");
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      forget();
      return null;
    }
    throw error;
  }
}

export function form(entered, fault = "") {
  const field = el("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true, placeholder: "tocsin_…", "aria-describedby": "token-help" });
  const told = el("p", { class: "fault", role: "alert" }, fault);
  const submit = async (event) => {
    event.preventDefault();
    told.textContent = "";
    try {
      const person = await get("/v1/me", field.value.trim());
      keep(field.value.trim());
      entered(person);
    } catch (error) {
      told.textContent = `${error.message}${error.cure ? `; ${error.cure}` : ""}`;
      field.select();
    }
  };
  return el(
    "form",
    { class: "sign-in", on: { submit } },
    el("img", { src: "/bell.svg", alt: "", width: 56, height: 56 }),
    el("h2", {}, "Who is there?"),
    el("label", { for: "token" }, "Your token"),
    field,
    el("button", { type: "submit", class: "primary" }, "Sign in"),
    told,
    el("p", { id: "token-help", class: "dim" }, "The node's owner makes one: ", el("code", {}, "tocsin person add NAME --role viewer"), ". It stays in the tabs of this page and goes with the last of them."),
  );
}
