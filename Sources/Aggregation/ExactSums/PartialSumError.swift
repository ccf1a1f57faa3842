package import AdapterFormat
package import LinearAlgebra

/// Why a file is no partial sum, or partial sums cannot be combined.
package enum PartialSumError: Error, Equatable, Sendable {
    case file(IntegerFileError)
    case noKey(String)
    case unknownKey(String)
    case value(key: String, found: String, expected: String)
    /// The described strategy and shape are none.
    case plan(String)
    case noTensor(String)
    case unknownTensor(String)
    case shape(tensor: String, expected: [Int], found: [Int])
    case plane(tensor: String, FixedPointPlanes.PlaneError)
    case negativeWeight(tensor: String, row: Int)
    /// A row is held by more clients than the row before it.
    case risingWeight(tensor: String, row: Int)
    /// A row that no client covers has a sum.
    case sumWithoutWeight(tensor: String, row: Int)
    /// The bias of a module is held by other clients than its first row.
    case biasWeight(tensor: String)
    /// A sum is larger than any of so many clients.
    case range(tensor: String, found: Double, limit: Double)
    /// A weight is larger than all clients have together.
    case weight(tensor: String, found: Double, limit: Double)
    /// The list of clients is not the one that the sum names.
    case clients(String)
    case noParts
    case differs(key: String, one: String, other: String)
    case overlap(client: String)
    case system(SystemError)
}

extension PartialSumError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let error): "\(error)"
        case .noKey(let key): "the metadata lacks \(key)"
        case .unknownKey(let key): "the metadata has \(key), which no partial sum has"
        case .value(let key, let found, let expected): "\(key) is \(found); expected \(expected)"
        case .plan(let reason): "the metadata describes no round: \(reason)"
        case .noTensor(let name): "\(name) is missing"
        case .unknownTensor(let name): "\(name) is no tensor of this partial sum"
        case .shape(let name, let expected, let found): "\(name) has the shape \(found); expected \(expected)"
        case .plane(let name, .low(let index, let found)):
            "\(name).lo has \(found) at \(index); expected 0 to 2^40 − 1"
        case .plane(let name, .overflow(let index)): "the sum of \(name) at \(index) is too large"
        case .negativeWeight(let name, let row): "\(name) is negative in row \(row)"
        case .risingWeight(let name, let row):
            "\(name) rises in row \(row); a row has no more clients than those before it"
        case .sumWithoutWeight(let name, let row): "\(name) has a sum in row \(row), which no client covers"
        case .biasWeight(let name): "\(name) differs from the weight of the module's first row"
        case .range(let name, let found, let limit): "\(name) has \(found); no sum of these clients exceeds ±\(limit)"
        case .weight(let name, let found, let limit): "\(name) is \(found); all clients together have \(limit)"
        case .clients(let reason): "the list of clients \(reason)"
        case .noParts: "there is no partial sum to combine"
        case .differs(let key, let one, let other): "\(key) is \(other); the first part has \(one)"
        case .overlap(let client): "\(client) is in two parts"
        case .system(let error): "\(error)"
        }
    }
}
