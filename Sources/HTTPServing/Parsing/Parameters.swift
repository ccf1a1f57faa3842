/// The segments of a path at the names in braces of its pattern.
package struct Parameters: Sendable, Hashable {
    private let names: [String]
    private let values: [String]

    package init() {
        self.init(names: [], values: [])
    }

    init(names: [String], values: [String]) {
        self.names = names
        self.values = values
    }

    package subscript(name: String) -> String? {
        zip(names, values).first { $0.0 == name }?.1
    }
}
