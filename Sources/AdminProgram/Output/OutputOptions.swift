import ArgumentParser
import Foundation
import RankwiseWire
import ServerCalls

/// How a command prints: lines for people, or JSON for programs.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON: what the server answered, as one document or as one line each.")
    var json = false

    /// Prints the server's own JSON, or lines for people.
    func show(_ json: [UInt8], _ lines: @autoclosure () -> [String]) throws(AdminError) {
        try self.json ? Self.write(String(decoding: json, as: UTF8.self)) : Self.write(lines())
    }

    /// Prints a value that the program made, or lines for people.
    func show(_ value: some Encodable, _ lines: @autoclosure () -> [String]) throws(AdminError) {
        try show(Self.encoded(value), lines())
    }

    static func write(_ lines: [String]) throws(AdminError) {
        try write(lines.joined(separator: "\n"))
    }

    /// Prints a text and ends its last line.
    static func write(_ text: String) throws(AdminError) {
        guard !text.isEmpty else { return }
        do {
            try FileHandle.standardOutput.write(contentsOf: Data((text.hasSuffix("\n") ? text : text + "\n").utf8))
        } catch {
            throw .file("standard output cannot be written to")
        }
    }

    /// Tells people something that is no part of the result.
    static func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("rankwise-admin: \(text.printable)\n".utf8))
    }

    static func encoded(_ value: some Encodable) throws(AdminError) -> [UInt8] {
        do throws(WireError) {
            return try WireJSON.bytes(value)
        } catch {
            throw .damaged("\(error)")
        }
    }
}
