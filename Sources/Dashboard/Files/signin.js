// Signs in with a token. The token stays in this tab.

import { get, session } from "./api.js";
import { el, field } from "./elements.js";

/** Asks the server whom the token of this tab stands for. */
export async function identify() {
  session.caller = await get("/v1/caller");
  if (session.caller.role === "enrolment") {
    session.caller = null;
    throw new Error("This is an enrolment token: it registers clients and reads nothing. Take a reader token.");
  }
}

/** The page that asks for a token. `done` is called once it is a good one. */
export function signIn(main, reason, done) {
  const input = el("input", {
    type: "password", name: "token", required: true, autocomplete: "off", spellcheck: "false", autofocus: true,
    "aria-required": "true",
  });
  const failure = el("p", { class: "failure", role: "alert", hidden: !reason }, reason ?? "");
  const send = el("button", { class: "primary" }, "Sign in");
  const form = el("form", { class: "card signin" },
    el("h1", {}, "Sign in"),
    el("p", {}, "With the admin's token you see and change all federations. With a reader's token you see one."),
    field("Token", input, "It stays in this tab: closing the tab forgets it."),
    failure,
    send,
    el("details", {}, el("summary", {}, "Where is my token?"),
      el("p", {}, "The server writes the admin's token into its data folder when it starts first:"),
      el("pre", {}, "cat DATA/admin.token"),
      el("p", {}, "A reader token is shown when a federation is created. The admin makes more under “Access”.")));
  form.addEventListener("submit", async event => {
    event.preventDefault();
    failure.hidden = true;
    send.disabled = true;
    const token = input.value.trim();
    try {
      if (!/^[\x21-\x7e]+$/.test(token)) throw new Error("A token has no spaces and only letters, digits and signs.");
      session.token = token;
      await identify();
      done();
    } catch (error) {
      session.token = null;
      failure.textContent = error.status === 401
        ? "The server does not know this token. It may have expired, or belong to another server." : error.message;
      failure.hidden = false;
      input.select();
    } finally {
      send.disabled = false;
    }
  });
  main.replaceChildren(form);
  input.focus();
}
