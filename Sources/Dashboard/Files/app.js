// Joins the pages: which one the address names, who has signed in, what is shown where a call fails.

import { ApiError, session } from "./api.js";
import { clientPage, clientsPage } from "./clients.js";
import { coveragePage } from "./coverage.js";
import { createPage } from "./create.js";
import { curvesPage } from "./curves.js";
import { downloadsPage } from "./downloads.js";
import { button, el } from "./elements.js";
import { openFederation } from "./federation.js";
import { federationsPage } from "./federations.js";
import { warn } from "./live.js";
import { logPage } from "./log.js";
import { currentPage, roundPage } from "./round.js";
import { accessPage, settingsPage } from "./admin.js";
import { identify, signIn } from "./signin.js";

const main = document.getElementById("main");
const account = document.getElementById("account");
let shown = new AbortController();

/** The pages of one federation, by the part of the address behind its name. */
const parts = {
  "": currentPage, rounds: curvesPage, coverage: coveragePage, clients: clientsPage, log: logPage,
  downloads: downloadsPage, settings: settingsPage, access: accessPage,
};

/** The page that the address names. */
function route() {
  const path = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (path[0] === "") return view => federationsPage(view);
  if (path[0] === "new" && path.length === 1) return view => createPage(view);
  if (path[0] === "f" && path[1]) {
    const [, id, part = "", name] = path;
    if (path.length === 4 && part === "rounds" && /^\d+$/.test(name)) {
      return view => openFederation(view, id, part, context => roundPage(context, Number(name)));
    }
    if (path.length === 4 && part === "clients") {
      return view => openFederation(view, id, part, context => clientPage(context, name));
    }
    if (path.length <= 3 && Object.hasOwn(parts, part)) return view => openFederation(view, id, part, parts[part]);
  }
  return async view => view.show("No such page", el("div", { class: "card" }, el("h1", {}, "No such page"),
    el("p", {}, "Nothing is at this address. "), el("a", { href: "#/" }, "All federations")));
}

/** Shows the page that the address names. What the last page still waits for is given up. */
async function show() {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  warn(null);
  main.setAttribute("aria-busy", "true");
  const view = {
    signal,
    /** Replaces the page's content, unless another page has been asked for meanwhile. */
    show(title, ...content) {
      if (signal.aborted) return;
      document.title = `${title} · Rankwise`;
      main.replaceChildren(...content);
      main.removeAttribute("aria-busy");
      main.focus({ preventScroll: true });
      scrollTo(0, 0);
    },
    reload: show,
  };
  try {
    await route()(view);
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) view.show("Error", failed(error));
  }
}

/** What is shown in place of a page that could not be made, with what to do. */
function failed(error) {
  if (!(error instanceof ApiError)) console.error(error);
  const advice = {
    0: "Check that the server runs and that you reach it, then try again.",
    403: "Sign in with a token that may do this; the admin can make one.",
    404: "It may have been deleted, or its name is another. Look at the list of federations.",
    429: "Wait a little, then try again.",
    503: "This passes by itself in most cases. If it stays, the server's log and /readyz say more.",
  }[error.status] ?? "Try again. If it stays, the server's log says more.";
  return el("section", { class: "card problem" }, el("h1", {}, error.status === 404 ? "Not found" : "This did not work"),
    el("p", { class: "failure", role: "alert" }, error.message),
    el("p", {}, advice),
    error.code ? el("p", { class: "quiet" }, `${error.status || "No answer"} · ${error.code}`) : undefined,
    el("div", { class: "actions" }, button("Try again", show, { kind: "primary" }),
      el("a", { class: "button", href: "#/" }, "All federations")));
}

function listAccount() {
  if (!session.caller) return account.replaceChildren();
  const { role, federation, client } = session.caller;
  const words = role === "admin" ? "Admin" : role === "reader" ? `Reader of ${federation}` : `Client ${client}`;
  account.replaceChildren(el("span", { class: "quiet" }, words),
    session.token ? button("Sign out", () => end()) : "");
}

/** Forgets the token and asks for one. */
function end(reason) {
  shown.abort();
  session.token = null;
  session.caller = null;
  listAccount();
  warn(null);
  document.title = "Sign in · Rankwise";
  main.removeAttribute("aria-busy");
  signIn(main, reason, begin);
}

function begin() {
  listAccount();
  const { federation } = session.caller;
  if (federation && location.hash.replace(/^#\/?/, "") === "") location.replace(`#/f/${encodeURIComponent(federation)}`);
  show();
}

/** Without a token, a server with `auth: none` serves everybody as the admin. */
async function start() {
  try {
    await identify();
    begin();
  } catch (error) {
    if (error.status === 401 || error.status === 429) {
      end(session.token ? "The token of this tab is not good any more." : undefined);
    } else {
      main.replaceChildren(failed(error));
    }
  }
}

session.expired = () => end("The server does not know this token any more. It has expired or was withdrawn.");
addEventListener("hashchange", () => { if (session.caller) show(); });
document.getElementById("skip").addEventListener("click", event => {
  event.preventDefault();
  main.focus();
});
start();
