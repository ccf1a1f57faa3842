// A form over a federation's settings. What each setting is called, takes and means is in settings.json.

import { el, field } from "./elements.js";

let settings;

/** The groups of settings, with their fields. */
export async function loadSettings() {
  settings ??= await (await fetch("settings.json")).json();
  return settings;
}

/** The value of a setting by its key; undefined where it is not there. Parameters stand beside the strategy's other keys. */
export function valueAt(object, key) {
  if (key === "strategy.parameters") {
    const { name, weighting, sum, ...others } = object?.strategy ?? {};
    return others;
  }
  return key.split(".").reduce((value, part) => value?.[part], object);
}

function put(object, key, value) {
  const path = key.split(".");
  const last = path.pop();
  let place = object;
  for (const part of path) place = place[part] ??= {};
  place[last] = value;
}

/** Whether two values are the same as JSON. null is as good as absent, and the order of names does not count. */
export function isSame(one, other) {
  if (one === null || one === undefined || other === null || other === undefined) return (one ?? null) === (other ?? null);
  if (typeof one !== "object" || typeof other !== "object") return one === other;
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].every(name => isSame(one[name], other[name]));
}

const numbers = text => text.split("x").map(Number);

/** Modules as lines, and lines as modules. */
const modules = {
  write: value => Object.entries(value ?? {}).map(([name, one]) => [name, one.in, one.out,
    one.max_rank && `rank=${one.max_rank}`, one.alpha && `alpha=${one.alpha}`, one.kernel && `kernel=${one.kernel.join("x")}`,
    one.experts && `experts=${one.experts}`, one.embedding && "embedding", one.bias && "bias"].filter(Boolean).join(" ")).join("\n"),
  read(text) {
    const found = {};
    for (const line of text.split("\n").map(one => one.trim()).filter(Boolean)) {
      const [name, inputs, outputs, ...more] = line.split(/\s+/);
      const one = { in: Number(inputs), out: Number(outputs) };
      if (!Number.isInteger(one.in) || !Number.isInteger(one.out)) throw new Error(`Expected a path, inputs and outputs, such as fc1 64 200; found “${line}”.`);
      for (const word of more) {
        const [key, value] = word.split("=");
        if (key === "rank") one.max_rank = Number(value);
        else if (key === "alpha" || key === "experts") one[key] = Number(value);
        else if (key === "kernel") one.kernel = numbers(value);
        else if (word === "embedding" || word === "bias") one[word] = true;
        else throw new Error(`Expected rank=, alpha=, kernel=, experts=, embedding or bias; found “${word}” at ${name}.`);
      }
      if (found[name]) throw new Error(`The module ${name} is there twice.`);
      found[name] = one;
    }
    return found;
  },
};

/** Dense tensors as lines, and lines as dense tensors. */
const dense = {
  write: value => Object.entries(value ?? {}).map(([name, one]) => {
    const shape = Array.isArray(one) ? one : one.shape;
    const first = Array.isArray(one) || one.init === "base" ? "" : typeof one.init === "object" ? ` normal=${one.init.normal}` : ` ${one.init ?? ""}`;
    return `${name} ${shape.join("x")}${first}`.trim();
  }).join("\n"),
  read: text => Object.fromEntries(text.split("\n").map(one => one.trim()).filter(Boolean).map(line => {
    const [name, shape, first = "base"] = line.split(/\s+/);
    if (!shape || numbers(shape).some(one => !Number.isInteger(one))) throw new Error(`Expected a name and a shape, such as head.bias 10; found “${line}”.`);
    return [name, { shape: numbers(shape), init: first.startsWith("normal=") ? { normal: Number(first.slice(7)) } : first }];
  })),
};

function area(rows) { return el("textarea", { rows, spellcheck: "false", autocomplete: "off" }); }

