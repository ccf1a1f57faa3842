import AdapterFormat
import Foundation
import LinearAlgebra
import Testing

@testable import Aggregation

/// Every damage to a partial sum is refused with the reason that stands here.
struct HostilePartTests {
    /// A partial sum as its parts, to be damaged.
    private struct Subject {
        var header: [String: Any]
        var data: [UInt8]
        var list: String

        init(_ path: String) throws {
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            let length = Int(
                bytes[..<8].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) })
            let parsed = try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length]))
            header = try #require(parsed as? [String: Any])
            data = Array(bytes[(8 + length)...])
            list = try String(contentsOfFile: PartialSumFile.listPath(of: path), encoding: .utf8)
        }

        func write(to path: String) throws {
            let text = Array(try JSONSerialization.data(withJSONObject: header))
            let length = UInt64(text.count)
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text + data
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            try Data(list.utf8).write(to: URL(fileURLWithPath: PartialSumFile.listPath(of: path)))
        }

        mutating func set(_ key: String, _ value: String?) {
            var metadata = header["__metadata__"] as? [String: String] ?? [:]
            metadata[key] = value
            header["__metadata__"] = metadata
        }

        mutating func rename(_ tensor: String, to name: String) { header[name] = header.removeValue(forKey: tensor) }

        mutating func change(_ tensor: String, _ field: String, to value: Any) {
            var entry = header[tensor] as? [String: Any] ?? [:]
            entry[field] = value
            header[tensor] = entry
        }

        /// Writes an integer of a tensor.
        mutating func put(_ value: Int64, in tensor: String, at index: Int) {
            let offsets = (header[tensor] as? [String: Any])?["data_offsets"] as? [Int] ?? [0, 0]
            let start = offsets[0] + index * 8
            data.replaceSubrange(start..<start + 8, with: withUnsafeBytes(of: value.littleEndian) { Array($0) })
        }
    }

    /// A damage and the reason for which it is refused.
    private typealias Damage = (name: String, reason: PartialSumError, apply: @Sendable (inout Subject) -> Void)

    private static let digits = String(repeating: "0", count: 64)

    /// Found when the parts are opened.
    private static let opening: [Damage] = [
        ("another type", .file(.type(tensor: "m.A.hi", found: "F64")), { $0.change("m.A.hi", "dtype", to: "F64") }),
        ("a small type", .file(.type(tensor: "m.A.hi", found: "I32")), { $0.change("m.A.hi", "dtype", to: "I32") }),
        (
            "another size", .file(.safetensors(.offsetsMismatchShape(tensor: "m.A.hi", expected: 432, found: 360))),
            { $0.change("m.A.hi", "shape", to: [6, 9]) }
        ),
        ("bytes behind", .file(.safetensors(.trailingBytes(8))), { $0.data += [UInt8](repeating: 0, count: 8) }),
        ("no A", .noTensor("m.A.hi"), { $0.rename("m.A.hi", to: "m.a.hi") }),
        ("no low plane", .noTensor("m.B.lo"), { $0.rename("m.B.lo", to: "x.lo") }),
        ("no bias weight", .noTensor("m.bias.weights.lo"), { $0.rename("m.bias.weights.lo", to: "x") }),
        ("no dense weight", .noTensor("head.weights.hi"), { $0.rename("head.weights.hi", to: "x") }),
        (
            "an unknown tensor", .unknownTensor("x.hi"),
            {
                $0.header["x.hi"] = ["dtype": "I64", "shape": [1], "data_offsets": [$0.data.count, $0.data.count + 8]]
                $0.data += [UInt8](repeating: 0, count: 8)
            }
        ),
        (
            "another shape", .shape(tensor: "m.A.hi", expected: [5, 9], found: [9, 5]),
            { $0.change("m.A.hi", "shape", to: [9, 5]) }
        ),
        ("no format", .noKey("format"), { $0.set("format", nil) }),
        (
            "a later format",
            .value(key: "format", found: "rankwise partial sum 2", expected: "rankwise partial sum 1"),
            { $0.set("format", "rankwise partial sum 2") }
        ),
        ("no federation", .noKey("federation"), { $0.set("federation", nil) }),
        ("no digest of the plan", .noKey("plan_sha256"), { $0.set("plan_sha256", nil) }),
        ("no first client", .noKey("first_client"), { $0.set("first_client", nil) }),
        ("an unknown key", .unknownKey("seed"), { $0.set("seed", "1") }),
        (
            "a round before the first", .value(key: "round", found: "0", expected: "a number from 1 on"),
            { $0.set("round", "0") }
        ),
        (
            "a round in other words", .value(key: "round", found: "01", expected: "a number from 1 on"),
            { $0.set("round", "01") }
        ),
        ("no clients", .value(key: "count", found: "0", expected: "a number from 1 on"), { $0.set("count", "0") }),
        (
            "no scaling",
            .value(key: "scaling", found: "lora", expected: "constant, lora or rslora with its number"),
            { $0.set("scaling", "lora") }
        ),
        (
            "another strategy",
            .plan("flora cannot be summed exactly: it is not a row sum; leave sum out, or set it to float"),
            { $0.set("strategy", "flora") }
        ),
        (
            "a module of no kind",
            .value(key: "module:m", found: "square inputs=9 outputs=6 rank=5 bias", expected: "the shape of a module"),
            { $0.set("module:m", "square inputs=9 outputs=6 rank=5 bias") }
        ),
        (
            "a module in other words",
            .value(
                key: "module:m", found: "linear outputs=6 inputs=9 rank=5 bias",
                expected: "linear inputs=9 outputs=6 rank=5 bias"),
            { $0.set("module:m", "linear outputs=6 inputs=9 rank=5 bias") }
        ),
        (
            "a module without a size", .plan("m has inputs 0; at least 1 is needed"),
            { $0.set("module:m", "linear inputs=0 outputs=6 rank=5 bias") }
        ),
        (
            "a tensor without a side", .value(key: "dense:head", found: "3x0", expected: "the sides of a tensor"),
            { $0.set("dense:head", "3x0") }
        ),
        (
            "another federation under the same digest",
            .value(key: "plan_sha256", found: "", expected: ""), { $0.set("federation", "g") }
        ),
        ("an empty list", .clients("is empty"), { $0.list = "" }),
        (
            "a line without an end", .clients("has a line that is too long, has no end or is no UTF-8"),
            { $0.list.removeLast() }
        ),
        (
            "a line of one word", .clients("has the line x; expected a digest and a name"),
            { $0.list += "x\n" }
        ),
        (
            "a digest that is none", .clients("has 12 for z; expected 64 hexadecimal digits"),
            { $0.list += "12 z\n" }
        ),
        (
            "a list out of order", .clients("is not ascending: a comes after edge-3"),
            { $0.list += "\(digits) a\n" }
        ),
        ("a client twice", .overlap(client: "edge-3"), { $0.list += "\(digits) edge-3\n" }),
        (
            "a client too many", .clients("has 4 clients; the sum has 3"),
            { $0.list += "\(digits) z\n" }
        ),
        (
            "another last client", .clients("goes from edge-0 to edge-3; the sum's from edge-0 to edge-4"),
            { $0.set("last_client", "edge-4") }
        ),
        (
            "another update", .clients("has the digest; the sum names"),
            { $0.list = $0.list.replacingOccurrences(of: digits, with: String(repeating: "9", count: 64)) }
        ),
    ]

    /// Found when numbers are added.
    private static let adding: [Damage] = [
        (
            "a low plane beyond", .plane(tensor: "m.A", .low(index: 2, found: 1 << 40)),
            { $0.put(1 << 40, in: "m.A.lo", at: 2) }
        ),
        ("a low plane below", .plane(tensor: "m.B", .low(index: 0, found: -1)), { $0.put(-1, in: "m.B.lo", at: 0) }),
        (
            "a low plane of a weight", .plane(tensor: "e.weights", .low(index: 1, found: .max)),
            { $0.put(.max, in: "e.weights.lo", at: 1) }
        ),
        ("a negative weight", .negativeWeight(tensor: "c.weights", row: 0), { $0.put(-1, in: "c.weights.hi", at: 0) }),
        ("a rising weight", .risingWeight(tensor: "m.weights", row: 4), { $0.put(1 << 60, in: "m.weights.hi", at: 4) }),
        (
            "a negative dense weight", .negativeWeight(tensor: "head.weights", row: 0),
            { $0.put(-1, in: "head.weights.hi", at: 0) }
        ),
        ("a sum that nobody has", .sumWithoutWeight(tensor: "m.A", row: 4), { $0.put(1, in: "m.A.lo", at: 36) }),
        ("a sum of B that nobody has", .sumWithoutWeight(tensor: "m.B", row: 4), { $0.put(1, in: "m.B.hi", at: 29) }),
        (
            "a tensor that nobody has", .sumWithoutWeight(tensor: "nobody", row: 0),
            { $0.put(1, in: "nobody.hi", at: 0) }
        ),
        ("another bias weight", .biasWeight(tensor: "m.bias.weights"), { $0.put(1, in: "m.bias.weights.hi", at: 0) }),
    ]

    private func damaged(_ damage: Damage, in folder: PartFolder) throws -> [String] {
        let round = try ExactRound("rbla", in: folder.url)
        let path = try round.part([0, 1, 3], named: "part")
        var subject = try Subject(path)
        damage.apply(&subject)
        try subject.write(to: path)
        return [path, try round.part([4], named: "other")]
    }

    @Test(arguments: opening.indices)
    func `a damaged file is refused when it is opened`(index: Int) throws {
        let damage = Self.opening[index]
        let folder = try PartFolder()
        let paths = try damaged(damage, in: folder)
        let refusal = try #require(#expect(throws: PartialSumSet.Refusal.self) { try PartialSumSet(paths: paths) })
        #expect(refusal.path == paths[0])
        switch (refusal.reason, damage.reason) {
        // Digests are left out of the expectations.
        case (.value("plan_sha256", _, _), .value("plan_sha256", _, _)): break
        case (.clients(let found), .clients("has the digest; the sum names")):
            #expect(found.hasPrefix("has the digest ") && found.contains("; the sum names "))
        default: #expect(refusal.reason == damage.reason, "\(damage.name)")
        }
    }

    @Test(arguments: adding.indices)
    func `damaged numbers are refused when they are added`(index: Int) throws {
        let damage = Self.adding[index]
        let folder = try PartFolder()
        let parts = try PartialSumSet(paths: try damaged(damage, in: folder))
        var result = MemoryRound()
        let refusal = #expect(throws: PartialSumSet.Refusal.self) { try parts.publish(threads: 1, into: &result) }
        #expect(refusal?.reason == damage.reason, "\(damage.name)")
    }

    @Test func `a sum that two parts make too large is refused, and so is a missing list`() throws {
        let folder = try PartFolder()
        let round = try ExactRound("rbla", in: folder.url)
        let paths = [try round.part([0], named: "one"), try round.part([3], named: "two")]
        for path in paths {
            var subject = try Subject(path)
            subject.put(1 << 62, in: "m.A.hi", at: 1)
            try subject.write(to: path)
        }
        let parts = try PartialSumSet(paths: paths)
        var result = MemoryRound()
        let refusal = #expect(throws: PartialSumSet.Refusal.self) { try parts.publish(threads: 1, into: &result) }
        #expect(refusal?.reason == .plane(tensor: "m.A", .overflow(index: 1)) && refusal?.path == paths[1])
        try FileManager.default.removeItem(atPath: PartialSumFile.listPath(of: paths[0]))
        let missing = #expect(throws: PartialSumSet.Refusal.self) { try PartialSumSet(paths: paths) }
        guard case .system(let error) = missing?.reason else {
            Issue.record("expected a failure to open, not \(String(describing: missing))")
            return
        }
        #expect(error.code == ENOENT)
    }
}
