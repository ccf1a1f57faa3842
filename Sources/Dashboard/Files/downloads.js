// What the federation has published, with the lines that open it in PEFT.

import { download, get, session } from "./api.js";
import { button, el, empty, field, paste, progress, section } from "./elements.js";
import { bytes } from "./format.js";

/** A button that downloads one file and shows how far it is. */
function file(path, name, about) {
  const holder = el("div", { class: "file" });
  const send = button("Download", async () => {
    const work = progress(`Asking for ${name}`);
    holder.append(work.node);
    try {
      const length = await download(path().path, path().query, name, (received, whole) =>
        work.set(whole ? received / whole : undefined, `${bytes(received)}${whole ? ` of ${bytes(whole)}` : ""}`));
      work.set(1, `${name}, ${bytes(length)}`);
    } catch (error) {
      work.node.replaceChildren(el("p", { class: "failure", role: "alert" }, error.message));
    }
    setTimeout(() => work.node.remove(), 10000);
  }, { label: `Download ${name}` });
  holder.append(el("div", { class: "line" }, el("span", {}, el("code", {}, name), el("small", {}, about)), send));
  return holder;
}

function python(context, folder) {
  const base = context.federation.settings.base_model.name;
  const model = `model = PeftModel.from_pretrained(base, "${folder}")`;
  // A name with a slash is one of Hugging Face. Of others only the clients know where they come from.
  return base.includes("/") ? `from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("${base}")
${model}` : `from peft import PeftModel

base = ...  # the frozen model ${base}, as the clients have it
${model}`;
}

function curl(context, path, query, folder) {
  const words = new URLSearchParams(query).toString();
  const address = name => `${location.origin}${path}/${name}${words ? `?${words}` : ""}`;
  return `mkdir -p ${folder}
curl -f -H "Authorization: Bearer $RANKWISE_TOKEN" -o ${folder}/adapter_model.safetensors \\
  "${address("adapter")}"
curl -f -H "Authorization: Bearer $RANKWISE_TOKEN" -o ${folder}/adapter_config.json \\
  "${address("adapter_config.json")}"`;
}

/** The page. */
export async function downloadsPage(context) {
  const { federation } = context;
  if (federation.state === "draft") return empty("There is no adapter yet: the federation waits for its template.");
  const { rounds } = await get(`${context.path}/rounds`, { limit: 100 }, context.signal);
  const published = rounds.filter(one => one.adapter);
  const highest = federation.settings.adapter.max_rank;
  const round = el("select", {}, published.map(one => el("option", { value: one.round }, `Round ${one.round}, ${bytes(one.adapter.bytes)}`)),
    el("option", { value: 0 }, "Round 0, before any training"));
  const rank = el("input", { type: "number", min: 1, max: highest, value: highest, class: "narrow" });
  const type = el("select", {}, ["F32", "F16", "BF16"].map(name => el("option", {}, name)));
  type.value = federation.settings.adapter.dtype ?? "F32";
  const holder = el("div", { class: "stack" });
  const hasMerges = published.some(one => one.adapter.merge);
  function draw() {
    const number = Number(round.value);
    const wanted = Math.round(Number(rank.value));
    if (!(wanted >= 1 && wanted <= highest)) return holder.replaceChildren(empty(`Ranks are whole numbers from 1 to ${highest}.`));
    const path = `${context.path}/rounds/${number}`;
    const cut = wanted === highest ? {} : { rank: wanted };
    const query = { ...cut, ...(type.value === "F32" ? {} : { dtype: type.value }) };
    const folder = `${context.id}-round-${number}${wanted === highest ? "" : `-rank-${wanted}`}`;
    holder.replaceChildren(
      section("Adapter, as PEFT has it",
        file(() => ({ path: `${path}/adapter`, query }), "adapter_model.safetensors", `round ${number}, rank ${wanted}, ${type.value}`),
        file(() => ({ path: `${path}/adapter_config.json`, query: cut }), "adapter_config.json", "belongs beside it, in the same folder"),
        el("p", { class: "quiet" }, `Put both files into a folder, such as ${folder}.`),
        paste("Open it in Python", python(context, folder)),
        paste("Download it with curl", curl(context, path, query, folder))),
      hasMerges ? section("The whole trained model",
        el("p", {}, `${federation.settings.strategy.name} adds merges to the base. The model is all of them and the adapter as one adapter.`),
        file(() => ({ path: `${path}/model`, query }), "model.safetensors", "as one adapter; rename it to adapter_model.safetensors"),
        file(() => ({ path: `${path}/model/adapter_config.json`, query: cut }), "model_adapter_config.json", "its configuration; rename it to adapter_config.json"),
        number > 0 ? file(() => ({ path: `${path}/merge`, query: { since: 0 } }), "merge.safetensors", "what the rounds so far add to the base") : undefined) : "",
      session.isAdmin ? section("The whole federation",
        el("p", {}, "An archive has settings, rounds, log and adapters. Another server takes it with POST /v1/archives."),
        file(() => ({ path: `${context.path}/archive` }), `${context.id}.tar`, "all of it, with hashes of tokens")) : "");
  }
  for (const input of [round, rank, type]) input.addEventListener("change", draw);
  draw();
  return el("div", { class: "stack" }, el("section", { class: "card" }, el("h2", {}, "Downloads"),
    published.length === 0 ? el("p", {}, "No round has published yet. Round 0 is what clients begin with.") : undefined,
    el("div", { class: "row" }, field("Round", round), field(`Rank, 1 to ${highest}`, rank), field("Numbers", type))), holder);
}