/** The input of a setting, with `read` and `write`. What `read` answers as undefined is left out. */
function input(one, strategies) {
  const emptyValue = one.absent === undefined ? undefined : null;
  switch (one.kind) {
    case "flag": {
      const node = el("input", { type: "checkbox" });
      return { node, read: () => node.checked, write: value => { node.checked = Boolean(value); } };
    }
    case "choice":
    case "strategies": {
      const choices = one.kind === "choice" ? one.choices : strategies;
      const node = el("select", {}, choices.map(value => el("option", { value }, value || one.absent)));
      return {
        node, read: () => node.value === "" ? emptyValue : one.integer ? Number(node.value) : node.value,
        write: value => { node.value = value ?? ""; },
      };
    }
    case "integer":
    case "number": {
      const node = el("input", { type: "number", step: one.kind === "integer" ? 1 : "any", placeholder: one.absent });
      return { node, read: () => node.value === "" ? emptyValue : Number(node.value), write: value => { node.value = value ?? ""; } };
    }
    case "modules":
    case "dense": {
      const lines = one.kind === "modules" ? modules : dense;
      const node = area(one.kind === "modules" ? 6 : 2);
      return { node, read: () => lines.read(node.value), write: value => { node.value = lines.write(value); } };
    }
    case "json": {
      const node = area(3);
      return {
        node,
        read() {
          if (node.value.trim() === "") return one.absent === undefined ? {} : null;
          try { return JSON.parse(node.value); } catch (error) { throw new Error(`Expected JSON: ${error.message}.`); }
        },
        write: value => { node.value = value === undefined || value === null || Object.keys(value).length === 0 ? "" : JSON.stringify(value, null, 1); },
      };
    }
    case "retention": return retention();
    default: {
      const node = el("input", { type: "text", placeholder: one.absent, required: one.required, spellcheck: "false", autocomplete: "off" });
      return { node, read: () => node.value.trim() === "" ? emptyValue : node.value.trim(), write: value => { node.value = value ?? ""; } };
    }
  }
}

/** Which adapters are kept: all, or some. */
function retention() {
  const which = el("select", {}, el("option", { value: "all" }, "all"), el("option", { value: "some" }, "some"));
  const last = el("input", { type: "number", min: 1, value: 10 });
  const best = el("input", { type: "checkbox" });
  const every = el("input", { type: "number", min: 1, placeholder: "none" });
  const some = el("div", { class: "row" }, field("The newest", last), field("Every so many rounds", every), field("The best", best));
  const show = () => { some.hidden = which.value === "all"; };
  which.addEventListener("change", show);
  return {
    node: which, beside: some,
    read: () => which.value === "all" ? "all"
      : { last: Number(last.value), best: best.checked, every: every.value === "" ? null : Number(every.value) },
    write(value) {
      which.value = typeof value === "object" ? "some" : "all";
      if (typeof value === "object") {
        [last.value, best.checked, every.value] = [value.last ?? 1, value.best ?? false, value.every ?? ""];
      }
      show();
    },
  };
}

/** A form of some groups. `read` answers settings, and throws where an input cannot be read; `fill` shows settings. */
export function formOf(groups, filled, strategies = ["rbla"]) {
  const inputs = [];
  const node = el("div", { class: "form" }, groups.map(group => el("fieldset", { "data-group": group.id },
    group.title ? el("legend", {}, group.title) : undefined, group.about ? el("p", { class: "about" }, group.about) : undefined,
    el("div", { class: "fields" }, group.fields.map(one => {
      const made = input(one, strategies);
      const holder = el("div", { class: ["modules", "json", "dense"].includes(one.kind) ? "whole" : "" }, field(one.label, made.node, one.about), made.beside);
      inputs.push({ one, made, holder });
      return holder;
    })))));
  const isTemplate = () => inputs.find(({ one }) => one.key === "adapter.template")?.made.read() ?? false;
  /** With a template, the adapter's other settings come from it. */
  function hide() {
    for (const { one, holder } of inputs) holder.hidden = isTemplate() && one.key.startsWith("adapter.") && one.key !== "adapter.template";
  }
  node.addEventListener("input", hide);
  const form = {
    node,
    /** With `keepsNull`, what is empty is written as null, to take back what was set before. */
    read(keepsNull = false) {
      const settings = {};
      for (const { one, made, holder } of inputs) {
        if (holder.hidden) continue;
        made.node.removeAttribute("aria-invalid");
        let value;
        try {
          value = made.read();
        } catch (error) {
          made.node.setAttribute("aria-invalid", "true");
          throw error;
        }
        if (value === undefined || (value === null && !keepsNull && isSame(one.default, null))) continue;
        if (one.key === "adapter.template" && !value) continue;
        if (one.key === "strategy.parameters") Object.assign(settings.strategy ??= {}, value);
        else put(settings, one.key, value);
      }
      return settings;
    },
    fill(settings) {
      for (const { one, made } of inputs) made.write(valueAt(settings, one.key) ?? (valueAt(settings, one.key) === null ? undefined : one.default));
      hide();
    },
    /** Marks the input that the server's words are about. */
    mark(words) {
      const wrong = inputs.filter(({ one }) => words.includes(one.key) || words.toLowerCase().startsWith(one.key))
        .sort((first, second) => second.one.key.length - first.one.key.length)[0];
      wrong?.made.node.setAttribute("aria-invalid", "true");
      wrong?.made.node.focus();
    },
  };
  form.fill(filled);
  return form;
}
