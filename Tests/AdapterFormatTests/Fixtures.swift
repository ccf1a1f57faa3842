import Foundation
import Testing

@testable import AdapterFormat

/// A folder of files that the tests of this target read.
protocol TestFolder {
    static var name: String { get }
}

/// Files that are sound.
enum Fixtures: TestFolder { static let name = "Fixtures" }

/// Files of which each is refused.
enum Hostile: TestFolder { static let name = "Hostile" }

extension TestFolder {
    private static var folder: URL { Bundle.module.bundleURL.appending(path: name) }

    static func file(_ path: String) -> String { folder.appending(path: path).path }

    static func bytes(_ path: String) throws -> [UInt8] {
        try Array(Data(contentsOf: folder.appending(path: path)))
    }

    static func names(in path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: file(path)).sorted()
    }
}

/// A safetensors file made by hand: a header as text, and data.
func safetensors(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
}

/// A folder that is gone when the test is.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "rankwise-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What `write` puts into a new file.
    func file(_ name: String, _ write: (Int32) throws -> Void) throws -> [UInt8] {
        let path = self.path + "/" + name
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try write(handle.fileDescriptor)
        try handle.close()
        return try Array(Data(contentsOf: URL(filePath: path)))
    }
}
