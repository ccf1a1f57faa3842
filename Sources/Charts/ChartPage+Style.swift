extension ChartPage {
    /// The style of what surrounds the curves.
    static let style = #"""
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--ground); color: var(--text);
          font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif;
        }
        main { max-width: 1200px; margin: 0 auto; padding: 24px 16px 64px; }
        h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 8px; }
        h2 { font-size: 1.25rem; margin: 40px 0 4px; overflow-wrap: anywhere; }
        p { margin: 0 0 16px; color: var(--soft); max-width: 75ch; }
        .scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; }
        table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
        th, td { padding: 8px 12px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
        tbody tr:last-child > * { border-bottom: 0; }
        th:first-child { text-align: left; position: sticky; left: 0; background: var(--panel); }
        thead th { background: var(--panel); color: var(--soft); font-weight: 600; }
        :focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
        @media (max-width: 760px) {
          h1 { font-size: 1.4rem; }
          main { padding: 16px 12px 48px; }
        }
        """#
}
