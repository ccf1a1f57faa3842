// The clients of a federation, and one client with its history.

import { call, get, serverNow, session } from "./api.js";
import { ask, button, el, empty, section, table, tiles } from "./elements.js";
import { link } from "./federations.js";
import { ago, bytes, count, decimal, percent, time } from "./format.js";
import { every } from "./live.js";

const pageSize = 500;
const answers = { awaited: "awaited", answered: "has sent", declined: "declined", left: "left", cut: "was late" };

function seen(context, client) {
  const isHere = !client.revoked && (serverNow() - Date.parse(client.last_seen_at)) / 1000 < context.federation.settings.round.seen_seconds;
  return el("span", { class: isHere ? "seen" : "unseen-lately", title: time(client.last_seen_at) }, ago(client.last_seen_at, serverNow()));
}

function revoke(context, name, done) {
  ask({
    title: `Revoke ${name}?`, kind: "danger", action: "Revoke the client",
    about: "Its token ends now and for good, and its open calls with it. An update that it has sent still counts. It can only come back under another name.",
    async submit() {
      await call("DELETE", `${context.path}/clients/${encodeURIComponent(name)}`);
      await done();
    },
  });
}

/** The page of all clients. Pages of them are read until there are no more; then the first page is kept fresh. */
export async function clientsPage(context) {
  if (!session.isAdmin) {
    return section("Clients", el("p", {}, "The list of clients is the admin's. The page of a round shows who takes part in it."));
  }
  const path = `${context.path}/clients`;
  const first = await get(path, { outline: true, limit: pageSize }, context.signal);
  let list = first.clients;
  let next = first.next;
  const filter = el("input", { type: "search", "aria-label": "Filter by name", placeholder: "Filter by name", autocomplete: "off" });
  const which = el("select", { "aria-label": "Which clients" },
    [["", "all clients"], ["awaited", "awaited in the open round"], ["answered", "have sent in the open round"], ["revoked", "revoked"]]
      .map(([value, text]) => el("option", { value }, text)));
  const total = el("span", { class: "quiet" });
  const holder = el("div");
  let shown = 100;
  function draw() {
    const words = filter.value.trim().toLowerCase();
    const found = list.filter(one => one.name.includes(words)
      && (!which.value || (which.value === "revoked" ? one.revoked : one.answer === which.value)));
    total.textContent = next === undefined ? `${count(found.length)} of ${count(list.length)}` : `${count(found.length)} so far`;
    const old = holder.querySelector(".scroll")?.scrollLeft ?? 0;
    holder.replaceChildren(list.length === 0
      ? empty("No client has registered yet. ", el("a", { href: link(context.id, "access") }, "How clients join"))
      : found.length === 0 ? empty("No client is like that.")
      : table("Clients", [
        { title: "Client", cell: one => el("a", { href: link(context.id, `clients/${encodeURIComponent(one.name)}`) }, one.name) },
        { title: "Rank", cell: one => one.rank, number: true },
        { title: "Last seen", cell: one => seen(context, one) },
        { title: "Open round", cell: one => answers[one.answer] ?? "not part of it" },
        { title: "Registered", cell: one => time(one.registered_at) },
        { title: "", cell: one => one.revoked ? el("span", { class: "quiet" }, "revoked")
          : button("Revoke", () => revoke(context, one.name, reload), { kind: "small danger", label: `Revoke ${one.name}` }) },
      ], found, { more: shown }));
    holder.querySelector("button.more")?.addEventListener("click", () => { shown = Infinity; });
    if (holder.querySelector(".scroll")) holder.querySelector(".scroll").scrollLeft = old;
  }
  async function reload() {
    const page = await get(path, { outline: true, limit: pageSize }, context.signal);
    list = page.next === undefined ? page.clients : [...page.clients, ...list.slice(page.clients.length)];
    draw();
  }
  filter.addEventListener("input", draw);
  which.addEventListener("change", draw);
  draw();
  (async () => {
    while (next !== undefined && !context.signal.aborted) {
      const page = await get(path, { outline: true, limit: pageSize, after: next }, context.signal);
      list = [...list, ...page.clients];
      next = page.next;
      draw();
    }
  })().catch(error => { if (error.name !== "AbortError") total.textContent = error.message; });
  every(10, context.signal, async () => { if (next === undefined && !holder.contains(document.activeElement)) await reload(); });
  return el("section", { class: "card" }, el("h2", {}, "Clients"), el("div", { class: "controls" }, filter, which, total), holder);
}

