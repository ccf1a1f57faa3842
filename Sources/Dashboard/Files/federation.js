// What all pages of one federation share: its heading, the actions on it, the parts, and the open round, live.

import { get, pathOf, session } from "./api.js";
import { actions } from "./admin.js";
import { el } from "./elements.js";
import { badge, link } from "./federations.js";
import { announce, follow } from "./live.js";

const parts = [
  ["", "Round"], ["rounds", "Curves"], ["coverage", "Coverage"], ["clients", "Clients"], ["log", "Log"],
  ["downloads", "Downloads"], ["settings", "Settings"], ["access", "Access"],
];

function heading(federation) {
  const { settings } = federation;
  const rank = settings.adapter.max_rank ? ` · ranks to ${settings.adapter.max_rank}` : "";
  return [
    el("p", { class: "trail" }, el("a", { href: "#/" }, "Federations")),
    el("div", { class: "title" }, el("h1", {}, federation.id, " ", badge(federation.state))),
    el("p", { class: "quiet" }, `${settings.strategy.name} · ${settings.base_model.name}${rank} · ${federation.clients} client${federation.clients === 1 ? "" : "s"}`),
  ];
}

/** Tells in words what a new round object means for somebody who listens. */
function news(before, after) {
  if (before.round !== after.round) return `Round ${after.round} is open.`;
  if (before.phase !== after.phase) return `Round ${after.round} is ${after.phase}.`;
  return null;
}

/**
 * Shows one part of a federation's page. `make` gets the context and answers elements; it may leave a function in
 * `context.changed`, which is called with every new state of the open round.
 */
export async function openFederation(view, id, part, make) {
  const path = pathOf(id);
  const [federation, round] = await Promise.all([
    get(path, {}, view.signal), get(`${path}/rounds/current`, {}, view.signal),
  ]);
  const context = {
    id, path, federation, round, signal: view.signal, changed: () => {},
    reload: view.reload,
    /** Reads the federation again, after something has been changed. */
    async refresh() {
      context.federation = await get(path, {}, view.signal);
      head.replaceChildren(...heading(context.federation));
      head.querySelector(".title").append(actions(context));
    },
  };
  const head = el("div", { class: "head" }, heading(federation));
  head.querySelector(".title").append(actions(context));
  const isAdminOnly = name => name === "access" || name === "log";
  const tabs = el("nav", { class: "tabs", "aria-label": "Parts of the federation" }, parts
    .filter(([name]) => session.isAdmin || !isAdminOnly(name))
    .map(([name, title]) => el("a", { href: link(id, name), "aria-current": name === part ? "page" : undefined }, title)));
  const content = await make(context);
  const title = parts.find(([name]) => name === part)?.[1] ?? "";
  view.show(`${id} · ${title}`, head, tabs, ...[content].flat());
  tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  follow(id, round.revision, view.signal, async now => {
    const words = news(context.round, now);
    const state = context.federation.state;
    if (words) announce(words);
    context.round = now;
    // A state changes with a step as well; settings are small enough to be read again where it may have.
    if (words || now.revision % 16 === 0 || state !== "running") await context.refresh();
    await context.changed(now, Boolean(words));
  });
}
