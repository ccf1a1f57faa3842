// The audit log, the newest event first, with the head of its chain of hashes.

import { get } from "./api.js";
import { button, el, empty, paste, table, withDigests } from "./elements.js";
import { link } from "./federations.js";
import { short, time } from "./format.js";
import { kinds } from "./words.js";

const pageSize = 100;
/** Above every id of an event. */
const end = "9223372036854775807";

/** The page. It shows new events as they come. */
export async function logPage(context) {
  const load = before => get(`${context.path}/events`, { before, limit: pageSize }, context.signal);
  let { events } = await load(end);
  let isWhole = events.length < pageSize;
  const head = el("div");
  const holder = el("div");
  const filter = el("select", { "aria-label": "Kind of event" }, [["", "all events"], ["round.", "rounds"], ["update.", "updates"],
    ["client.", "clients"], ["federation.", "federation"], ["token.", "tokens"]].map(([value, text]) => el("option", { value }, text)));
  function draw() {
    if (events.length === 0) return holder.replaceChildren(empty("Nothing has happened yet."));
    head.replaceChildren(paste(`Head of the log after event ${events[0].id}`, events[0].hash));
    const found = events.filter(one => one.kind.startsWith(filter.value));
    holder.replaceChildren(found.length === 0 ? empty("No such event among those shown. Older ones may have some.") : table("Audit log, the newest first", [
      { title: "Event", cell: one => one.id },
      { title: "At", cell: one => time(one.at) },
      { title: "What", cell: one => el("span", { title: one.kind }, kinds[one.kind] ?? one.kind) },
      { title: "Round", cell: one => one.round ? el("a", { href: link(context.id, `rounds/${one.round}`) }, `${one.round}`) : "–", number: true },
      { title: "Client", cell: one => one.client ? el("a", { href: link(context.id, `clients/${encodeURIComponent(one.client)}`) }, one.client) : "–" },
      { title: "Detail", cell: one => one.detail ? withDigests(one.detail) : "–", wide: true },
      { title: "Hash", cell: one => el("code", { title: one.hash }, short(one.hash)) },
    ], found, { more: 1000 }));
  }
  const older = button("Older events", async () => {
    const page = await load(events.at(-1).id);
    events = [...events, ...page.events];
    isWhole = page.events.length < pageSize;
    older.hidden = isWhole;
    draw();
  }, { kind: "more" });
  older.hidden = isWhole;
  filter.addEventListener("change", draw);
  draw();
  context.changed = async () => {
    const page = await load(end);
    const known = events[0]?.id ?? 0;
    const fresh = page.events.filter(one => one.id > known);
    // With a gap between the two, the old ones are read again on demand.
    events = fresh.length < page.events.length ? [...fresh, ...events] : page.events;
    if (fresh.length && !holder.contains(document.activeElement)) draw();
  };
  return el("section", { class: "card" }, el("h2", {}, "Audit log"),
    el("p", { class: "quiet" }, "Each event's hash covers the event and all before it. Keep a copy of the head: with it, anybody can tell later whether the log was changed."),
    head, el("div", { class: "controls" }, filter), holder, older);
}
