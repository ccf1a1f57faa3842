import Foundation
import Testing

@testable import RankwiseWire

@Suite struct WireErrorTests {
    private static let whole = """
        {"id": "x", "base_model": {"name": "m"}, "adapter": {"max_rank": RANK, "modules": {"a": {"in": 1, "out": 1}}}, "seed": SEED}
        """

    private func error(rank: String = "1", seed: String = "1") -> WireError? {
        let text = Self.whole.replacingOccurrences(of: "RANK", with: rank).replacingOccurrences(of: "SEED", with: seed)
        do throws(WireError) {
            _ = try WireJSON.decodeStrictly(FederationDocument.self, from: Data(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test func `a number that does not fit is named with its key`() {
        #expect(error() == nil)
        for rank in ["4.5", "1e30", "\"four\""] {
            #expect(error(rank: rank)?.path == "adapter.max_rank", "\(rank): \(String(describing: error(rank: rank)))")
        }
        #expect(error(seed: "-1")?.path == "seed", "\(String(describing: error(seed: "-1")))")
    }

    @Test(.timeLimit(.minutes(1)))
    func `a number that does not fit is found at once among as many as a body holds`() {
        let others = [String](repeating: "-1", count: 20_000).joined(separator: ",")
        let text = #"{"rank": 1e300, "token": "t", "capabilities": {"a": [\#(others)], "z": 0.5}}"#
        let error = #expect(throws: WireError.self) {
            try WireJSON.decodeStrictly(RegistrationBody.self, from: Data(text.utf8))
        }
        #expect(error == WireError(path: "rank", reason: "is 1e+300; expected a whole number in its range"))
    }

    @Test func `what is no JSON is called so`() {
        #expect(error(rank: "{")?.description.contains("not valid JSON") == true)
        #expect(throws: WireError(path: "", reason: "is empty; expected a JSON object")) {
            try WireJSON.decodeStrictly(RegistrationBody.self, from: Data())
        }
    }
}
