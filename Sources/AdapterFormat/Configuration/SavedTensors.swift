import StrictJSON

/// `bias` and `modules_to_save`: with them PEFT finds the places of the tensors beside the factors.
struct SavedTensors {
    /// `none`, `lora_only` or `all`.
    let bias: String
    /// A list of modules as JSON; nil for none.
    let modules: String?

    /// - Parameter carried: the keys from the clients' configurations, which are used where they fit the tensors.
    init(of shape: AdapterShape, carried: [String: String]) {
        let names = shape.dense.map(\.name)
        let weights = Set(names.filter { $0.hasSuffix(".weight") }.map { $0.dropLast(".weight".count) })
        var biases: [Substring] = []
        var paths: [String] = []
        for name in names {
            guard !name.hasSuffix(TensorName.magnitude), !name.hasSuffix(TensorName.trainedTokens),
                !name.hasSuffix(TensorName.wrappedWeight), !name.hasSuffix(TensorName.wrappedBias),
                let dot = name.lastIndex(of: ".")
            else { continue }
            let path = String(name[..<dot])
            if name.hasSuffix(".bias"), !weights.contains(path[...]) {
                biases.append(path[...])
            } else if paths.last != path {
                paths.append(path)
            }
        }
        let known = carried["modules_to_save"].flatMap { ConfigList(json: $0)?.names }
        // A bias without other tensors belongs to a saved module if the configuration says so, else to `bias: all`.
        let saved = { (path: String) in known?.contains { path.isWithin($0) } ?? false }
        let single = biases.filter { !saved(String($0)) }
        let wrapped = names.contains { $0.hasSuffix(TensorName.wrappedBias) }
        bias = single.isEmpty ? (wrapped ? (carried["bias"] == "\"all\"" ? "all" : "lora_only") : "none") : "all"
        if let known, paths.allSatisfy(saved), !known.isEmpty, !paths.isEmpty || biases.count > single.count {
            modules = carried["modules_to_save"]
        } else {
            let task = carried["task_type"]
            let whole = paths.map { $0.headed(under: task) }
            var seen: Set<String> = []
            let list = whole.filter { seen.insert($0).inserted }
            modules = list.isEmpty ? nil : "[" + list.map(\.jsonQuoted).joined(separator: ",") + "]"
        }
    }
}

/// The names of a JSON list.
package struct ConfigNames: Sequence {
    private let names: [String]

    /// - Parameter json: a list of strings; anything else has no names.
    package init(json: String) { names = ConfigList(json: json)?.names ?? [] }

    package func makeIterator() -> IndexingIterator<[String]> { names.makeIterator() }
}

/// A JSON list of names, or the single regular expression that PEFT accepts in its place.
struct ConfigList {
    let names: [String]
    let isPattern: Bool

    init?(json: String) {
        var text = json
        let parsed = text.withUTF8 { bytes -> ([String], Bool)? in
            var scanner = JSONScanner(UnsafeRawBufferPointer(bytes))
            guard let first = try? scanner.peek(expecting: "a list") else { return nil }
            if first == UInt8(ascii: "\"") { return (try? scanner.string()).map { ([$0], true) } }
            var names: [String] = []
            do throws(JSONSyntaxError) {
                try scanner.beginArray()
                while try scanner.nextElement() { names.append(try scanner.string()) }
            } catch {
                return nil
            }
            return (names, false)
        }
        guard let (names, isPattern) = parsed else { return nil }
        self.names = names
        self.isPattern = isPattern
    }
}

extension String {
    /// Whether this path is the module, or lies inside it. `module` may be the end of a longer path.
    fileprivate func isWithin(_ module: String) -> Bool {
        self == module || hasPrefix(module + ".") || hasSuffix("." + module)
            || contains("." + module + ".")
    }

    /// The path of the head that a module lies in, for a classifier. PEFT saves a classifier's head as a whole.
    fileprivate func headed(under task: String?) -> String {
        guard let task, task.contains("_CLS") || task.contains("QUESTION") else { return self }
        let parts = split(separator: ".")
        guard let head = parts.firstIndex(where: { ["classifier", "score", "qa_outputs"].contains($0) }) else {
            return self
        }
        return parts[...head].joined(separator: ".")
    }

    /// Whether this value of `exclude_modules` excludes a module. A pattern that cannot be read may exclude it.
    func excludes(_ module: String) -> Bool {
        guard let list = ConfigList(json: self) else { return true }
        guard list.isPattern else { return list.names.contains { module == $0 || module.hasSuffix("." + $0) } }
        return (try? ModulePattern(list.names[0]))?.matches(module) ?? true
    }
}
