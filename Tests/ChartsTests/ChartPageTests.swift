import Charts
import Foundation
import Testing

@Suite struct ChartPageTests {
    private func page(_ text: String, _ values: [Double] = [0.5]) throws -> String {
        let curve = ChartCurve(mean: values, low: values, high: values)
        let charts = ChartGroup(
            step: text, kinds: [.init(name: text, unit: text, factor: 100, places: 2)],
            series: [.init(label: text, curves: [curve])])
        let section = ChartPage.Section(
            title: text, about: text, charts: charts,
            table: ChartTable(columns: [text, text], rows: [[text, text]]))
        return try ChartPage(title: text, about: text, sections: [section]).html()
    }

    @Test func `no text of a page is read as markup`() throws {
        let html = try page("</script><b>\"&")
        #expect(!html.contains("<b>"))
        // The page's own two elements end, and nothing else does.
        #expect(html.components(separatedBy: "</script>").count == 3)
        #expect(html.components(separatedBy: "&lt;/script&gt;&lt;b&gt;&quot;&amp;").count == 10)
    }

    @Test func `a page asks nothing of a network`() throws {
        let html = try page("name")
        for word in ["src=", "href=", "@import", "url(", "fetch(", "https://"] { #expect(!html.contains(word)) }
    }

    @Test func `the script finds the curves of every chart in the order of its kinds`() throws {
        let html = try page("name", [0.25, .infinity, .nan])
        let start = try #require(html.firstRange(of: #"id="data">"#)).upperBound
        let end = try #require(html[start...].firstRange(of: "</script>")).lowerBound
        #expect(
            html[start..<end] == """
                [{"kinds":[{"factor":100,"fromZero":false,"isHigherBetter":false,"name":"name","places":2,"unit":"name"}],\
                "series":[{"curves":[{"high":[0.25,"inf","nan"],"low":[0.25,"inf","nan"],"mean":[0.25,"inf","nan"]}],\
                "label":"name"}],"step":"name"}]
                """)
    }

    @Test func `a table names its rows by their first cells`() {
        let table = ChartTable(columns: ["strategy", "loss"], rows: [["rbla", "0.5"], ["a<b", "1"]])
        #expect(
            table.markdown == """
                | strategy | loss |
                | --- | --- |
                | `rbla` | 0.5 |
                | `a<b` | 1 |

                """)
        #expect(table.html.contains(#"<th scope="row">a&lt;b</th><td>1</td>"#))
    }
}
