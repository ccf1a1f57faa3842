// What the admin does to a federation: its state, its policy, its tokens, its end.

import { call, get, session, upload } from "./api.js";
import { ask, button, el, empty, field, paste, progress, section, table } from "./elements.js";
import { formOf, isSame, loadSettings, valueAt } from "./form.js";
import { bytes, count, time } from "./format.js";

function setState(context, state) {
  return async () => {
    await call("PATCH", context.path, { json: { state } });
    await context.refresh();
  };
}

function finish(context) {
  ask({
    title: `Finish ${context.id}?`, action: "Finish it", kind: "danger",
    about: "No round opens any more, and its clients end. The adapters and the log stay. This cannot be undone; a fork can go on from its adapter.",
    async submit() { await setState(context, "finished")(); },
  });
}

function remove(context) {
  const name = el("input", { name: "name", required: true, autocomplete: "off", spellcheck: "false" });
  const release = el("input", { type: "checkbox", name: "release" });
  ask({
    title: `Delete ${context.id}?`, action: "Delete it for good", kind: "danger",
    about: "Its rounds, adapters, clients and tokens go, and nothing brings them back. Only the head of its log stays. Download the archive first if you may need it.",
    fields: [field(`Type the name: ${context.id}`, name),
      field("The name may be used again", release, "Otherwise nobody can take another federation for this one.")],
    async submit(data) {
      if (data.get("name") !== context.id) throw new Error(`Expected ${context.id}; found ${data.get("name")}.`);
      await call("DELETE", context.path, { query: { release: data.has("release") } });
      location.hash = "#/";
    },
  });
}

/** The buttons beside a federation's name. */
export function actions(context) {
  if (!session.isAdmin) return "";
  const { state } = context.federation;
  return el("div", { class: "actions" },
    state === "running" || state === "waiting" ? guarded("Pause", setState(context, "paused")) : undefined,
    state === "paused" ? guarded("Resume", setState(context, "running"), "primary") : undefined,
    state === "finished" || state === "draft" ? undefined : button("Finish", () => finish(context)),
    button("Delete", () => remove(context), { kind: "danger" }));
}

/** A button whose failure is shown beside it. */
function guarded(text, action, kind) {
  const failure = el("span", { class: "failure", role: "alert" });
  return el("span", {}, button(text, async () => {
    failure.textContent = "";
    try { await action(); } catch (error) { failure.textContent = error.message; }
  }, { kind }), failure);
}

function templateCard(context) {
  const weights = el("input", { type: "file", accept: ".safetensors" });
  const config = el("input", { type: "file", accept: ".json" });
  const failure = el("p", { class: "failure", role: "alert" });
  const holder = el("div");
  const send = button("Upload", async () => {
    failure.textContent = "";
    const parts = [[weights.files[0], "template"], [config.files[0], "template/adapter_config.json"]].filter(([file]) => file);
    if (parts.length === 0) { failure.textContent = "Choose a file first."; return; }
    try {
      for (const [file, part] of parts) {
        const work = progress(`Sending ${file.name}`);
        holder.append(work.node);
        await upload(`${context.path}/${part}`, file, (sent, whole) => work.set(sent < whole ? sent / whole : undefined,
          sent < whole ? `${file.name}: ${bytes(sent)} of ${bytes(whole)}` : `${file.name}: the server reads it`));
        work.set(1, `${file.name}: taken`);
      }
      await context.reload();
    } catch (error) { failure.textContent = error.message; }
  }, { kind: "primary" });
  return section("Template", el("p", {}, "Modules, ranks, scaling and first values come from an adapter that PEFT saved. Both files are needed, in any order."),
    field("adapter_model.safetensors", weights), field("adapter_config.json", config), failure, holder, el("div", { class: "actions" }, send));
}

/** Shows what a setting is, beside what it means. */
function settingsTable(groups, settings) {
  return groups.map(group => {
    const rows = group.fields.filter(one => valueAt(settings, one.key) !== undefined);
    if (rows.length === 0) return "";
    return section(group.title, table(group.title, [
      { title: "Setting", cell: one => [one.label, el("small", {}, el("code", {}, one.key))] },
      { title: "Value", cell: one => {
        const value = valueAt(settings, one.key);
        if (value === null) return one.absent ?? "none";
        return typeof value === "object" ? el("code", {}, JSON.stringify(value)) : String(value);
      }, wide: true },
      { title: "What it means", cell: one => one.about, wide: true },
    ], rows));
  });
}

function change(context, groups, title, key, about) {
  const group = groups.find(one => one.id === key);
  const settings = context.federation.settings;
  const form = formOf([{ ...group, title: undefined, about: undefined }], settings);
  const dialog = ask({
    title, about, action: "Change", fields: [form.node],
    async submit() {
      const wanted = form.read(true)[key];
      const changed = Object.fromEntries(Object.entries(wanted).filter(([name, value]) =>
        !isSame(value, settings[key][name])));
      if (Object.keys(changed).length === 0) throw new Error("Nothing is changed yet.");
      await call("PATCH", context.path, { json: { [key]: key === "retention" ? wanted : changed } });
      await context.reload();
    },
  });
  dialog.classList.add("large");
}

