// Makes elements of the page. Text from the server is never read as markup.

const svgNames = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== undefined && child !== null && child !== false));
  return node;
}

/** An HTML element. Attributes that are undefined, null or false are left out. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNames, name), attributes, children);
}

/** A button that runs an action and cannot be pressed again meanwhile. */
export function button(text, action, { kind = "", label, disabled } = {}) {
  const node = el("button", { type: "button", class: kind, "aria-label": label, disabled }, text);
  node.addEventListener("click", async () => {
    node.disabled = true;
    try { await action(); } finally { node.disabled = false; }
  });
  return node;
}

/** A table. Columns have a title, a cell for each row, and `number` where they are right-aligned. */
export function table(caption, columns, rows, { more = 50 } = {}) {
  const body = el("tbody", { role: "rowgroup" });
  // The roles are written out, because a phone shows the table as a list, and a list has no columns by itself.
  const show = some => body.append(...some.map(row => el("tr", { role: "row" }, columns.map((column, index) => {
    const cell = column.cell(row);
    return el(index ? "td" : "th", {
      scope: index ? undefined : "row", role: index ? "cell" : "rowheader", class: column.number ? "number" : column.wide ? "wide" : undefined,
      "data-title": column.title,
    }, cell === undefined || cell === null || cell === "" ? "–" : cell);
  }))));
  show(rows.slice(0, more));
  const holder = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", { role: "table" }, el("caption", { class: "unseen" }, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, columns.map(column =>
        el("th", { scope: "col", role: "columnheader", class: column.number ? "number" : undefined },
          column.title || el("span", { class: "unseen" }, "Action"))))),
      body));
  if (rows.length <= more) return holder;
  const rest = el("button", { type: "button", class: "more" }, `Show all ${rows.length.toLocaleString("en")}`);
  rest.addEventListener("click", () => { show(rows.slice(more)); rest.remove(); });
  return el("div", {}, holder, rest);
}

/** Figures with their names. */
export function tiles(pairs) {
  return el("dl", { class: "tiles" }, pairs.filter(Boolean).map(([name, value, note]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value, note ? el("small", {}, note) : undefined))));
}

/** A section with a heading. */
export function section(title, ...children) {
  return el("section", { class: "card" }, el("h2", {}, title), ...children);
}

/** Text in which long digests are short; their whole length is in their titles. */
export function withDigests(text) {
  return (text ?? "").split(/(sha256:[0-9a-f]{64})/).map((part, index) =>
    index % 2 ? el("code", { title: part }, `${part.slice(7, 19)}…`) : part);
}

/** Says that there is nothing, and what to do about it. */
export function empty(...children) { return el("p", { class: "empty" }, ...children); }

/** Text to paste, with a button that copies it. */
export function paste(label, text) {
  const copy = el("button", { type: "button", class: "copy", "aria-label": `Copy: ${label}` }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Select the text and press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  return el("figure", { class: "paste" }, el("figcaption", {}, label, copy),
    el("pre", { tabindex: 0, role: "region", "aria-label": label }, text));
}

/** A dialog with a form. `submit` runs when its button is pressed; what it throws is shown, and the dialog stays. */
export function ask({ title, about, fields = [], action, kind = "primary", submit }) {
  const failure = el("p", { class: "failure", role: "alert", hidden: true });
  const send = el("button", { class: kind }, action);
  const close = el("button", { type: "button" }, "Cancel");
  const form = el("form", { method: "dialog" }, el("h2", { id: "dialog-title" }, title),
    about ? el("p", {}, about) : undefined, fields, failure, el("div", { class: "actions" }, close, send));
  const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async event => {
    event.preventDefault();
    send.disabled = true;
    failure.hidden = true;
    try {
      await submit(new FormData(form), dialog);
      dialog.close();
    } catch (error) {
      failure.textContent = error.message;
      failure.hidden = false;
    } finally {
      send.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A field of a form with its label and its explanation. */
export function field(label, input, about) {
  const id = `field-${++field.made}`;
  input.id = id;
  if (about) input.setAttribute("aria-describedby", `${id}-about`);
  const isFlag = input.type === "checkbox";
  const name = el("label", { for: id }, label);
  return el("div", { class: isFlag ? "field flag" : "field" }, isFlag ? [input, name] : [name, input],
    about ? el("p", { class: "about", id: `${id}-about` }, about) : undefined);
}
field.made = 0;

/** How far a long piece of work is; without a share it only says that it goes on. */
export function progress(label) {
  const bar = el("progress", { max: 1, "aria-label": label });
  const text = el("span", {}, label);
  const node = el("div", { class: "work", role: "status" }, bar, text);
  return {
    node,
    set(share, words) {
      if (share === undefined) bar.removeAttribute("value"); else bar.value = share;
      text.textContent = words;
    },
  };
}
