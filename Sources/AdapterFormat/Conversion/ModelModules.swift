import StrictJSON

/// The names of base models' modules, which resolve flattened names.
package struct ModelModules: Sendable {
    /// The shape of each module's weight, by path, if the file gives it.
    private(set) var weights: [String: [Int]?] = [:]
    /// The paths that a flattened name may stand for.
    private var flattened: [String: [String]] = [:]

    /// Reads names from files: a safetensors file, an index (`model.safetensors.index.json`), or a list with one name a
    /// line.
    package init(files: [(path: String, storage: TensorStorage)]) throws(ConversionError) {
        for file in files { try add(file.path, file.storage) }
        for path in weights.keys.sorted(by: { $0.precedes($1) }) {
            flattened[FlattenedPath.flatten(path), default: []].append(path)
        }
    }

    /// The paths that a flattened name may stand for.
    func paths(flattened name: String) -> [String] {
        if let found = flattened[name] { return found }
        let inner = Self.textModel + "_"
        return name.hasPrefix(inner) ? flattened[String(name.dropFirst(inner.count))] ?? [] : []
    }

    /// The path of a module in a model; nil where the model lacks it.
    func path(of module: String) -> String? {
        if weights[module] != nil { return module }
        let inner = Self.textModel + "."
        guard module.hasPrefix(inner) else { return nil }
        let rest = String(module.dropFirst(inner.count))
        return weights[rest] == nil ? nil : rest
    }

    /// The prefix of CLIP's modules in adapters. From transformers 5 on, the model no longer has it.
    private static let textModel = "text_model"

    private mutating func add(_ path: String, _ storage: TensorStorage) throws(ConversionError) {
        let tensors: [(name: String, shape: [Int]?)] = try storage.withBytes { bytes throws(ConversionError) in
            do throws(SafetensorsError) {
                let header = try SafetensorsHeader(
                    start: bytes, byteCount: bytes.count, limits: .init(tensors: 1 << 20), passesOver: true)
                return header.entries.map { ($0.name, $0.shape) } + header.passedOver.map { ($0.name, nil) }
            } catch .foreign(.json) {
                return try Self.index(bytes, path).map { ($0, nil) }
            } catch .foreign(.text) {
                return Self.lines(bytes).map { ($0, nil) }
            } catch {
                throw .model(file: path, reason: "\(error)")
            }
        }
        for (name, shape) in tensors {
            guard let dot = name.lastIndex(of: ".") else { continue }
            let (module, part) = (String(name[..<dot]), name[dot...])
            if part == ".weight", let shape {
                weights[module] = .some(shape)
            } else if weights[module] == nil {
                weights[module] = .some(nil)
            }
        }
        guard !tensors.isEmpty else { throw .model(file: path, reason: "it names no tensor") }
    }

    private static func index(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(ConversionError) -> [String] {
        var scanner = JSONScanner(bytes)
        var names: [String] = []
        do throws(JSONSyntaxError) {
            try scanner.beginObject()
            while let key = try scanner.nextName() {
                guard key == "weight_map" else {
                    try scanner.skipValue()
                    continue
                }
                try scanner.beginObject()
                while let name = try scanner.nextName() {
                    names.append(name)
                    try scanner.skipValue()
                }
            }
            try scanner.finish()
        } catch {
            throw .model(file: path, reason: "it is no index of safetensors files: \(error)")
        }
        return names
    }

    /// One name a line, of a tensor or of a module.
    private static func lines(_ bytes: UnsafeRawBufferPointer) -> [String] {
        bytes.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).compactMap { line in
            let name = String(decoding: line, as: UTF8.self).trimmed
            guard !name.isEmpty else { return nil }
            return name.hasSuffix(".weight") || name.hasSuffix(".bias") ? name : name + ".weight"
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
