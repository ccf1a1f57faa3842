import Charts
import Foundation
import Testing

@testable import Simulation

@Suite struct ReportTests {
    private func record(_ round: Int, _ accuracy: Double, bytes: Int = 10) -> RoundRecord {
        RoundRecord(
            round: round, clients: 2, testAccuracy: accuracy, testLoss: 1 - accuracy, trainLoss: 0.5, bytesDown: bytes,
            bytesUp: bytes, seconds: 2)
    }

    @Test func `a row is read back exactly`() throws {
        let record = RoundRecord(
            round: 3, clients: 7, testAccuracy: 0.1 + 0.2, testLoss: 1.0 / 3, trainLoss: .infinity, bytesDown: 1 << 40,
            bytesUp: 5, seconds: 0.125)
        #expect(RoundRecord(csv: record.csv[...]) == record)
    }

    @Test(arguments: ["", "1,2,3", "a,2,0.5,0.5,0.5,1,1,1", "1,2,0.5,0.5,0.5,1,1,1,9,9", "1,2,0.5,0.5,0.5,1,1,1,x"])
    func `what is no row is refused`(line: String) { #expect(RoundRecord(csv: line[...]) == nil) }

    @Test func `seeds are taken together, and unfinished ones left out`() throws {
        let series = try #require(
            SeriesSummary(
                label: "rbla",
                runs: [
                    (seed: 2, records: [record(1, 0.7), record(2, 0.9)]),
                    (seed: 1, records: [record(1, 0.85), record(2, 0.8)]),
                    (seed: 3, records: [record(1, 0.1)]),
                ]))
        #expect(series.seeds == [1, 2])
        #expect(series.unfinished == 1)
        #expect(abs(series.finalAccuracy.mean - 0.85) < 1e-12)
        #expect(abs((series.finalAccuracy.deviation ?? 0) - 0.070_710_678) < 1e-6)
        #expect(series.roundsTo(accuracy: 0.9) == [nil, 2])
        #expect(series.accuracy.low == [0.7, 0.8])
        #expect(series.accuracy.high == [0.85, 0.9])
        #expect(series.bytes.mean == [20, 40])
        #expect(series.bytesPerRound == 20)
    }

    @Test func `a series without a round is none`() {
        #expect(SeriesSummary(label: "rbla", runs: [(seed: 1, records: [])]) == nil)
    }

    @Test func `a table has a row a strategy`() throws {
        let series = try #require(
            SeriesSummary(label: "rbla", runs: [(seed: 1, records: [record(1, 0.81, bytes: 500_000)])]))
        let table = ReportTable(ReportGroup(name: "group", about: "", series: [series]))
        #expect(table.markdown.contains("| `rbla` | 1 | 1 | 81.00% | 0.1900 | 1 | – | 1.00 | 2.0 |"))
    }

    @Test func `a page asks nothing of a network and lets no name be read as markup`() throws {
        let series = try #require(SeriesSummary(label: "</script><b>", runs: [(seed: 1, records: [record(1, 0.5)])]))
        let group = ReportGroup(name: "<i>", about: "a & b", series: [series])
        let html = try Report(title: "\"<x>\"", groups: [group]).html()
        #expect(!html.contains("<b>") && !html.contains("<i>") && !html.contains("<x>"))
        #expect(html.components(separatedBy: "</script>").count == 3)
        for word in ["src=", "href=", "@import", "url(", "fetch(", "https://"] { #expect(!html.contains(word)) }
    }

    @Test func `runs below a folder come into groups`() async throws {
        let small = try SmallFederation()
        _ = try await small.play(small.document(rounds: 1), at: "runs/one/rbla-seed9")
        _ = try await small.play(small.document(strategy: "zeropad", rounds: 1), at: "runs/one/zeropad-seed9")
        let groups = try ReportGroup.read(below: small.folder + "/runs")
        #expect(groups.map(\.name) == ["one"])
        #expect(Set(groups[0].series.map(\.label)) == ["rbla", "zeropad"])
        #expect(groups[0].about.hasPrefix("mlp-3-6-2, 4 clients, 100% of them a round, ranks 1 to 4, iid split"))
    }

    @Test func `what a group has in common is told with its mixed ranks`() async throws {
        let small = try SmallFederation()
        var plain = small.document(strategy: "fedavg", rounds: 1)
        plain.simulation.ranks = [4]
        _ = try await small.play(plain, at: "runs/one/fedavg-seed9")
        _ = try await small.play(small.document(rounds: 1), at: "runs/one/rbla-seed9")
        let groups = try ReportGroup.read(below: small.folder + "/runs")
        #expect(groups[0].series.count == 2 && groups[0].about.contains("ranks 1 to 4"))
    }

    @Test func `a folder without runs is told from one that has some`() throws {
        let small = try SmallFederation()
        #expect(throws: SimulationError.file(small.folder, reason: "holds no run: no settings.json is below it")) {
            try ReportGroup.read(below: small.folder)
        }
    }
}
