// Names and figures for people. What is not known is said to be so; nothing is made up.

export const LEVELS = ["WATCH", "GUARD", "ISOLATE", "HALT"];
export const rank = (level) => LEVELS.indexOf(level);

export const capital = (text) => String(text ?? "").charAt(0).toUpperCase() + String(text ?? "").slice(1);
export const sentence = (word) => capital(String(word ?? "").replaceAll("-", " ").replaceAll("_", " "));

export function usd(amount) {
  if (typeof amount !== "number" || !Number.isFinite(amount)) return null;
  const [size, unit] = amount >= 1e9 ? [1e9, " B"] : amount >= 1e6 ? [1e6, " M"] : amount >= 1e4 ? [1e3, " k"] : [1, ""];
  return `$${(amount / size).toLocaleString("en", { maximumFractionDigits: size === 1 ? 0 : 1 })}${unit}`;
}

export const share = (one) => (typeof one === "number" ? `${(one * 100).toFixed(1)} %` : null);

// A subject's chain and thing apart, so that the part which names it can be seen whole or shortened in the middle.
export function subject(text) {
  const whole = String(text);
  const at = whole.search(/0x[0-9a-fA-F]{16,}/);
  if (at < 0) return { head: whole, tail: "" };
  return { head: whole.slice(0, at), tail: whole.slice(at) };
}

export const short = (hex, most = 14) => (hex.length <= most ? hex : `${hex.slice(0, most - 5)}…${hex.slice(-4)}`);

export function time(ms) {
  const at = new Date(ms);
  return at.toLocaleTimeString("en-GB", { hour12: false });
}

export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [h, m, r] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), s % 60];
  const two = (one) => String(one).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(r)}` : `${m}:${two(r)}`;
}
