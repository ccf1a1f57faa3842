// The list of all federations that the caller may read.

import { get, serverNow, session } from "./api.js";
import { el, empty, table } from "./elements.js";
import { counted, duration, time } from "./format.js";
import { every } from "./live.js";

/** How many federations are asked for at once. A page of them is far below a megabyte. */
const pageSize = 250;

/** A federation's state, as a word with a mark. */
export function badge(state) {
  return el("span", { class: `badge ${state}` }, state);
}

/** The address of a federation's page, or of a part of it. */
export function link(id, part = "") { return `#/f/${encodeURIComponent(id)}${part ? `/${part}` : ""}`; }

/** A bar from 0 to 1, with the same in words behind it. */
export function bar(share, words, label) {
  return el("span", { class: "share" }, el("span", { class: "track", role: "img", "aria-label": label },
    el("span", { class: "part", "--share": Math.max(0, Math.min(1, share)) })), el("span", {}, words));
}

/** How a federation's rounds stand. */
function rounds(one) {
  const done = one.state === "finished" ? one.round : Math.max(0, one.round - (one.open ? 1 : 0));
  return bar(done / one.rounds, `${one.round} / ${one.rounds}`, `${done} of ${counted(one.rounds, "round")} done`);
}

/** What the open round waits for, in a few words. */
function open(one) {
  if (one.state === "draft") return "its template is missing";
  if (!one.open) return one.state === "waiting" ? "waits for clients" : "–";
  if (one.open.phase === "aggregating") return `aggregating ${counted(one.open.received, "update")}`;
  const left = (Date.parse(one.open.deadline_at) - serverNow()) / 1000;
  const refused = one.open.refused ? `, ${one.open.refused} refused` : "";
  return `${one.open.received} of ${one.open.selected} came${refused} · ${left > 0 ? `${duration(left)} left` : "deadline reached"}`;
}

async function load(signal, shown) {
  const list = [];
  let after;
  do {
    const page = await get("/v1/federations", { outline: true, limit: pageSize, after }, signal);
    list.push(...page.federations);
    after = page.next;
    shown?.(list, after !== undefined);
  } while (after !== undefined);
  return list;
}

function nothing() {
  if (!session.isAdmin) return empty("This token reads no federation.");
  return el("section", { class: "card empty" }, el("h2", {}, "No federation yet"),
    el("p", {}, "A federation is one fine-tuning task: a frozen base model, the shape of its adapter, and clients that train it round by round."),
    el("div", { class: "actions" }, el("a", { class: "button primary", href: "#/new" }, "Create a federation")),
    el("p", { class: "quiet" }, "To see one at work, run scripts/demo --open in the checkout."));
}

/** The page. It asks for the list again every five seconds. */
export async function federationsPage(view) {
  const filter = el("input", { type: "search", "aria-label": "Filter by name", placeholder: "Filter by name", autocomplete: "off" });
  const states = el("select", { "aria-label": "State" }, ["all states", "running", "waiting", "paused", "draft", "finished"]
    .map(state => el("option", { value: state === "all states" ? "" : state }, state)));
  const holder = el("div", { "aria-live": "off" });
  const total = el("span", { class: "quiet" });
  let list = [];
  let isPartial = false;
  const columns = [
    { title: "Federation", cell: one => el("a", { href: link(one.id) }, one.id) },
    { title: "State", cell: one => badge(one.state) },
    { title: "Rounds", cell: rounds },
    { title: "Open round", cell: open, wide: true },
    { title: "Clients", cell: one => one.clients.toLocaleString("en"), number: true },
    { title: "Strategy", cell: one => one.strategy },
    { title: "Base model", cell: one => one.base_model },
    { title: "Created", cell: one => time(one.created_at) },
  ];
  function draw() {
    const words = filter.value.trim().toLowerCase();
    const found = list.filter(one => one.id.includes(words) && (!states.value || one.state === states.value));
    total.textContent = `${counted(found.length, "federation")}${isPartial ? ", more are coming" : ""}`;
    const scrolled = holder.firstElementChild?.scrollLeft ?? 0;
    holder.replaceChildren(list.length === 0 && !isPartial ? nothing()
      : found.length === 0 ? empty("No federation has this name and state.") : table("Federations", columns, found, { more: shown }));
    if (holder.firstElementChild) holder.firstElementChild.scrollLeft = scrolled;
    const more = holder.querySelector("button.more");
    more?.addEventListener("click", () => { shown = Infinity; });
    // An empty list has a button of its own.
    controls.hidden = create.hidden = list.length === 0;
  }
  let shown = 100;
  const create = el("a", { class: "button primary", href: "#/new" }, "Create a federation");
  const controls = el("div", { class: "controls" }, filter, states, total);
  filter.addEventListener("input", draw);
  states.addEventListener("change", draw);
  let isThere = false;
  function show(some, more) {
    [list, isPartial] = [[...some], more];
    draw();
    if (isThere) return;
    isThere = true;
    view.show("Federations", el("div", { class: "title" }, el("h1", {}, "Federations"),
      session.isAdmin ? create : undefined), controls, holder);
  }
  await load(view.signal, show);
  every(5, view.signal, async () => {
    const focused = document.activeElement?.closest("td, th")?.textContent;
    list = await load(view.signal);
    isPartial = false;
    draw();
    // A link that had the focus has it again.
    if (focused) [...holder.querySelectorAll("th a")].find(one => one.textContent === focused)?.focus();
  });
}
