/// Makes views of a header's entries: a U8 tensor with its scales and minima becomes one quantised tensor.
struct QuantisedTensors {
    private let header: SafetensorsHeader
    private let storage: TensorStorage
    private let entries: [String: SafetensorsHeader.Entry]

    init(_ header: SafetensorsHeader, in storage: TensorStorage) {
        self.header = header
        self.storage = storage
        entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
    }

    /// In the order of the data.
    func views() throws(SafetensorsError) -> [TensorView] {
        var quantised: [String: TensorView] = [:]
        var parts: Set<String> = []
        for entry in header.entries where entry.type == .packed {
            let names = [MessageBits.nameOfScales(of: entry.name), MessageBits.nameOfMinima(of: entry.name)]
            guard names.contains(where: { entries[$0] != nil }) else {
                throw .unsupportedType(tensor: entry.name, type: entry.type.dtype)
            }
            do throws(QuantisationError) { quantised[entry.name] = try view(quantised: entry) } catch {
                throw .quantisation(tensor: entry.name, error)
            }
            parts.formUnion(names)
        }
        var views: [TensorView] = []
        for entry in header.entries where !parts.contains(entry.name) {
            switch entry.type {
            case .number(let type):
                views.append(
                    TensorView(
                        name: entry.name, type: type, shape: entry.shape, storage: storage, range: place(of: entry)))
            case .packed:
                if let view = quantised[entry.name] { views.append(view) }
            }
        }
        return views
    }

    private func place(of entry: SafetensorsHeader.Entry) -> Range<Int> {
        header.dataStart + entry.range.lowerBound..<header.dataStart + entry.range.upperBound
    }
}

extension QuantisedTensors {
    private func view(quantised entry: SafetensorsHeader.Entry) throws(QuantisationError) -> TensorView {
        let bits = try bits()
        let shape = try shape(of: entry, bits: bits)
        let packing = TensorView.Packing(
            bits: bits, scales: try place(ofPart: MessageBits.nameOfScales(of: entry.name), rows: shape[0]),
            minima: try place(ofPart: MessageBits.nameOfMinima(of: entry.name), rows: shape[0]))
        let view = TensorView(
            name: entry.name, type: .f32, shape: shape, storage: storage, range: place(of: entry), packing: packing)
        if let quantisation = view.quantisation { try check(quantisation, of: view) }
        return view
    }

    private func bits() throws(QuantisationError) -> MessageBits {
        guard let text = header.metadata[MessageBits.metadataKey] else { return .eight }
        guard let bits = MessageBits.allCases.first(where: { String($0.rawValue) == text }) else { throw .bits(text) }
        return bits
    }

    /// The shape of the numbers. The metadata has it where the stored shape does not determine it.
    private func shape(
        of entry: SafetensorsHeader.Entry, bits: MessageBits
    ) throws(QuantisationError) -> [Int] {
        guard let text = header.metadata[MessageBits.shapeKey(of: entry.name)] else {
            guard bits == .eight else { throw .shapeMissing }
            guard entry.shape.count >= 2 else { throw .tooFewSides(entry.shape) }
            return entry.shape
        }
        guard let shape = Self.sizes(text), ScalarType.f32.byteCount(of: shape) != nil else {
            throw .shapeUnreadable(text)
        }
        let stored = bits.storedShape(of: shape)
        guard stored == entry.shape else { throw .storedShape(expected: stored, found: entry.shape) }
        return shape
    }

    /// Two sizes or more, in decimal, separated by commas.
    private static func sizes(_ text: String) -> [Int]? {
        let sizes = text.utf8.split(separator: UInt8(ascii: ","), maxSplits: 16, omittingEmptySubsequences: false)
            .map { digits in Int(Substring(digits)).flatMap { String($0).utf8.elementsEqual(digits) ? $0 : nil } }
        guard 2...16 ~= sizes.count, sizes.allSatisfy({ $0 ?? -1 >= 0 }) else { return nil }
        return sizes.compactMap(\.self)
    }

    private func place(ofPart name: String, rows: Int) throws(QuantisationError) -> Range<Int> {
        guard let part = entries[name] else { throw .missing(part: name) }
        guard part.type == .number(.f32) else { throw .partType(part: name, found: part.type.dtype) }
        guard part.shape == [rows] else { throw .partShape(part: name, expected: [rows], found: part.shape) }
        return place(of: part)
    }

    private func check(_ quantisation: Quantisation, of view: TensorView) throws(QuantisationError) {
        if let row = quantisation.scales.firstIndex(where: { !$0.isFinite }) {
            throw .notFinite(part: MessageBits.nameOfScales(of: view.name), row: row)
        }
        if let row = quantisation.minima.firstIndex(where: { !$0.isFinite }) {
            throw .notFinite(part: MessageBits.nameOfMinima(of: view.name), row: row)
        }
        if let row = quantisation.scales.firstIndex(where: { $0 < 0 }) {
            throw .negativeScale(row: row, found: quantisation.scales[row])
        }
        guard quantisation.bits == .four, quantisation.columns % 2 == 1 else { return }
        let bytesPerRow = quantisation.bytesPerRow
        let padded = view.withBytes { bytes in
            quantisation.scales.indices.first { bytes[($0 + 1) * bytesPerRow - 1] > 0xF }
        }
        if let padded { throw .padding(row: padded) }
    }
}
