/// The `training` part of a federation's settings. The server passes the values on unread; their types are checked
/// where they are used.
package struct TrainingSettings: Sendable, Hashable {
    package enum Value: Sendable, Hashable {
        case number(Double)
        case text(String)
        case flag(Bool)
        /// A list, an object or null, kept for error texts.
        case other(String)
    }

    private var values: [String: Value]

    package init(_ values: [String: Value] = [:]) {
        self.values = values
    }

    /// The settings that scoring needs.
    ///
    /// - Parameters:
    ///   - featureScale: the divisor of all features.
    ///   - maxLength: the highest number of tokens of a text that are used; nil for the default.
    ///   - template: the name of a chat template; nil for the default.
    package init(featureScale: Double, maxLength: Int?, template: String? = nil) {
        values = ["feature_scale": .number(featureScale)]
        if let maxLength { values["max_length"] = .number(Double(maxLength)) }
        if let template { values["template"] = .text(template) }
    }

    package subscript(name: String) -> Value? {
        get { values[name] }
        set { values[name] = newValue }
    }

    /// Throws where there is a key that the trainer of this model does not read.
    func refuseNames(beyond known: Set<String>) throws(TrainingError) {
        guard let name = values.keys.filter({ !known.contains($0) }).min(), let value = values[name] else { return }
        throw .setting(
            "training.\(name)", expected: "no such key; this trainer knows " + known.sorted().joined(separator: ", "),
            found: "\(value)")
    }

    /// A whole number in `range`, or `fallback` where the name is absent.
    package func count(
        _ name: String, in range: ClosedRange<Int>, default fallback: Int
    ) throws(TrainingError) -> Int {
        guard let value = values[name] else { return fallback }
        guard case .number(let number) = value, let count = Int(exactly: number), range.contains(count) else {
            throw .setting(
                name, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", found: "\(value)")
        }
        return count
    }

    /// A number in `range`, or `fallback` where the name is absent.
    package func number(
        _ name: String, in range: ClosedRange<Double>, default fallback: Double
    ) throws(TrainingError) -> Double {
        guard let value = values[name] else { return fallback }
        guard case .number(let number) = value, range.contains(number) else {
            throw .setting(
                name, expected: "a number from \(range.lowerBound) to \(range.upperBound)", found: "\(value)")
        }
        return number
    }

    /// One of `choices`, or `fallback` where the name is absent.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default fallback: Choice
    ) throws(TrainingError) -> Choice {
        guard let value = values[name] else { return fallback }
        guard case .text(let text) = value, let choice = Choice(rawValue: text) else {
            let known = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
            throw .setting(name, expected: known, found: "\(value)")
        }
        return choice
    }
}

extension TrainingSettings.Value: CustomStringConvertible {
    package var description: String {
        switch self {
        case .number(let number): Int(exactly: number).map(String.init) ?? "\(number)"
        case .text(let text): "\"\(text)\""
        case .flag(let flag): "\(flag)"
        case .other(let shown): shown
        }
    }
}
