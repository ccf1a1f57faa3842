// One round: who is awaited, what came, what was refused and why, and the time that is left.

import { get, serverNow, session } from "./api.js";
import { el, empty, section, table, tiles, withDigests } from "./elements.js";
import { bar, link } from "./federations.js";
import { bytes, count, counted, decimal, duration, percent, short, time } from "./format.js";
import { advice, kinds } from "./words.js";

/** A client's name; for the admin it leads to the client's page. */
export function clientLink(context, name) {
  return session.isAdmin ? el("a", { href: link(context.id, `clients/${encodeURIComponent(name)}`) }, name) : name;
}

function sentence(round) {
  if (round.phase === "waiting") return "No round is open yet. The first one opens once enough clients are registered.";
  if (round.phase === "aggregating") return `All that was waited for has come. The server adds ${counted(round.received, "update")} up.`;
  if (round.phase === "published") return `The round has published its adapter, from ${counted(round.received, "update")}.`;
  if (round.phase === "failed") return `The round ended without an adapter: ${round.reason}.`;
  if (round.buffer) return `Clients send whenever they are ready. ${count(round.received)} of ${counted(round.buffer, "update")} for the next version have come.`;
  return `${count(round.received)} of ${counted(round.selected, "selected client")} have sent an update. The round closes when all have answered, or at its deadline with at least ${counted(round.min_updates, "update")}.`;
}

/** The time until the deadline, which goes on by itself. */
function timeLeft(round, signal) {
  const node = el("span", { role: "timer", "aria-live": "off" });
  const draw = () => {
    const left = (Date.parse(round.deadline_at) - serverNow()) / 1000;
    node.textContent = left > 0 ? duration(Math.max(1, Math.round(left))) : "reached";
  };
  draw();
  const timer = setInterval(draw, 1000);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return node;
}

function figures(round, signal) {
  const isOpen = round.phase === "collecting";
  const wanted = round.buffer ?? round.selected;
  const took = (Date.parse(round.closed_at) - Date.parse(round.opened_at)) / 1000;
  const sent = round.updates.reduce((sum, one) => sum + one.bytes, 0);
  return tiles([
    ["Came", count(round.received), `of ${count(wanted)}`],
    ["Refused", count(round.refused)],
    isOpen ? ["Time left", timeLeft(round, signal), `until ${time(round.deadline_at)}`]
      : round.closed_at ? ["Collected for", duration(took), `until ${time(round.closed_at)}`] : undefined,
    ["Loss", decimal(round.metrics.loss, 4)],
    ["Accuracy", percent(round.metrics.accuracy)],
    ["Sent by clients", bytes(sent), round.updates_next ? "by the first 1,000" : ""],
    round.min_coverage ? ["Coverage", count(round.coverage), `of ${count(round.min_coverage)}`] : undefined,
    round.adapter ? ["Adapter", bytes(round.adapter.bytes)] : undefined,
  ]);
}

function awaited(context, round) {
  if (round.phase !== "collecting") return undefined;
  if (round.awaited.length === 0) return section("Awaited", empty(round.buffer ? "Nobody in particular: whoever is ready sends." : "Nobody: all selected clients have answered."));
  const isPartial = round.awaited.length === 100;
  return section(`Awaited${isPartial ? " (the first 100)" : ` (${round.awaited.length})`}`,
    el("ul", { class: "names" }, round.awaited.map(name => el("li", {}, clientLink(context, name)))));
}

const statuses = { accepted: "counts", left_out: "left out", lost: "lost", taken_back: "taken back" };

/** The updates that came. */
function updates(context, round) {
  if (round.updates.length === 0) return section("Came", empty("No update has come yet."));
  const has = name => round.updates.some(one => one[name] !== undefined);
  const columns = [
    { title: "Client", cell: one => clientLink(context, one.client) },
    { title: "Rank", cell: one => one.rank, number: true },
    { title: "Samples", cell: one => count(one.samples), number: true },
    { title: "Loss", cell: one => decimal(one.metrics.loss, 4), number: true },
    { title: "Accuracy", cell: one => percent(one.metrics.accuracy), number: true },
    has("norm") && { title: "Norm", cell: one => decimal(one.norm), number: true },
    has("staleness") && { title: "Versions late", cell: one => one.staleness, number: true },
    { title: "Length", cell: one => bytes(one.bytes), number: true },
    { title: "Came at", cell: one => time(one.received_at) },
    { title: "Status", cell: one => el("span", { class: one.status === "accepted" ? "" : "bad" },
      statuses[one.status] ?? one.status, one.reason ? `: ${one.reason}` : ""), wide: true },
    { title: "SHA-256", cell: one => el("code", { title: one.digest }, short(one.digest)) },
  ].filter(Boolean);
  return section("Came", table(`Updates of round ${round.round}`, columns, round.updates),
    round.updates_next ? el("p", { class: "quiet" }, "These are the first 1,000 in the order of their names.") : undefined);
}

