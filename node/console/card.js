// One alarm: what is claimed, by whom, who re-ran the evidence, what is at stake here, what was done, when it ends.

import { action } from "./action.js";
import { get } from "./api.js";
import { el } from "./dom.js";
import { ladder } from "./ladder.js";
import { press } from "./press.js";
import { quorum } from "./quorum.js";
import { ending, waiting } from "./second.js";
import { rank, sentence, share, short, subject, time, usd } from "./words.js";

const VERDICT = { supports: "it holds", refuted: "it does not hold", undecided: "it could not be told" };
const OWN = {
  none: "We have not checked it ourselves",
  observed: "Our own sensor sees it",
  verified: "Our own check agrees",
  contradicted: "Our own check contradicts it",
  unable: "Our own check could not tell",
};

// `restricted`: a lever of ours holds on this subject, whichever alarm pulled it. What waits for a person comes first.
export function card(alert, actions, exposures, status, may, restricted) {
  const { head, tail } = subject(alert.subject);
  const waits = actions.some((one) => one.phase === "asked" || one.phase === "escalated");
  const since = Math.min(...alert.opinions.map((one) => one.since_ms));
  return el(
    "article",
    { class: `card ${alert.level.toLowerCase()}`, tabindex: "-1", "aria-label": `${alert.level}: ${sentence(alert.threat)}` },
    el(
      "header",
      { class: "card-head" },
      el("span", { class: `level ${alert.level.toLowerCase()}` }, alert.level === "NONE" ? "no level" : alert.level),
      el("h2", {}, sentence(alert.threat)),
      Number.isFinite(since) ? el("span", { class: "dim since", "data-since": since }, "…") : "",
      el("p", { class: "subject", title: alert.subject }, el("span", { class: "dim" }, head), el("code", {}, tail)),
    ),
    ladder(alert),
    waits ? done(actions, may) : "",
    el("div", { class: "parts" }, quorum(alert, status), el("div", { class: "stack" }, evidence(alert, may), exposure(alert, exposures), costs())),
    waits ? "" : done(actions, may),
    words(alert, restricted),
    foot(alert, may),
  );
}

function evidence(alert, may) {
  const claims = new Map();
  for (const one of alert.opinions) for (const claim of one.claims) claims.set(claim.id, claim.type);
  const listed = [...claims].slice(0, 4);
  return el(
    "section",
    { class: "part" },
    el("h3", {}, "Evidence"),
    el("p", { class: `own ${alert.own.verdict}` }, rank(alert.level) < 0 ? "Nobody's word stands any more" : (OWN[alert.own.verdict] ?? sentence(alert.own.verdict))),
    alert.own.why ? el("p", { class: "why" }, alert.own.why) : "",
    listed.length
      ? el("ul", { class: "claims" }, listed.map(([id, type]) => el("li", {}, type, " ", el("code", { title: id }, short(id)))))
      : el("p", { class: "dim" }, "A person's word; there is no claim to re-run."),
    claims.size > 4 ? el("p", { class: "dim" }, `and ${claims.size - 4} more`) : "",
    reruns(alert),
    may.operate && alert.opinions.some((one) => one.live && one.claims.length) ? el("div", { class: "buttons" }, press(`rerun-${alert.id}`, "Re-run it", `/v1/alerts/${alert.id}/rerun`)) : "",
    account(alert),
  );
}

// Who had it re-run here, and what came out; another verdict than before changes nothing by itself.
function reruns(alert) {
  const lines = alert.reruns.slice(-4).map((one) => {
    const before = one.same ? ", as before" : one.before ? `; before: ${VERDICT[one.before] ?? one.before}` : "";
    const told = `${VERDICT[one.verdict] ?? sentence(one.verdict)}${before}`;
    return el("li", { class: `rerun ${one.verdict}${one.same || !one.before ? "" : " changed"}` }, el("span", {}, `${time(one.at_ms)} re-run for ${one.person}: ${told} `), el("code", { title: one.claim.id }, short(one.claim.id)), el("span", { class: "dim" }, ` ${one.why}`));
  });
  if (alert.rerunning) lines.push(el("li", { class: "dim" }, `${alert.rerunning} being re-run…`));
  return lines.length ? el("ul", { class: "reruns", "aria-label": "Re-run here" }, lines) : "";
}

