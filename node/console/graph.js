// The exposure as a drawing: assets, what we hold, ways out, levers, from left to right.

import { el, plain } from "./dom.js";
import { narrow } from "./map.js";
import { rank, usd } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
let drawn = null;

export function graph(reached, words) {
  const place = el("div", { class: "graph", role: "img", "aria-label": words });
  place.elements = elements(reached);
  const most = (axis) => Math.max(...place.elements.map((one) => one.position?.[axis] ?? 0));
  const shrunk = Math.min(1, (innerWidth - 70) / (most("x") + 130));
  place.style.height = `${Math.max(150, (most("y") + 110) * shrunk)}px`;
  return place;
}

// The library is fetched once the page is looked at; it draws in the place that stands there by then.
export async function mount() {
  const place = document.querySelector(".graph");
  if (!place || place.mounted) return;
  place.mounted = true;
  const { default: cytoscape } = await import("./cytoscape.js");
  if (!place.isConnected) return;
  drawn?.destroy();
  drawn = cytoscape({ container: place, elements: place.elements, style: styles(), layout: { name: "preset", padding: 24 }, userZoomingEnabled: false, autoungrabify: true, boxSelectionEnabled: false, minZoom: 0.3, maxZoom: 1.3 });
  place.drawing = drawn;
}

dark.addEventListener("change", () => drawn?.style(styles()));
addEventListener("resize", () => drawn?.fit(undefined, 24));

// A row for each way out; what leads to several stands in their middle.
function elements(reached) {
  const found = [];
  const rows = new Map();
  let row = 0;
  for (const one of reached.exposures) {
    const first = row;
    const loud = rank(one.level) >= 0 ? ` loud ${one.level}` : "";
    for (const way of one.ways.length ? one.ways : [null]) {
      if (way) {
        const id = `way ${one.name} ${way.name}`;
        found.push(node(id, way.name, 2, row, `way ${way.shut ? "shut" : "open"}`), edge(`held ${one.name}`, id, loud && !way.shut ? loud : way.shut ? "closed" : ""));
        way.levers.forEach((lever, at) => {
          const from = `lever ${one.name} ${lever.name} ${way.name}`;
          found.push(node(from, lever.name, 3 + at * 0.7, row, `lever${lever.holds ? " pulled" : ""}`), edge(from, id, "pull"));
        });
      }
      row += 1;
    }
    const middle = (first + row - 1) / 2;
    found.push(node(`held ${one.name}`, `${one.name}\n${usd(one.usd) ?? "not computed"}`, 1, middle, `held${loud}`));
    const from = one.behind ? `held ${one.behind}` : `asset ${one.asset}`;
    found.push(edge(from, `held ${one.name}`, loud));
    if (!one.behind) rows.set(one.asset, [...(rows.get(one.asset) ?? []), middle]);
  }
  for (const one of reached.assets) {
    const at = rows.get(one.name);
    if (!at) continue;
    found.push(node(`asset ${one.name}`, one.name, 0, at.reduce((sum, y) => sum + y, 0) / at.length, `asset${rank(one.level) >= 0 ? ` loud ${one.level}` : ""}`));
  }
  const known = new Set(found.filter((one) => one.position).map((one) => one.data.id));
  return found.filter((one) => one.position || (known.has(one.data.source) && known.has(one.data.target)));
}

// The same from left to right on a phone, where everything is narrower.
const node = (id, label, column, row, classes) => ({ data: { id, label: plain(label) }, position: { x: column * (narrow.matches ? 102 : 250), y: row * (narrow.matches ? 58 : 74) }, classes });
const edge = (source, target, classes) => ({ data: { id: `${source} > ${target}`, source, target }, classes });

function styles() {
  const of = getComputedStyle(document.documentElement);
  const colour = (name) => of.getPropertyValue(`--${name}`).trim();
  const size = narrow.matches ? 0.56 : 1;
  const box = { shape: "round-rectangle", width: 150 * size, height: narrow.matches ? 38 : 46, label: "data(label)", "text-wrap": "wrap", "text-max-width": 138 * size, "text-valign": "center", "text-halign": "center", "font-family": of.fontFamily, "font-size": narrow.matches ? 11 : 14, color: colour("ink"), "background-color": colour("well"), "border-width": 1.5, "border-color": colour("line") };
  const levels = ["WATCH", "GUARD", "ISOLATE", "HALT"].flatMap((one) => [
    { selector: `node.${one}`, style: { "border-color": colour(one.toLowerCase()), "border-width": 3 } },
    { selector: `edge.${one}`, style: { "line-color": colour(one.toLowerCase()), "target-arrow-color": colour(one.toLowerCase()), width: 3.5 } },
  ]);
  return [
    { selector: "node", style: box },
    { selector: "node.asset", style: { shape: "ellipse", height: 56 } },
    { selector: "node.way", style: { width: 110 * size, height: 34, "border-color": colour("good") } },
    { selector: "node.way.shut", style: { "border-color": colour("halt"), "border-style": "dashed" } },
    { selector: "node.lever", style: { width: 110 * size, height: 32, shape: "cut-rectangle" } },
    { selector: "node.lever.pulled", style: { "background-color": colour("halt"), color: colour("paper") } },
    { selector: "edge", style: { width: 1.8, "line-color": colour("soft"), "target-arrow-color": colour("soft"), "target-arrow-shape": "triangle", "curve-style": "taxi", "taxi-direction": "rightward", "taxi-turn": "50%" } },
    { selector: "edge.pull", style: { "line-style": "dashed", "curve-style": "straight", "target-arrow-shape": "tee" } },
    { selector: "edge.closed", style: { "line-style": "dashed" } },
    ...levels,
  ];
}
