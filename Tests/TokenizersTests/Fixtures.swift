import AdapterFormat
import Foundation
import ModelFiles

@testable import Tokenizers

/// Small tokenizers, written by `Fixtures/make.py`.
enum Fixtures {
    static func path(_ name: String) -> String { Bundle.module.bundleURL.appending(path: "Fixtures/\(name)").path }

    static func text(_ name: String) throws -> String {
        try String(contentsOf: URL(filePath: path(name)), encoding: .utf8)
    }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        guard name.hasSuffix(".gguf") else { return try Tokenizer(path: path(name)) }
        let file = try GGUFFile(try TensorStorage(mapping: path(name)), path: path(name))
        return try Tokenizer(try TokenizerDefinition(file))
    }
}