// The node's own account is read when somebody opens it, and anew each time.
function account(alert) {
  const place = el("ul", { class: "sentences" });
  const read = async (event) => {
    if (!event.target.open) return;
    try {
      place.replaceChildren(...(await get(`/v1/explain/${alert.id}`)).sentences.map((one) => el("li", {}, one)));
    } catch (error) {
      place.replaceChildren(el("li", {}, error.message));
    }
  };
  const elsewhere = alert.certificate ? el("p", { class: "dim" }, "Check the certificate on another machine: ", el("code", {}, `tocsin alert show ${alert.id.slice(0, 12)} --export FILE`), ", then ", el("code", {}, "tocsin verify FILE")) : "";
  return el("details", { on: { toggle: read } }, el("summary", {}, "The whole account"), place, elsewhere);
}

// No engine weighs the two yet, and a figure that nobody computed would be believed.
function costs() {
  const one = (name) => el("div", {}, el("dt", {}, name), el("dd", {}, el("span", { class: "figure unknown" }, "not computed")));
  return el("section", { class: "part" }, el("h3", {}, "Cost"), el("dl", { class: "costs" }, one("of freezing"), one("of going on")));
}

// What may be said outside: of what is done here, never of a loss or of somebody's fault.
function words(alert, restricted) {
  const careful = restricted ? "New exposure is restricted, under review. We will say when that ends." : "A report is under review. Nothing is restricted here.";
  return rank(alert.level) >= rank("GUARD") ? el("section", { class: "part" }, el("h3", {}, "Careful words for the public"), el("blockquote", {}, careful)) : "";
}

function exposure(alert, exposures) {
  const mine = exposures.filter((one) => one.subjects.includes(alert.subject));
  return el(
    "section",
    { class: "part" },
    el("h3", {}, "Our exposure"),
    mine.length
      ? el(
          "ul",
          { class: "exposures" },
          mine.map((one) =>
            el(
              "li",
              {},
              el("span", { class: usd(one.usd) ? "figure" : "figure unknown" }, usd(one.usd) ?? "not computed"),
              el("span", { class: "dim" }, [one.name, share(one.utilisation) ? `${share(one.utilisation)} used` : "", one.why].filter(Boolean).join(" · ")),
            ),
          ),
        )
      : el("p", { class: "figure unknown" }, "not computed", el("span", { class: "dim" }, "our policy names no exposure to this subject")),
    mine.length ? el("a", { href: "#/exposure" }, "The way to it") : "",
  );
}

function done(actions, may) {
  return el(
    "section",
    { class: "part" },
    el("h3", {}, "Our levers"),
    actions.length
      ? el("ul", { class: "actions" }, actions.map((one) => action(one, may)))
      : el("p", { class: "dim" }, "Nothing was pulled for this one. Our policy asks for nothing on what is known now."),
  );
}

function foot(alert, may) {
  const found = [];
  if (may.operate && rank(alert.own.level) >= 0) found.push(press(`withdraw-${alert.id}`, "Withdraw our word", `/v1/alerts/${alert.id}/withdraw`));
  if (may.operate && !alert.seen_by.some((one) => one.person === may.person)) found.push(press(`ack-${alert.id}`, "I have seen it", `/v1/alerts/${alert.id}/acknowledge`));
  if (may.release) found.push(...ending(alert, `release-${alert.id}`, "Say that it is over", `/v1/alerts/${alert.id}/release`, may));
  const ends = alert.certificate ? el("span", { class: "dim" }, "Certificate ends in ", el("span", { "data-until": alert.certificate.ends_ms }, "…")) : "";
  const seen = alert.seen_by.map((one) => `${one.person} ${time(one.at_ms)}`).join(", ");
  return found.length || ends || seen ? el("footer", { class: "card-foot" }, waiting(alert), ends, seen ? el("span", { class: "dim" }, `Seen by ${seen}`) : "", el("div", { class: "buttons" }, found)) : "";
}
