import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RawStructuredFieldValues

/// Typed access to a request's target and headers. Each error names the expected value.
extension Request {
    static func client(named text: String) throws(ArgumentError) -> ClientName {
        do throws(NameError) {
            return try ClientName(text)
        } catch {
            throw .invalid(name: "client", found: text, expected: "1 to 64 of a-z, 0-9, '.', '_' and '-'")
        }
    }

    /// A client's name in the query; nil where it is absent.
    func name(_ name: String) throws(ArgumentError) -> ClientName? { try query[name].map(Self.client(named:)) }

    /// A federation's name in the query; nil where it is absent.
    func federationName(_ name: String) throws(ArgumentError) -> FederationID? {
        guard let text = query[name] else { return nil }
        do throws(NameError) {
            return try FederationID(text)
        } catch {
            throw .invalid(name: name, found: text, expected: "1 to 64 of a-z, 0-9, '.', '_' and '-'")
        }
    }

    func round() throws(ArgumentError) -> Int {
        let text = parameters["round"] ?? ""
        guard let round = Int(text), round >= 0 else {
            throw .invalid(name: "round", found: text, expected: "a round's number")
        }
        return round
    }

    /// The round in the path; nil where the path has none.
    func namedRound() throws(ArgumentError) -> Int? { parameters["round"] == nil ? nil : try round() }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(ArgumentError) -> Int? {
        guard let text = query[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw .invalid(
                name: name, found: text, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A flag in the query; false where it is absent.
    func flag(_ name: String) throws(ArgumentError) -> Bool {
        switch query[name] {
        case nil, "false": return false
        case "true": return true
        case let text?: throw .invalid(name: name, found: text, expected: "true or false")
        }
    }

    func number(_ name: String) throws(ArgumentError) -> Double? {
        guard let text = query[name] else { return nil }
        guard let value = Double(text), value.isFinite else {
            throw .invalid(name: name, found: text, expected: "a finite number")
        }
        return value
    }

    /// The revision and the seconds of a long poll; nil where the request is none.
    func longPoll() throws(ArgumentError) -> (revision: Int64, seconds: Double)? {
        let after = try integer("after", in: 0...Int.max)
        let wait = try integer("wait", in: 0...60)
        guard let after else {
            guard wait == nil else { throw .missing(name: "after", expected: "the revision that you know") }
            return nil
        }
        return (Int64(after), Double(wait ?? 0))
    }

    /// The bearer token of the request; nil also where another scheme was used.
    var bearer: String? {
        guard let field = headerFields[.authorization] else { return nil }
        let scheme = "bearer "
        guard field.count > scheme.count, field.prefix(scheme.count).lowercased() == scheme else { return nil }
        return String(field.dropFirst(scheme.count)).trimmingSpaces()
    }

    /// The address by which callers are told apart.
    var address: PeerAddress {
        switch origin.host {
        case .v4(let address): PeerAddress(ipv4: address, isLoopback: origin.isLoopback)
        case .v6(let prefix, _): PeerAddress(ipv6: prefix, isLoopback: origin.isLoopback)
        case .unix: PeerAddress(ipv4: UInt32(0x7F00_0001).bigEndian, isLoopback: true)
        }
    }

    /// SHA-256 from `Content-Digest` or `Repr-Digest` (RFC 9530); nil where it is absent. Other algorithms are ignored,
    /// and the last value of a repeated key counts (RFC 9651).
    func digest(_ name: String) throws(ArgumentError) -> ContentDigest? {
        let expected = "sha-256=:…: with 32 bytes in base64"
        guard let member = try structuredMember("sha-256", of: name, expected: expected) else { return nil }
        guard case .item(let item) = member, case .undecodedByteSequence(let text) = item.rfc9651BareItem,
            let bytes = Data(base64Encoded: text), let digest = ContentDigest(bytes: Array(bytes))
        else {
            let found = HTTPField.Name(name).flatMap { headerFields[$0] }
            throw .invalid(name: name, found: found ?? "", expected: expected)
        }
        return digest
    }

    /// The digest of a body that is a whole representation, from either field.
    func digestOfWhole() throws(ArgumentError) -> ContentDigest? {
        let (content, representation) = (try digest("Content-Digest"), try digest("Repr-Digest"))
        if let content, let representation, content != representation {
            throw .invalid(
                name: "Repr-Digest", found: "\(representation)", expected: "\(content), as Content-Digest has it")
        }
        return content ?? representation
    }
}

extension String {
    fileprivate func trimmingSpaces() -> String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
