// How many updates reach each rank component, as pictures.

import { get } from "./api.js";
import { el, empty, section, svg } from "./elements.js";
import { counted } from "./format.js";

/** Participation by rank over rounds: a column for each round, a row for each rank, stronger where more updates came. */
export function heatmap(rounds) {
  const known = [...rounds.values()].filter(one => one.ranks && Object.keys(one.ranks).length > 0);
  if (known.length === 0) return "";
  const ranks = [...new Set(known.flatMap(one => Object.keys(one.ranks).map(Number)))].sort((one, other) => other - one);
  // Neighbours share a row or a column where there are too many to be seen.
  const perRow = Math.ceil(ranks.length / 16);
  const rows = Array.from({ length: Math.ceil(ranks.length / perRow) }, (_, row) => ranks.slice(row * perRow, (row + 1) * perRow));
  const first = Math.min(...known.map(one => one.round));
  const last = Math.max(...known.map(one => one.round));
  const perColumn = Math.ceil((last - first + 1) / 120);
  const columns = Math.ceil((last - first + 1) / perColumn);
  const cells = rows.map(() => new Array(columns).fill(0));
  for (const one of known) {
    for (const [rank, updates] of Object.entries(one.ranks)) {
      const row = rows.findIndex(some => some.includes(Number(rank)));
      cells[row][Math.floor((one.round - first) / perColumn)] += updates / perColumn;
    }
  }
  const most = Math.max(...cells.flat());
  const [width, height, left] = [1000, 22, 74];
  const step = (width - left) / Math.max(columns, 12);
  const name = some => some.length === 1 ? `rank ${some[0]}` : `${some.at(-1)}–${some[0]}`;
  const words = `Updates by rank from round ${first} to ${last}: ` + rows.map((some, row) =>
    `${name(some)} ${Math.round(cells[row].reduce((sum, one) => sum + one, 0) * perColumn)}`).join(", ");
  const picture = svg("svg", { viewBox: `0 0 ${width} ${rows.length * height + 24}`, role: "img", "aria-label": words, class: "heat" },
    rows.map((some, row) => [
      svg("text", { x: left - 10, y: row * height + 16, "text-anchor": "end" }, name(some)),
      cells[row].map((value, column) => svg("rect", {
        x: left + column * step, y: row * height + 1, width: Math.max(1, step - (columns > 60 ? 0.5 : 2)), height: height - 2,
        class: value ? "cell" : "none", "fill-opacity": value ? 0.18 + 0.82 * value / most : 1,
      }, svg("title", {}, `${perColumn === 1 ? `round ${first + column}` : `rounds from ${first + column * perColumn}`}, ${name(some)}: ${counted(Math.round(value * perColumn), "update")}`))),
    ]),
    svg("text", { x: left, y: rows.length * height + 18 }, `round ${first}`),
    columns > 4 ? svg("text", { x: left + columns * step, y: rows.length * height + 18, "text-anchor": "end" }, `${last}`) : []);
  return section("Participation by rank", el("p", { class: "quiet" }, `Stronger where more updates of a rank came; at most ${Math.round(most)} a round.`),
    el("div", { class: "scroll bare", tabindex: 0, role: "region", "aria-label": "Participation by rank" }, picture));
}

/** A module's steps in words. */
function words(module) {
  let from = 1;
  return module.steps.map(step => {
    const range = from === step.through ? `${from}` : `${from}–${step.through}`;
    from = step.through + 1;
    return `${range}: ${step.updates}`;
  }).join(", ");
}

/** The steps of one module: components to the right, updates upwards. */
function stairs(module, updates, label) {
  const [width, height, base] = [260, 96, 76];
  const x = component => component / module.max_rank * (width - 12) + 6;
  const y = value => base - (updates ? value / updates : 0) * (base - 10);
  let from = 0;
  let line = `M${x(0)} ${base}`;
  const bare = [];
  for (const step of module.steps) {
    line += `V${y(step.updates)}H${x(step.through)}`;
    if (step.updates === 0) bare.push(svg("rect", { x: x(from), y: base - 5, width: x(step.through) - x(from), height: 5, class: "bare" }));
    from = step.through;
  }
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label}: updates by rank component, ${words(module)}`, class: "stairs" },
    svg("line", { x1: x(0), x2: x(module.max_rank), y1: y(updates), y2: y(updates), class: "grid" }),
    svg("path", { d: `${line}V${base}Z`, class: "area" }), svg("path", { d: line, class: "edge" }), bare,
    svg("line", { x1: x(0), x2: x(module.max_rank), y1: base, y2: base, class: "axis" }),
    svg("text", { x: 6, y: height - 4 }, "1"),
    svg("text", { x: width - 6, y: height - 4, "text-anchor": "end" }, `${module.max_rank}`));
}

/** Modules that the same updates reach in the same way are shown as one. */
function groups(modules) {
  const found = new Map();
  for (const [name, module] of Object.entries(modules)) {
    const key = JSON.stringify(module);
    if (!found.has(key)) found.set(key, { module, names: [] });
    found.get(key).names.push(name);
  }
  return [...found.values()];
}

function picture(coverage) {
  if (coverage.updates === 0) return empty(`No update counts in round ${coverage.round} yet.`);
  return el("div", { class: "modules" }, groups(coverage.modules).map(({ module, names }) => {
    const lowest = module.steps.at(-1).updates;
    const title = names.length === 1 ? names[0] : `${names.length} modules`;
    const from = module.steps.find(step => step.updates === 0) && (module.steps.filter(step => step.updates > 0).at(-1)?.through ?? 0) + 1;
    return el("figure", {}, el("figcaption", {}, title),
      stairs(module, coverage.updates, title),
      el("p", { class: lowest ? "quiet" : "bad" }, lowest
        ? `Every component has ${lowest} or more of ${counted(coverage.updates, "update")}.`
        : `Components ${from}–${module.max_rank} have no update: they keep their last values.`),
      el("details", {}, el("summary", {}, "Figures"), el("p", {}, `Components: updates. ${words(module)}`),
        names.length > 1 ? el("p", {}, names.join(", ")) : undefined));
  }));
}

/** The page: the coverage of a round, the newest one at first. */
export async function coveragePage(context) {
  const newest = context.round.round;
  if (newest === 0) return empty("No round has opened yet. Coverage begins with the first update.");
  const input = el("input", { type: "number", min: 1, max: newest, value: newest, "aria-label": "Round", class: "narrow" });
  const holder = el("div");
  async function draw() {
    const round = Number(input.value);
    if (!(round >= 1 && round <= context.round.round)) {
      return holder.replaceChildren(empty(`There are rounds 1 to ${context.round.round}.`));
    }
    holder.replaceChildren(picture(await get(`${context.path}/rounds/${round}/coverage`, {}, context.signal)));
  }
  // At first the newest round that has anything to show.
  const first = context.round.received > 0 || newest === 1 ? newest : newest - 1;
  input.value = first;
  await draw();
  input.addEventListener("change", draw);
  context.changed = async (round, isNew) => {
    if (isNew) input.max = round.round;
    if (Number(input.value) === round.round) await draw();
  };
  return el("section", { class: "card" }, el("h2", {}, "Rank coverage"),
    el("p", {}, "A client of rank r trains the first components of each module. The picture shows how many updates reached each component; the right end is trained by the strongest clients alone."),
    el("div", { class: "controls" }, el("span", {}, "Round"), input), holder);
}
