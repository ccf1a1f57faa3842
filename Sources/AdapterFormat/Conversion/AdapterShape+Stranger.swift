extension AdapterShape {
    /// The first tensor in a file's header that no adapter of this shape has; nil where there is none, or no valid
    /// header.
    ///
    /// - Parameters:
    ///   - head: the file's bytes up to the end of its header.
    ///   - byteCount: the length of the whole file.
    package func stranger(inHead head: [UInt8], byteCount: Int) -> String? {
        let header = try? head.withUnsafeBytes {
            try SafetensorsHeader(start: $0, byteCount: byteCount, limits: .init(), passesOver: true)
        }
        guard let header else { return nil }
        var known = Set(dense.map(\.name))
        for module in modules { known.formUnion([module.nameOfA.bare, module.nameOfB.bare, module.nameOfBias.bare]) }
        let names = header.entries.map(\.name) + header.passedOver.map(\.name)
        return names.sorted { $0.precedes($1) }.first { name in
            // A quantised tensor's scales and minima have its name in theirs.
            let bare = TensorName(parsing: name).bare
            return ![bare, bare.without(".scale"), bare.without(".min")].contains(where: known.contains)
        }
    }
}

extension String {
    fileprivate func without(_ suffix: String) -> String { hasSuffix(suffix) ? String(dropLast(suffix.count)) : self }
}
