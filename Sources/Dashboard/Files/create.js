// Creates a federation: from a template, by a form that explains each setting, or from settings as JSON.

import { call, get, session } from "./api.js";
import { el, empty, progress } from "./elements.js";
import { formOf, loadSettings } from "./form.js";
import { showTokens } from "./admin.js";

/** The page. */
export async function createPage(view) {
  if (!session.isAdmin) return view.show("Create", empty("Only the admin creates federations. Sign in with the admin's token."));
  const [groups, templates, server] = await Promise.all([
    loadSettings(), fetch("templates.json").then(answer => answer.json()), get("/v1/server", {}, view.signal),
  ]);
  const form = formOf(groups, templates[0].settings, server.strategies);
  const failure = el("p", { class: "failure", role: "alert", hidden: true });
  const json = el("textarea", { rows: 18, spellcheck: "false", autocomplete: "off", "aria-label": "Settings as JSON" });
  const send = el("button", { class: "primary" }, "Create the federation");
  const holder = el("div");
  function fail(error) {
    failure.textContent = error.message;
    failure.hidden = false;
  }
  function write() {
    try { json.value = JSON.stringify(form.read(), null, 2); } catch { /* The form says so when it is sent. */ }
  }
  write();
  form.node.addEventListener("input", write);
  json.addEventListener("change", () => {
    try {
      form.fill(JSON.parse(json.value));
      failure.hidden = true;
    } catch (error) { fail(new Error(`Expected settings as JSON: ${error.message}.`)); }
  });
  const cards = el("fieldset", { class: "templates" }, el("legend", {}, "Begin with"), templates.map((template, index) => {
    const input = el("input", { type: "radio", name: "template", value: index, checked: index === 0 });
    input.addEventListener("change", () => { form.fill(template.settings); write(); failure.hidden = true; });
    return el("label", { class: "template" }, input, el("span", {}, el("b", {}, template.name), el("small", {}, template.about)));
  }));
  const whole = el("form", { class: "stack", novalidate: true }, cards, form.node,
    el("details", { class: "card" }, el("summary", {}, "As JSON"), el("p", { class: "about" }, "The same settings. What you change here shows in the form."), json),
    el("div", { class: "sticky" }, failure, holder, el("div", { class: "actions" }, send, el("a", { class: "button", href: "#/" }, "Cancel"))));
  whole.addEventListener("submit", async event => {
    event.preventDefault();
    failure.hidden = true;
    send.disabled = true;
    const work = progress("Creating the federation and drawing its first adapter");
    try {
      const settings = form.read();
      holder.append(work.node);
      showTokens(await call("POST", "/v1/federations", { json: settings }));
    } catch (error) {
      fail(error);
      form.mark(error.message);
    } finally {
      work.node.remove();
      send.disabled = false;
    }
  });
  view.show("Create a federation", el("p", { class: "trail" }, el("a", { href: "#/" }, "Federations")),
    el("h1", {}, "Create a federation"), whole);
}
