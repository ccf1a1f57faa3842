extension ChartDrawing {
    /// The colours and the style of curves, which are the same on every page.
    package static let style = #"""
        :root {
          --ground: #ffffff; --panel: #f6f7f9; --text: #1a1d21; --soft: #565d66; --line: #d5d9df;
          --c0: #0060a8; --c1: #b34700; --c2: #00734d; --c3: #8a3d8f; --c4: #7a6000; --c5: #00626f;
          --c6: #a6174b; --c7: #4d4d4d;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #14171b; --panel: #1c2026; --text: #e8eaed; --soft: #a9b0ba; --line: #363c45;
            --c0: #6bb8ff; --c1: #ff9e5e; --c2: #4fd6a5; --c3: #e08fe6; --c4: #e6c84f; --c5: #58d3e8;
            --c6: #ff85ad; --c7: #c9c9c9;
          }
        }
        .legend { display: flex; flex-wrap: wrap; gap: 8px; grid-column: 1 / -1; }
        .legend button {
          display: flex; align-items: center; gap: 8px; min-height: 36px; padding: 4px 12px; cursor: pointer;
          border: 1px solid var(--line); border-radius: 18px; background: var(--panel); color: var(--text);
          font: inherit; font-size: 0.9rem;
        }
        .legend button[aria-pressed="false"] { opacity: 0.5; text-decoration: line-through; }
        .charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin: 16px 0; }
        figure {
          position: relative; margin: 0; padding: 12px 12px 8px; background: var(--panel);
          border: 1px solid var(--line); border-radius: 10px;
        }
        figcaption { font-weight: 600; font-size: 0.95rem; margin-bottom: 4px; }
        figcaption span { font-weight: 400; color: var(--soft); }
        svg { display: block; width: 100%; touch-action: pan-y; border-radius: 4px; }
        svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .cross { stroke: var(--soft); stroke-width: 1; }
        .tip {
          position: absolute; z-index: 1; pointer-events: none; padding: 8px 10px; border-radius: 8px;
          background: var(--ground); border: 1px solid var(--line); font-size: 0.85rem; white-space: nowrap;
          box-shadow: 0 4px 16px rgb(0 0 0 / 0.2); font-variant-numeric: tabular-nums;
        }
        .tip b { display: block; }
        .tip div { display: flex; align-items: center; gap: 8px; }
        .tip div span:last-child { margin-left: auto; padding-left: 12px; }
        @media (max-width: 760px) { .charts { grid-template-columns: minmax(0, 1fr); } }
        @media print { .charts { break-inside: avoid; } }

        """#
}
