import StrictJSON

/// Why Rankwise cannot read a U8 tensor as a quantised one; a part is the tensor's `.scale` or `.min`.
package enum QuantisationError: Error, Equatable, Sendable {
    case bits(String)
    case tooFewSides([Int])
    case missing(part: String)
    case partType(part: String, found: String)
    case partShape(part: String, expected: [Int], found: [Int])
    case notFinite(part: String, row: Int)
    case negativeScale(row: Int, found: Float)
    case padding(row: Int)
    case shapeMissing
    case shapeUnreadable(String)
    case storedShape(expected: [Int], found: [Int])
}

extension QuantisationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .bits(let found): "the metadata gives its message_bits as \(found.jsonQuoted); 4 and 8 are read"
        case .tooFewSides(let found): "its shape is \(found); a quantised tensor has two sides or more"
        case .missing(let part): "\(part) is missing beside it"
        case .partType(let part, let found): "\(part) is \(found), not F32"
        case .partShape(let part, let expected, let found): "\(part) has the shape \(found), not \(expected)"
        case .notFinite(let part, let row): "\(part) is not finite at row \(row)"
        case .negativeScale(let row, let found): "its scale is \(found) at row \(row); the least is 0"
        case .padding(let row): "the padding at the end of row \(row) is not zero"
        case .shapeMissing: "the metadata lacks its shape, which 4 bits need"
        case .shapeUnreadable(let found):
            "the metadata gives its shape as \(found.jsonQuoted), which is not two sizes or more such as \"8,65\""
        case .storedShape(let expected, let found):
            "it is stored as \(found), but its shape in the metadata needs \(expected)"
        }
    }
}
