// The links of this node as a picture: itself in the middle, the others around it. The table beside it says the same.

import { el, plain } from "./dom.js";
import { short } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
export const narrow = matchMedia("(max-width: 640px)");

export function svg(name, given = {}, ...children) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(given)) if (value !== null && value !== undefined) made.setAttribute(key, plain(String(value)));
  made.append(...children.flat().filter((one) => one !== "").map(plain));
  return made;
}

export function map(links, quorum) {
  const others = links.filter((one) => !one.me);
  const me = links.find((one) => one.me);
  const [wide, high] = narrow.matches ? [400, 440] : [760, 420];
  const [cx, cy] = [wide / 2, high / 2];
  const at = others.map((_, index) => {
    const angle = (index / others.length) * 2 * Math.PI - Math.PI / 2;
    return [cx + Math.cos(angle) * (cx - 110), cy + Math.sin(angle) * (cy - 52)];
  });
  const dense = others.length > 24;
  return el(
    "section",
    { class: "sheet map-sheet" },
    svg(
      "svg",
      { viewBox: `0 0 ${wide} ${high}`, class: "map", role: "img", "aria-label": `${quorum.hears} of ${quorum.n} groups heard${quorum.silent.length ? `; silent: ${quorum.silent.join(", ")}` : ""}` },
      others.map((one, index) => link(one, [cx, cy], at[index], dense)),
      others.map((one, index) => member(one, at[index], [cx, cy], dense)),
      me ? member(me, [cx, cy], [cx, cy], false) : "",
    ),
    el("p", { class: "legend dim" }, key("up", "heard, with the round trip"), key("down", "silent"), key("loud", "has an alarm standing")),
  );
}

export const key = (kind, text) => el("span", {}, el("i", { class: `key ${kind}`, "aria-hidden": "true" }), text);

function link(one, [x1, y1], [x2, y2], dense) {
  const line = svg("line", { x1, y1, x2, y2, class: `link ${one.up ? "up" : "down"}` });
  if (dense || !one.up || one.rtt_ms === null) return line;
  const [x, y] = [x1 + (x2 - x1) * 0.56, y1 + (y2 - y1) * 0.56];
  const text = `${one.rtt_ms < 10 ? one.rtt_ms.toFixed(1) : Math.round(one.rtt_ms)} ms`;
  return svg("g", {}, line, svg("text", { x, y, class: "link-text" }, text));
}

function member(one, [x, y], [cx, cy], dense) {
  const level = one.level ? ` loud ${one.level.toLowerCase()}` : "";
  const side = one.me || Math.abs(x - cx) < 8 ? 0 : Math.sign(x - cx);
  const anchor = side === 0 ? "middle" : side > 0 ? "start" : "end";
  const radius = one.me ? 15 : dense ? 5 : 10;
  const label = svg("text", { x: x + side * (radius + 9), y: side === 0 ? (one.me ? y + 33 : y < cy ? y - radius - 9 : y + radius + 19) : y + 5, "text-anchor": anchor, class: "member-text" }, short(one.name, narrow.matches ? 12 : 22));
  return svg("g", { class: `member ${one.up ? "up" : "down"}${one.me ? " me" : ""}${level}` }, svg("title", {}, `${one.name}, group ${one.group}`), svg("circle", { cx: x, cy: y, r: radius }), dense && one.up && !one.level ? "" : label);
}
