/// Maps an adapter's module names to those in a model's files: the same, or with a prefix added or removed.
///
/// A classifier or a language model keeps its encoder under a name. Checkpoints often lack this prefix or have it in
/// addition.
struct ModuleNames {
    private let removed: String
    private let added: String

    /// - Parameters:
    ///   - modules: paths of modules that the files must have.
    ///   - tensors: the names in the files.
    /// - Throws: where the files lack a module, or where several prefixes fit.
    init(
        _ modules: [String], in tensors: some Sequence<String>, of base: String, adapter: String
    ) throws(AdapterFileError) {
        var paths: Set<Substring> = []
        for name in tensors {
            var rest = name[...]
            while let dot = rest.lastIndex(of: ".") {
                rest = rest[..<dot]
                if !paths.insert(rest).inserted { break }
            }
        }
        func fits(_ prefix: Prefix) -> String? {
            modules.first { name in prefix.apply(to: name).map { !paths.contains($0[...]) } ?? true }
        }
        let same = Prefix(removed: "", added: "")
        guard let missing = fits(same), let first = modules.min(by: { $0.utf8.count < $1.utf8.count }) else {
            (removed, added) = ("", "")
            return
        }
        let absent = AdapterFileError.adapter(file: adapter, reason: "\(base) has no weight of \(missing)")
        // If the model has some of the modules under their own names, the other modules are missing.
        guard modules.allSatisfy({ !paths.contains($0[...]) }) else { throw absent }
        var found: [Prefix] = []
        for path in paths where found.count < 2 {
            let prefix: Prefix
            if path.hasSuffix("." + first) {
                prefix = Prefix(removed: "", added: String(path.dropLast(first.count)))
            } else if first.hasSuffix("." + path) {
                prefix = Prefix(removed: String(first.dropLast(path.count)), added: "")
            } else {
                continue
            }
            if prefix.isShort, fits(prefix) == nil, !found.contains(prefix) { found.append(prefix) }
        }
        if found.count > 1 {
            throw .adapter(
                file: adapter, reason: "\(base) has more than one module that may be \(first): expected its whole path")
        }
        guard let prefix = found.first else { throw absent }
        (removed, added) = (prefix.removed, prefix.added)
    }

    /// The name of a module or tensor in the model's files.
    func inModel(_ name: String) -> String {
        Prefix(removed: removed, added: added).apply(to: name) ?? name
    }

    private struct Prefix: Equatable {
        let removed: String
        let added: String

        /// No model nests its parts deeper than this under another name.
        var isShort: Bool { (removed + added).split(separator: ".").count <= 2 }

        func apply(to name: String) -> String? {
            name.hasPrefix(removed) ? added + name.dropFirst(removed.count) : nil
        }
    }
}
