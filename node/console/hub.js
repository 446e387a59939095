// One stream and one reader of the state for all tabs of one person: the tab that was looked at last leads, the others
// hear it. A tab that goes is followed by the next one, which resumes at the last id that all of them heard.

import { get, Refused, token } from "./api.js";
import { Stream } from "./stream.js";

const LEAST_MS = 150;
const CALM_MS = 5000;
const BACK = 400;
const KEPT = 200;
const DULL = new Set(["heartbeat", "manifest", "hello", "resume"]);

export class Hub {
  // `early`: a first reading that is under way.
  constructor({ heard, state, live, out, early = null }) {
    Object.assign(this, { heard, state, live, out, early });
    this.leads = false;
    this.closed = false;
    this.now = null;
    this.at = null;
    this.recent = [];
    this.how = "broken";
    this.lastRead = 0;
    this.took = 0;
  }

  async open() {
    const name = await whose(token());
    this.wake = () => document.visibilityState === "visible" && !this.leads && this.lead(true);
    document.addEventListener("visibilitychange", this.wake);
    addEventListener("focus", this.wake);
    this.beat = setInterval(() => this.leads && this.read(), CALM_MS);
    if (!name) return this.begin();
    this.name = name;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => this.told(data);
    this.channel.postMessage({ kind: "hello" });
    this.lead(document.visibilityState === "visible");
  }

  // A stolen lock ends the leading of whoever held it; that one queues for it again.
  lead(steal) {
    const held = () => this.closed || this.begin().then(() => new Promise((go) => (this.release = go)));
    const lost = () => {
      if (!steal) this.queued = false;
      if (this.closed) return;
      this.yield();
      this.lead(false);
    };
    if (!steal) {
      if (this.queued) return;
      this.queued = true;
    }
    navigator.locks.request(this.name, steal ? { steal: true } : {}, held).catch(lost);
  }

  async begin() {
    this.leads = true;
    this.stream = new Stream({
      heard: (one) => this.event(one),
      state: (how) => (how === "out" ? this.out() : this.share("live", how)),
    });
    await this.read();
    if (this.closed || !this.leads) return;
    this.stream.run(this.at ?? Math.max(0, (this.now?.status.position ?? 0) - BACK));
  }

  yield() {
    this.leads = false;
    this.stream?.close();
  }

  close() {
    this.closed = true;
    this.yield();
    this.release?.();
    this.channel?.close();
    clearInterval(this.beat);
    clearTimeout(this.due);
    document.removeEventListener("visibilitychange", this.wake);
    removeEventListener("focus", this.wake);
  }

  event(one) {
    this.share("event", one);
    if (!DULL.has(one.kind)) this.soon();
  }

  // At once where the last reading was a while ago: what happened is to be seen within a blink.
  soon() {
    if (this.due) return;
    const wait = this.lastRead + Math.max(LEAST_MS, 3 * this.took) - performance.now();
    if (wait <= 0 && !this.reading) return this.read();
    this.due = setTimeout(() => {
      this.due = null;
      if (this.reading) this.soon();
      else this.read();
    }, Math.max(20, wait));
  }

  async read() {
    if (this.reading || this.closed) return;
    this.reading = true;
    const began = performance.now();
    try {
      const early = await this.early;
      this.early = null;
      this.share("state", early ?? (await get("/v1/now")));
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.out();
    } finally {
      this.lastRead = performance.now();
      this.took = this.lastRead - began;
      this.reading = false;
    }
  }

  share(kind, what) {
    if (this.closed) return;
    this.told({ kind, what });
    this.channel?.postMessage({ kind, what });
  }

  told({ kind, what }) {
    if (this.closed) return;
    if (kind === "event") {
      // a store of another life begins anew below where the last one was
      if (what.position) this.at = what.kind === "reset" ? what.position : Math.max(this.at ?? 0, what.position);
      this.recent.push(what);
      if (this.recent.length > KEPT) this.recent.splice(0, this.recent.length - KEPT);
      this.heard(what);
    } else if (kind === "state") {
      this.now = what;
      this.state(what);
    } else if (kind === "live") {
      this.how = what;
      this.live(what);
    } else if (kind === "hello" && this.leads) {
      this.channel.postMessage({ kind: "all", what: { now: this.now, recent: this.recent, at: this.at, how: this.how } });
    } else if (kind === "all" && !this.leads && this.now === null && what.now) {
      this.at = what.at;
      for (const one of what.recent) this.heard(one);
      this.recent = what.recent;
      this.told({ kind: "live", what: what.how });
      this.told({ kind: "state", what: what.now });
    } else if (kind === "read" && this.leads) this.soon();
  }

  // After a deed of ours, in whichever tab it was done.
  again() {
    if (this.leads) this.soon();
    else this.channel?.postMessage({ kind: "read" });
  }
}

// Tabs of two people never share: the name is a digest of the token. "" where a browser has no locks here.
async function whose(one) {
  if (!navigator.locks || !crypto.subtle || !one) return "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`tabs ${one}`));
  return `tocsin-${[...new Uint8Array(digest.slice(0, 12))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}