function history(context, rounds) {
  if (rounds.length === 0) return empty("No round knows this client yet.");
  return table("Rounds of this client, the newest first", [
    { title: "Round", cell: one => el("a", { href: link(context.id, `rounds/${one.round}`) }, `Round ${one.round}`) },
    { title: "Answer", cell: one => answers[one.answer] ?? "–" },
    { title: "Rank", cell: one => one.update?.rank, number: true },
    { title: "Samples", cell: one => count(one.update?.samples), number: true },
    { title: "Loss", cell: one => decimal(one.update?.metrics.loss, 4), number: true },
    { title: "Accuracy", cell: one => percent(one.update?.metrics.accuracy), number: true },
    { title: "Length", cell: one => bytes(one.update?.bytes), number: true },
    { title: "Came at", cell: one => time(one.update?.received_at) },
    { title: "Remarks", wide: true, cell: one => [
      one.update && one.update.status !== "accepted" ? el("span", { class: "bad" }, `${one.update.status.replace("_", " ")}: ${one.update.reason}`) : "",
      one.refusals.map(refusal => el("span", { class: "bad" }, `${refusal.code}${refusal.count > 1 ? ` (${refusal.count} times)` : ""}: ${refusal.detail} `)),
    ].flat().filter(Boolean) },
  ].map(column => ({ ...column, cell: one => { const cell = column.cell(one); return Array.isArray(cell) && cell.length === 0 ? "–" : cell; } })), rounds);
}

/** The page of one client. */
export async function clientPage(context, name) {
  const path = `${context.path}/clients/${encodeURIComponent(name)}`;
  const [client, known] = await Promise.all([get(path, {}, context.signal), get(`${path}/rounds`, { limit: 50 }, context.signal)]);
  let { rounds } = known;
  const past = el("div", {}, history(context, rounds));
  const older = button("Older rounds", async () => {
    const page = await get(`${path}/rounds`, { limit: 50, before: rounds.at(-1).round }, context.signal);
    rounds = [...rounds, ...page.rounds];
    past.replaceChildren(history(context, rounds));
    older.hidden = page.rounds.length < 50;
  }, { kind: "more" });
  older.hidden = rounds.length < 50;
  const claims = Object.entries(client.capabilities);
  const ranks = Object.entries(client.ranks);
  context.changed = async (_, isNew) => {
    if (!isNew) return;
    const page = await get(`${path}/rounds`, { limit: 3 }, context.signal);
    const numbers = new Set(page.rounds.map(one => one.round));
    rounds = [...page.rounds, ...rounds.filter(one => !numbers.has(one.round))];
    past.replaceChildren(history(context, rounds));
  };
  return el("div", { class: "stack" },
    el("section", { class: "card" },
      el("div", { class: "title" }, el("h2", {}, client.name, client.revoked ? el("span", { class: "badge failed" }, "revoked") : ""),
        session.isAdmin && !client.revoked
          ? button("Revoke", () => revoke(context, name, context.reload), { kind: "danger" }) : undefined),
      tiles([["Rank", count(client.rank), `of ${context.federation.settings.adapter.max_rank}`],
        ["Last seen", seen(context, client)], ["Registered", time(client.registered_at)],
        ["Rounds", `${rounds.length}${rounds.length === 50 ? "+" : ""}`]]),
      el("details", {}, el("summary", {}, `Ranks of ${ranks.length} modules`),
        table("Ranks by module", [{ title: "Module", cell: one => one[0] }, { title: "Rank", cell: one => one[1], number: true }], ranks)),
      el("details", {}, el("summary", {}, claims.length ? "What it says of itself" : "It says nothing of itself"),
        claims.length ? table("Capabilities", [{ title: "Claim", cell: one => one[0] }, { title: "Value", cell: one => typeof one[1] === "string" ? one[1] : JSON.stringify(one[1]), wide: true }], claims) : "")),
    section("History", past, older));
}
