// Figures with their units and where they come from, and tables that a phone can read.

import { el } from "./dom.js";

export function figure(name, value, unit = "", from = "", kind = "") {
  return el(
    "div",
    { class: `fact ${kind}` },
    el("dt", {}, name),
    el("dd", {}, el("span", { class: value === null ? "figure unknown" : "figure" }, value ?? "not known"), value !== null && unit ? el("span", { class: "unit" }, ` ${unit}`) : "", from ? el("span", { class: "from" }, from) : ""),
  );
}

export const facts = (...found) => el("dl", { class: "facts" }, found);

// `rows`: arrays of what stands in each column; on a phone each cell says its column's name.
export function table(caption, columns, rows, classes = () => "") {
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, columns.map((one) => el("th", { scope: "col" }, one)))),
      el("tbody", {}, rows.map((row, at) => el("tr", { class: classes(at) || null }, row.map((cell, column) => (column ? el("td", { "data-name": columns[column] }, cell) : el("th", { scope: "row" }, cell)))))),
    ),
  );
}

export const chips = (words, none = "nothing", kind = "") => (words.length ? el("span", { class: "chips" }, words.map((one) => el("span", { class: `tag ${kind}` }, one))) : el("span", { class: "dim" }, none));

export function duration(ms) {
  if (typeof ms !== "number") return "not known";
  const [size, unit] = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"]].find(([one]) => ms >= one) ?? [1, "ms"];
  return `${(ms / size).toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}

export function date(ms) {
  return ms ? `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC` : "never";
}
