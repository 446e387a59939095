// The node's events over fetch: EventSource could send no header. It resumes where it was, by the last id it heard.

import { token } from "./api.js";

const BACKOFF_MS = [300, 700, 1500, 3000, 5000];
const SILENT_MS = 30000;

export class Stream {
  constructor({ heard, state }) {
    this.heard = heard;
    this.state = state;
    this.last = null;
    this.failures = 0;
    this.closed = false;
  }

  async run(from) {
    this.last = from;
    while (!this.closed) {
      try {
        await this.once();
        this.failures = 0;
      } catch (error) {
        if (this.closed) return;
        if (error.status === 401) {
          this.state("out");
          return;
        }
      }
      if (this.closed) return;
      this.state("broken");
      await new Promise((go) => setTimeout(go, BACKOFF_MS[Math.min(this.failures++, BACKOFF_MS.length - 1)]));
    }
  }

  close() {
    this.closed = true;
    this.abort?.abort();
  }

  async once() {
    this.abort = new AbortController();
    const headers = { accept: "text/event-stream", authorization: `Bearer ${token()}` };
    if (this.last !== null) headers["last-event-id"] = String(this.last);
    const answer = await fetch("/v1/events", { headers, signal: this.abort.signal, cache: "no-store", credentials: "omit" });
    if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status });
    this.state("live");
    this.failures = 0;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = "";
    for (;;) {
      const timer = setTimeout(() => this.abort.abort(), SILENT_MS);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      held += value;
      const blocks = held.split("\n\n");
      held = blocks.pop();
      for (const block of blocks) this.take(block);
    }
  }

  take(block) {
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) this.last = Number(line.slice(4));
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.heard(JSON.parse(data));
  }
}