/** The page of the settings. */
export async function settingsPage(context) {
  const groups = await loadSettings();
  const { settings, state } = context.federation;
  const modules = Object.keys(settings.adapter.modules ?? {}).length;
  return el("div", { class: "stack" },
    state === "draft" && session.isAdmin ? templateCard(context) : "",
    session.isAdmin ? section("Change",
      el("p", {}, "The policy of rounds takes effect with the next round, retention at once. All other settings stay as they are: a fork can have others."),
      el("div", { class: "actions" },
        state === "finished" ? undefined : button("Change the policy", () => change(context, groups, "Policy of rounds", "round", "It takes effect with the next round; a deadline that is set already stays.")),
        button("Change retention", () => change(context, groups, "Retention", "retention", "It takes effect at once: adapters that it does not keep are deleted.")),
        button("Fork", () => fork(context)))) : "",
    settingsTable(groups, settings),
    section("As JSON", el("p", { class: "quiet" }, `${count(modules)} modules. POST /v1/federations takes these settings, with another id.`),
      paste("Settings", JSON.stringify(settings, null, 2))));
}

function fork(context) {
  const name = el("input", { name: "id", required: true, pattern: "[a-z0-9][a-z0-9._\\-]{0,63}", autocomplete: "off" });
  const round = el("input", { name: "round", type: "number", min: 0, placeholder: "newest" });
  ask({
    title: `Fork ${context.id}`, action: "Create the fork",
    about: "A new federation with the same settings that begins with an adapter of this one.",
    fields: [field("Name", name, "1 to 64 of a-z, 0-9, “.”, “_” and “-”"), field("Round whose adapter it begins with", round)],
    async submit(data) {
      const json = { id: data.get("id"), settings: {} };
      if (data.get("round")) json.round = Number(data.get("round"));
      showTokens(await call("POST", `${context.path}/fork`, { json }));
    },
  });
}

/** Shows a new federation's tokens, which the server does not show again. */
export function showTokens(created) {
  const close = el("button", { class: "primary" }, "I have kept them");
  const dialog = el("dialog", { "aria-labelledby": "tokens-title", class: "large" }, el("form", { method: "dialog" },
    el("h2", { id: "tokens-title" }, `${created.id} is created`),
    el("p", {}, "These tokens are shown this once. The server keeps only their hashes; you can make others under “Access”."),
    paste("Enrolment token, for clients to register with", created.enrolment_token),
    paste("Reader token, for those who look and download", created.reader_token),
    join(created.id, created.enrolment_token),
    el("div", { class: "actions" }, close)));
  dialog.addEventListener("close", () => {
    dialog.remove();
    location.hash = `#/f/${encodeURIComponent(created.id)}`;
  });
  document.body.append(dialog);
  dialog.showModal();
}

function join(id, token) {
  return paste("A client joins with", `RANKWISE_TOKEN=${token} rankwise-client join ${location.origin} \\
  --federation ${id} --name edge-01 --rank 8 --data data.csv`);
}

function issue(context, done) {
  const role = el("select", { name: "role" }, el("option", { value: "reader" }, "reader: sees and downloads"),
    el("option", { value: "enrolment" }, "enrolment: registers clients"));
  const days = el("input", { name: "days", type: "number", min: 1, max: 3650, placeholder: "no end" });
  const uses = el("input", { name: "uses", type: "number", min: 1, max: 1000000, placeholder: "any number" });
  ask({
    title: "Issue a token", action: "Issue it", kind: "primary",
    fields: [field("Role", role), field("Good for so many days", days), field("Clients that it may register", uses, "Only for enrolment tokens.")],
    async submit(data) {
      const json = { role: data.get("role") };
      if (data.get("days")) json.expires_at = new Date(Date.now() + data.get("days") * 86400000).toISOString();
      if (data.get("uses")) json.uses = Number(data.get("uses"));
      const made = await call("POST", `${context.path}/tokens`, { json });
      await done(made);
    },
  });
}

/** The page of tokens, and of how clients join. */
export async function accessPage(context) {
  const holder = el("div");
  const fresh = el("div");
  async function draw() {
    const { tokens } = await get(`${context.path}/tokens`, {}, context.signal);
    holder.replaceChildren(tokens.length === 0 ? empty("There is no token. Without an enrolment token no client can register.") : table("Tokens", [
      { title: "Token", cell: one => one.id },
      { title: "Role", cell: one => one.role },
      { title: "Made", cell: one => time(one.created_at) },
      { title: "Ends", cell: one => one.expires_at ? time(one.expires_at) : "never" },
      { title: "Uses left", cell: one => one.uses_left === null ? "any number" : count(one.uses_left), number: true },
      { title: "", cell: one => button("Withdraw", () => withdraw(one.id), { kind: "small danger", label: `Withdraw token ${one.id}` }) },
    ], tokens));
  }
  function withdraw(id) {
    ask({
      title: `Withdraw token ${id}?`, action: "Withdraw it", kind: "danger",
      about: "Whoever uses it is refused from now on, and its open calls end. Clients that have registered with it stay.",
      async submit() { await call("DELETE", `${context.path}/tokens/${encodeURIComponent(id)}`); await draw(); },
    });
  }
  await draw();
  return el("div", { class: "stack" },
    el("section", { class: "card" }, el("div", { class: "title" }, el("h2", {}, "Tokens"),
      button("Issue a token", () => issue(context, async made => {
        fresh.replaceChildren(paste(`New ${made.role} token; it is shown this once`, made.token));
        await draw();
      }), { kind: "primary" })), fresh, holder),
    section("How clients join",
      el("p", {}, "A client needs an enrolment token, its own data and a rank that its machine can afford. Repeat this for each client, with a name of its own."),
      join(context.id, "ENROLMENT-TOKEN")));
}
