/// The script and the style of curves, for pages of one file and for pages of a server.
package enum ChartDrawing {
    /// Defines `drawCharts`, which draws curves at the width of the page, and again when the width changes.
    static let functions = #"""
        "use strict";
        const dashes = ["", "7 4", "2 4", "10 4 2 4", "14 5", "4 3 1 3", "1 3", "9 3 3 3"];
        const svgNames = "http://www.w3.org/2000/svg";
        function make(name, attributes, parent) {
          const node = document.createElementNS(svgNames, name);
          for (const key in attributes) node.setAttribute(key, attributes[key]);
          parent.append(node);
          return node;
        }
        function add(name, text, parent, className) {
          const node = document.createElement(name);
          if (text) node.textContent = text;
          if (className) node.className = className;
          parent.append(node);
          return node;
        }
        function sample(index, parent) {
          const icon = make("svg", { width: 28, height: 10, viewBox: "0 0 28 10", "aria-hidden": true }, parent);
          icon.style.cssText = "width:28px;flex:none";
          make("line", stroke(index, { x1: 1, x2: 27, y1: 5, y2: 5 }), icon);
        }
        function stroke(index, attributes) {
          return Object.assign({
            stroke: `var(--c${index % 8})`, "stroke-width": 2.25, "stroke-dasharray": dashes[index % 8], fill: "none",
            "stroke-linejoin": "round",
          }, attributes);
        }
        function steps(low, high, count) {
          const raw = (high - low) / count || 1;
          const power = 10 ** Math.floor(Math.log10(raw));
          const step = [1, 2, 2.5, 5, 10].map(x => x * power).find(x => x >= raw);
          const marks = [];
          for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) marks.push(at);
          return { marks, places: Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0)) };
        }
        function chart(holder, step, kind, which, series, hidden, labels) {
          const figure = add("figure", "", holder);
          const caption = add("figcaption", kind.name + " ", figure);
          add("span", kind.unit, caption);
          const svg = make("svg", { tabindex: 0, role: "img", "aria-label": `${kind.name} by ${step}` }, figure);
          const tip = add("div", "", figure, "tip");
          tip.hidden = true;
          let scale = null;
          let round = null;
          function shown() {
            return series.filter(one => !hidden.has(one.label)).map(one => ({ one, index: labels.indexOf(one.label) }));
          }
          function values(one, part) { return one.curves[which][part].map(x => Number(x) * kind.factor); }
          function draw() {
            const width = Math.max(240, svg.clientWidth);
            const height = Math.round(Math.min(320, Math.max(220, width * 0.56)));
            svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
            svg.setAttribute("height", height);
            svg.replaceChildren();
            const visible = shown();
            const rounds = Math.max(1, ...visible.map(x => x.one.curves[which].mean.length));
            let low = Infinity, high = -Infinity;
            for (const { one } of visible) {
              for (const x of values(one, "low")) if (Number.isFinite(x)) low = Math.min(low, x);
              for (const x of values(one, "high")) if (Number.isFinite(x)) high = Math.max(high, x);
            }
            if (!(low <= high)) { low = 0; high = 1; }
            if (kind.fromZero) low = 0;
            const room = (high - low || 1) * 0.05;
            if (!kind.fromZero) low = Math.max(0, low - room);
            high = Math.min(kind.limit ?? Infinity, high + room);
            const vertical = steps(low, high, 5), horizontal = steps(1, rounds, width < 420 ? 4 : 8);
            const widest = Math.max(...vertical.marks.map(x => x.toFixed(vertical.places).length));
            const left = 12 + widest * 7, right = 18, top = 8, bottom = 34;
            const x = r => left + (rounds > 1 ? (r - 1) / (rounds - 1) : 0.5) * (width - left - right);
            const y = v => top + (1 - (v - low) / (high - low)) * (height - top - bottom);
            scale = { x, y, rounds, left, right, top, bottom, width, height };
            for (const mark of vertical.marks) {
              make("line", { class: "grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) }, svg);
              const text = make("text", { x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, svg);
              text.textContent = mark.toFixed(vertical.places);
            }
            const marks = horizontal.marks.filter(mark => Number.isInteger(mark) && mark >= 1);
            if (rounds > 1 && !marks.includes(1)) marks.unshift(1);
            for (const mark of marks) {
              const text = make("text", { x: x(mark), y: height - 18, "text-anchor": "middle" }, svg);
              text.textContent = mark;
            }
            const name = make("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, svg);
            name.textContent = step;
            for (const { one, index } of visible) {
              const low = values(one, "low"), high = values(one, "high"), mean = values(one, "mean");
              const points = list => list.map((v, i) => [x(i + 1), y(v)]).filter(p => Number.isFinite(p[1]));
              const text = list => list.map(p => p.map(n => n.toFixed(1)).join(",")).join(" ");
              make("polygon", {
                points: text([...points(high), ...points(low).reverse()]), fill: `var(--c${index % 8})`, opacity: 0.16,
              }, svg);
              make("polyline", stroke(index, { points: text(points(mean)) }), svg);
              if (mean.length === 1) {
                make("circle", { cx: x(1), cy: y(mean[0]), r: 4, fill: `var(--c${index % 8})` }, svg);
              }
            }
            point(round);
          }
          function point(at) {
            round = at;
            svg.querySelectorAll(".mark").forEach(node => node.remove());
            tip.hidden = at === null;
            if (at === null || !scale) return;
            const { x, y, top, bottom, height, width } = scale;
            make("line", { class: "cross mark", x1: x(at), x2: x(at), y1: top, y2: height - bottom }, svg);
            tip.replaceChildren();
            add("b", `${step} ${at}`, tip);
            const rows = shown().map(({ one, index }) => {
              const part = name => values(one, name)[at - 1];
              return { index, label: one.label, mean: part("mean"), low: part("low"), high: part("high") };
            }).filter(row => row.mean !== undefined);
            const down = kind.isHigherBetter ? 1 : -1;
            rows.sort((one, other) => down * (other.mean - one.mean));
            for (const row of rows) {
              if (Number.isFinite(row.mean)) {
                const colour = `var(--c${row.index % 8})`;
                make("circle", { class: "mark", cx: x(at), cy: y(row.mean), r: 3.5, fill: colour }, svg);
              }
              const line = add("div", "", tip);
              sample(row.index, line);
              add("span", row.label, line);
              const range = row.high > row.low
                ? ` (${row.low.toFixed(kind.places)}–${row.high.toFixed(kind.places)})` : "";
              add("span", row.mean.toFixed(kind.places) + range, line);
            }
            const box = svg.getBoundingClientRect(), frame = figure.getBoundingClientRect();
            const place = box.left - frame.left + x(at) * box.width / width;
            const after = place + 14 + tip.offsetWidth <= figure.clientWidth;
            const before = place - 14 - tip.offsetWidth;
            tip.style.left = (after ? place + 14 : Math.max(4, before)) + "px";
            tip.style.top = box.top - frame.top + (after || before >= 4 ? top : height) + "px";
          }
          function follow(event) {
            const box = svg.getBoundingClientRect();
            const at = (event.clientX - box.left) * scale.width / box.width;
            const share = (at - scale.left) / (scale.width - scale.left - scale.right);
            point(Math.round(Math.min(1, Math.max(0, share)) * (scale.rounds - 1)) + 1);
          }
          svg.addEventListener("pointermove", follow);
          svg.addEventListener("pointerdown", follow);
          svg.addEventListener("pointerleave", () => point(null));
          svg.addEventListener("blur", () => point(null));
          svg.addEventListener("keydown", event => {
            const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            if (!by) { if (event.key === "Escape") point(null); return; }
            event.preventDefault();
            point(Math.min(scale.rounds, Math.max(1, (round ?? (by > 0 ? 0 : scale.rounds + 1)) + by)));
          });
          new ResizeObserver(draw).observe(svg);
          return draw;
        }
        // Fills `holder` with a chart for each kind and a legend. Labels keep their colours: those of their places in
        // `labels`. What it returns draws other series of the same kinds.
        function drawCharts(holder, group, labels) {
          const { step, kinds } = group;
          const series = [...group.series];
          const hidden = new Set();
          const legend = add("div", "", holder, "legend");
          const charts = kinds.map((kind, which) => chart(holder, step, kind, which, series, hidden, labels));
          function listSeries() {
            legend.replaceChildren();
            for (const one of series) {
              const button = add("button", "", legend);
              button.type = "button";
              button.setAttribute("aria-pressed", !hidden.has(one.label));
              sample(labels.indexOf(one.label), button);
              add("span", one.label, button);
              button.addEventListener("click", () => {
                if (!hidden.delete(one.label)) hidden.add(one.label);
                button.setAttribute("aria-pressed", !hidden.has(one.label));
                charts.forEach(draw => draw());
              });
            }
          }
          listSeries();
          return other => {
            series.splice(0, series.length, ...other);
            listSeries();
            charts.forEach(draw => draw());
          };
        }
        """#

    /// A module for browsers that exports `drawCharts(holder, group, labels)`. `group` is as JSON has a `ChartGroup`;
    /// `holder` has the class `charts`.
    package static let module = functions + "\nexport { drawCharts };\n"
}
