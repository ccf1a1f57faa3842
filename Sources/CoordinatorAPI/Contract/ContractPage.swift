/// The contract as a page for people. It has no script and loads nothing but its style sheet.
enum ContractPage {
    static let style = """
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
        code { font: 14px ui-monospace, monospace; background: #f2f2f2; padding: 0 .25em; }
        section { border-top: 1px solid #ccc; padding: .5rem 0; }
        table { border-collapse: collapse; }
        td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; }
        nav a { display: block; }
        @media (prefers-color-scheme: dark) {
          body { background: #161616; color: #e8e8e8; } code { background: #2a2a2a; } a { color: #8ab4f8; }
        }

        """

    static func html(version: String, routes: [RouteDeclaration]) -> String {
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Rankwise \(escaped(version)): HTTP interface</title>
        <link rel="stylesheet" href="/openapi.css">
        <h1>Rankwise \(escaped(version)): HTTP interface</h1>
        <p>For programs: <a href="/openapi.json">openapi.json</a>. Errors are RFC 9457 problems with a stable <code>code</code>.</p>
        <nav>
        \(routes.map { "<a href=\"#\($0.operationName)\"><code>\(escaped("\($0)"))</code></a>" }.joined(separator: "\n"))
        </nav>
        \(routes.map(section).joined(separator: "\n"))
        <h2 id="problems">Problems</h2>
        <table>
        \(ProblemCode.allCases.map(row).joined(separator: "\n"))
        </table>
        </html>

        """
    }

    private static func section(_ route: RouteDeclaration) -> String {
        let query = route.query.parameters.map { parameter in
            "<tr><td><code>\(escaped(parameter.name))</code></td><td>\(parameter.kind.rawValue)</td>"
                + "<td>\(escaped(parameter.meaning))</td></tr>"
        }
        let answers = route.contract.answers.map { answer in
            "<tr><td>\(answer.status)</td><td>\(escaped(answer.meaning))</td>"
                + "<td>\(answer.type.map { "<code>\(escaped($0))</code>" } ?? "")</td></tr>"
        }
        let special = route.problems.filter { $0.group != .transport }.map {
            "<a href=\"#\($0.rawValue)\"><code>\($0.rawValue)</code></a>"
        }
        return """
            <section id="\(route.operationName)">
            <h3><code>\(escaped("\(route)"))</code></h3>
            <p>\(escaped(route.summary)). Callers: \(escaped(route.callers)).</p>
            \(query.isEmpty ? "" : "<table>\n\(query.joined(separator: "\n"))\n</table>")
            <table>
            \(answers.joined(separator: "\n"))
            </table>
            <p>Problems: \(special.joined(separator: " "))</p>
            </section>
            """
    }

    private static func row(_ code: ProblemCode) -> String {
        "<tr id=\"\(code.rawValue)\"><td><code>\(code.rawValue)</code></td>"
            + "<td>\(code.statuses.map(String.init).joined(separator: ", "))</td><td>\(escaped(code.meaning))</td></tr>"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
