#!/usr/bin/env node
// A lever in JavaScript: one switch of an application's settings is turned off, and back to what stood.
//
//   command = ["/usr/bin/node", "/opt/tocsin/feature_switch.mjs", "/srv/shop/settings.json", "withdrawals"]
//   memory_mib = 4096    # Node.js asks for much more address space than it uses
//
// The settings are a JSON object; what stood before, and which keys acted, is kept beside them in SETTINGS.tocsin, which
// is written first: killed between the two, an undo finds a switch that is not off, or that it asks people about.
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";

const [settings, name] = process.argv.slice(2);
const journal = `${settings}.tocsin`;

function read(file, none) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (broken) {
    if (broken.code === "ENOENT" && none !== undefined) return none;
    throw broken;
  }
}

function write(file, value) {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 1)}\n`, { mode: 0o644, flush: true });
  renameSync(`${file}.new`, file);
}

// Which writing of the settings this is: whoever writes them after us, with the switch off, may want it off.
function version() {
  const { ino, mtimeNs } = statSync(settings, { bigint: true });
  return `${ino}:${mtimeNs}`;
}

const steps = {
  plan({ off }) {
    return { ok: true, says: `${name} would be turned off`, already: off };
  },
  simulate({ all }) {
    if (!(name in all)) return { ok: false, says: `${name} is no switch of ${settings}` };
    return { ok: true, says: `${name} can be turned off` };
  },
  apply({ all, off, kept }, { action_key: key, until_ms: until }) {
    if (kept.keys[key] !== undefined && (kept.keys[key] === "ended" || kept.keys[key] >= until)) {
      return { ok: true, says: "done before under this key" };
    }
    kept.keys[key] = until;
    if (!off) kept.stood = { value: all[name] };
    write(journal, kept);
    if (!off) {
      write(settings, { ...all, [name]: false });
      kept.stood.version = version();
      write(journal, kept);
    }
    return { ok: true, says: off ? `${name} is off already` : `${name} is turned off`, reference: settings };
  },
  read_back({ off }, { until_ms: until }) {
    if (off) return { ok: true, says: `${name} is off`, until_ms: until };
    return { ok: false, says: `${name} is not off`, retryable: true };
  },
  undo({ all, off, kept }, { action_key: key }) {
    const { stood } = kept;
    kept.keys[key] = "ended";
    if (stood && off && stood.version !== version()) {
      write(journal, kept);
      return { ok: false, says: `somebody wrote ${settings} since, and may want ${name} off: look, and turn it on by hand` };
    }
    delete kept.stood;
    if (stood && off) write(settings, { ...all, [name]: stood.value });
    write(journal, kept);
    if (!stood) return { ok: true, says: "nothing of ours stands here" };
    return { ok: true, says: off ? `${name} is as it was` : `left alone: somebody turned ${name} on meanwhile` };
  },
  beyond() {
    return { ok: true, says: "it may write all settings, and tries nothing", tried: 0 };
  },
};

function answer(line) {
  const asked = JSON.parse(line);
  const step = Object.hasOwn(steps, asked.do) ? steps[asked.do] : undefined;
  if (asked.v !== 1 || !step) return { ok: false, says: "this request is not known here" };
  const all = read(settings);
  return step({ all, off: all[name] === false, kept: read(journal, { keys: {} }) }, asked);
}

let said;
try {
  said = answer(readFileSync(0, "utf8").split("\n")[0]);
} catch (broken) {
  said = { ok: false, says: String(broken.message).slice(0, 300), retryable: true, answered: false };
}
process.stdout.write(`${JSON.stringify({ v: 1, ...said })}\n`);
