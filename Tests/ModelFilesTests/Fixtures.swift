import Foundation

/// Sound models, written by `Fixtures/make.py`.
enum Fixtures {
    static let models = ["llama", "llama3", "mistral", "qwen2", "qwen3", "gpt2"]

    static func path(_ name: String) -> String {
        Bundle.module.bundleURL.appending(path: "Fixtures/\(name)").path
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(filePath: path(name))))
    }
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

    /// Writes a file, and returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: some Collection<UInt8>) throws -> String {
        let url = URL(filePath: path).appending(path: name)
        try Data(bytes).write(to: url)
        return url.path
    }

    /// Copies a folder of the fixtures into this one.
    func copy(_ fixture: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: Fixtures.path(fixture)) {
            try write(name, try Fixtures.bytes(fixture + "/" + name))
        }
    }
}
