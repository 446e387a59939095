// A fresh tab asks the tabs beside it, which are pages of this same node, whether somebody is signed in there.

import { forget, keep, token } from "./api.js";

const WAIT_MS = 200;
const door = "BroadcastChannel" in window ? new BroadcastChannel("tocsin-door") : null;

export function borrowed() {
  if (!door || token()) return Promise.resolve();
  return new Promise((go) => {
    const done = () => {
      door.removeEventListener("message", hear);
      go();
    };
    const hear = ({ data }) => {
      if (typeof data?.token !== "string" || token()) return;
      keep(data.token);
      done();
    };
    door.addEventListener("message", hear);
    door.postMessage({ ask: true });
    setTimeout(done, WAIT_MS);
  });
}

// `out`: somebody signed out in another tab.
export function lend(out) {
  door?.addEventListener("message", ({ data }) => {
    if (data?.ask && token()) door.postMessage({ token: token() });
    else if (data?.gone && data.gone === token()) out();
  });
}

export function leave() {
  const one = token();
  forget();
  if (one) door?.postMessage({ gone: one });
}
