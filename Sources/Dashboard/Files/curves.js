// Curves over rounds, drawn as in the reports, and the rounds as a table.

import { get } from "./api.js";
import { drawCharts } from "./charts.js";
import { heatmap } from "./coverage.js";
import { el, empty, section, table } from "./elements.js";
import { link } from "./federations.js";
import { byteUnit, bytes, count, decimal, duration, percent, time } from "./format.js";

const pageSize = 250;

/** The figures of all rounds by number, as many calls as it takes. */
async function load(context) {
  const rounds = new Map();
  for (let before; ;) {
    const page = await get(`${context.path}/curves`, { limit: pageSize, before }, context.signal);
    for (const one of page.rounds) rounds.set(one.round, one);
    if (page.rounds.length < pageSize) return rounds;
    before = page.rounds.at(-1).round;
  }
}

/** What can be drawn. A figure that no round has is left out. */
function figures(list) {
  const longest = Math.max(0, ...list.map(one => one.update_bytes ?? 0));
  const unit = byteUnit(longest);
  const plain = name => ({ mean: one => one[name], low: one => one[name], high: one => one[name] });
  return [
    { kind: { name: "Loss", unit: "mean of the clients, weighted by samples", factor: 1, places: 4 }, ...plain("loss") },
    { kind: { name: "Accuracy", unit: "%, the same mean", factor: 100, places: 1, limit: 100, isHigherBetter: true }, ...plain("accuracy") },
    { kind: { name: "Updates", unit: "that came", factor: 1, places: 0, fromZero: true, isHigherBetter: true }, ...plain("received") },
    { kind: { name: "Refusals", unit: "", factor: 1, places: 0, fromZero: true }, ...plain("refused") },
    { kind: { name: "Time", unit: "seconds that the round collected", factor: 1, places: 1, fromZero: true }, ...plain("seconds") },
    { kind: { name: "Bytes", unit: `${unit.name} that clients sent`, factor: unit.factor, places: 2, fromZero: true }, ...plain("update_bytes") },
    {
      kind: { name: "Norm of updates", unit: "median, and the range", factor: 1, places: 3, fromZero: true },
      mean: one => one.norms?.median, low: one => one.norms?.low, high: one => one.norms?.high,
    },
  ].filter(one => list.some(round => Number.isFinite(one.mean(round)) && (one.kind.name !== "Refusals" || round.refused > 0)));
}

function series(rounds, shown, label) {
  const last = Math.max(...rounds.keys());
  // The page of the open round has its figures; in a curve, half a round would look like a fall.
  const values = of => Array.from({ length: last }, (_, index) => {
    const round = rounds.get(index + 1);
    return round && round.phase !== "collecting" ? of(round) ?? NaN : NaN;
  });
  return [{ label, curves: shown.map(one => ({ mean: values(one.mean), low: values(one.low), high: values(one.high) })) }];
}

function list(context, rounds) {
  const newest = [...rounds.values()].sort((one, other) => other.round - one.round);
  return section("Rounds", table("Rounds, the newest first", [
    { title: "Round", cell: one => el("a", { href: link(context.id, `rounds/${one.round}`) }, `Round ${one.round}`) },
    { title: "Phase", cell: one => el("span", { class: `badge ${one.phase}` }, one.phase) },
    { title: "Came", cell: one => `${count(one.received)} / ${count(one.selected)}`, number: true },
    { title: "Refused", cell: one => count(one.refused), number: true },
    { title: "Loss", cell: one => decimal(one.loss, 4), number: true },
    { title: "Accuracy", cell: one => percent(one.accuracy), number: true },
    { title: "Time", cell: one => duration(one.seconds), number: true },
    { title: "Sent", cell: one => bytes(one.update_bytes), number: true },
    { title: "Adapter", cell: one => bytes(one.adapter_bytes), number: true },
    { title: "Opened", cell: one => time(one.opened_at) },
  ], newest, { more: 20 }));
}

/** The page. A round that changes is read again by itself. */
export async function curvesPage(context) {
  const rounds = await load(context);
  if (rounds.size === 0) return empty("No round has opened yet. Curves begin with round 1.");
  const holder = el("div", { class: "charts" });
  const ranks = el("div");
  const rows = el("div");
  let shown = [];
  let update = null;
  function draw() {
    const now = figures([...rounds.values()]);
    const names = now.map(one => one.kind.name + one.kind.unit).join();
    if (!update || names !== shown.map(one => one.kind.name + one.kind.unit).join()) {
      shown = now;
      holder.replaceChildren();
      const group = { step: "round", kinds: shown.map(one => one.kind), series: series(rounds, shown, context.id) };
      update = drawCharts(holder, group, [context.id]);
    } else {
      update(series(rounds, shown, context.id));
    }
    ranks.replaceChildren(heatmap(rounds));
    rows.replaceChildren(list(context, rounds));
  }
  draw();
  context.changed = async (_, isNew) => {
    if (!isNew) return;
    const page = await get(`${context.path}/curves`, { limit: 3 }, context.signal);
    for (const one of page.rounds) rounds.set(one.round, one);
    draw();
  };
  return el("div", { class: "stack" }, holder, ranks, rows);
}