/** What clients found of the round's adapter: each metric, and its ranks below it. */
function evaluation(round) {
  const found = round.evaluation;
  if (!found) return undefined;
  const heard = `${count(found.received)} of ${counted(found.selected, "client")} answered, ${count(found.without_data)} without held-out data`;
  const rows = Object.entries(found.metrics).flatMap(([name, one]) => [
    { name, clients: one.clients, mean: one.mean, median: one.median, worst: one.worst_decile },
    ...Object.entries(one.by_rank).filter((_, index, all) => all.length > 1).sort(([first], [second]) => first - second)
      .map(([rank, figures]) => ({ name: `${name}, rank ${rank}`, ...figures })),
  ]);
  return section("Evaluation",
    el("p", {}, found.state === "open" ? `${heard}; it ends at ${time(found.deadline_at)} at the latest.` : `${heard}. Each scored the adapter on examples that it never trains on.`),
    rows.length === 0 ? undefined : table(`Evaluation of round ${round.round}`, [
      { title: "Metric", cell: one => one.name },
      { title: "Clients", cell: one => count(one.clients), number: true },
      { title: "Mean", cell: one => decimal(one.mean, 4), number: true },
      { title: "Median", cell: one => decimal(one.median, 4), number: true },
      { title: "Worst tenth", cell: one => decimal(one.worst, 4), number: true },
    ], rows));
}

/** What was refused, why, and what can be done about it. */
function refusals(context, round) {
  if (round.refusals.length === 0) return undefined;
  return section("Refused", table(`Refusals of round ${round.round}`, [
    { title: "Client", cell: one => clientLink(context, one.client) },
    { title: "Code", cell: one => el("code", {}, one.code) },
    { title: "Why", cell: one => [one.detail, advice(one.code) ? el("span", { class: "advice" }, advice(one.code)) : ""], wide: true },
    { title: "Times", cell: one => count(one.count), number: true },
    { title: "Last at", cell: one => time(one.at) },
  ], round.refusals));
}

function decisions(context, round) {
  if (round.decisions.length === 0) return undefined;
  return section("Decisions", el("ol", { class: "timeline" }, [...round.decisions].reverse().map(one => el("li", {},
    el("time", { datetime: one.at }, time(one.at)), el("span", {}, kinds[one.kind] ?? one.kind,
      one.client ? [" – ", clientLink(context, one.client)] : "", one.reason ? [": ", withDigests(one.reason)] : "")))));
}

/** A round as elements. */
export function roundView(context, round, signal) {
  const total = context.federation.settings.round.total;
  const wanted = round.buffer ?? round.selected;
  const head = el("section", { class: "card" },
    el("div", { class: "title" }, el("h2", {}, round.round === 0 ? "Before round 1" : `Round ${round.round} of ${total}`,
      round.round ? el("span", { class: `badge ${round.phase}` }, round.phase) : "")),
    el("p", { class: round.phase === "failed" ? "failure" : "" }, sentence(round)),
    round.phase === "collecting" && wanted > 0
      ? bar(round.received / wanted, `${count(round.received)} / ${count(wanted)}`, `${round.received} of ${wanted} updates came`) : undefined,
    round.phase === "aggregating" ? el("progress", { "aria-label": "The server aggregates" }) : undefined,
    round.round ? figures(round, signal) : undefined);
  if (round.round === 0) return [head];
  return [head, evaluation(round), refusals(context, round), awaited(context, round), updates(context, round), decisions(context, round)].filter(Boolean);
}

/** Replaces elements by newer ones without moving what the reader has opened or scrolled to. */
function redraw(holder, make) {
  const scrolled = [...holder.querySelectorAll(".scroll")].map(one => [one.getAttribute("aria-label"), one.scrollLeft]);
  const focus = document.activeElement;
  const label = holder.contains(focus) ? focus.getAttribute("aria-label") ?? focus.textContent : null;
  holder.replaceChildren(...make());
  for (const one of holder.querySelectorAll(".scroll")) {
    one.scrollLeft = scrolled.find(([name]) => name === one.getAttribute("aria-label"))?.[1] ?? 0;
  }
  if (label) [...holder.querySelectorAll("a, button, [tabindex]")].find(one => (one.getAttribute("aria-label") ?? one.textContent) === label)?.focus();
}

/** The page of the current round; it follows the round. */
export async function currentPage(context) {
  const holder = el("div", { class: "stack" });
  let drawing = new AbortController();
  const draw = () => redraw(holder, () => {
    drawing.abort();
    drawing = new AbortController();
    return [hint(context), ...roundView(context, context.round, drawing.signal)].filter(Boolean);
  });
  context.signal.addEventListener("abort", () => drawing.abort(), { once: true });
  draw();
  context.changed = draw;
  return holder;
}

/** What is to be done next, where the federation waits for somebody. */
function hint(context) {
  const { federation } = context;
  const missing = federation.settings.round.min_clients - federation.clients;
  if (federation.state === "waiting" && missing > 0) {
    return el("p", { class: "hint" }, `${counted(missing, "more client")} must register before round 1 opens. `,
      session.isAdmin ? el("a", { href: link(context.id, "access") }, "How clients join") : "");
  }
  if (federation.state === "draft") {
    return el("p", { class: "hint" }, "The federation waits for its template adapter. ",
      session.isAdmin ? el("a", { href: link(context.id, "settings") }, "Upload it") : "");
  }
  if (federation.state === "paused") return el("p", { class: "hint" }, "The federation is paused: no round opens until it is resumed.");
  if (federation.state === "finished") {
    return el("p", { class: "hint" }, "The federation is finished. ", el("a", { href: link(context.id, "downloads") }, "Download its adapter"));
  }
  return undefined;
}

/** The page of one round of any time. */
export async function roundPage(context, number) {
  if (number === context.round.round) return currentPage(context);
  const round = await get(`${context.path}/rounds/${number}`, {}, context.signal);
  return el("div", { class: "stack" }, el("p", {}, el("a", { href: link(context.id, "rounds") }, "All rounds")),
    roundView(context, round, context.signal));
}
