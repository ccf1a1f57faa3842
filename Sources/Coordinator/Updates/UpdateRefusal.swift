import AdapterFormat

/// Why an update is refused.
package struct UpdateRefusal: Error, Sendable, Hashable {
    /// A stable code, such as `update.shape`.
    package let code: String
    /// The expected and the actual value.
    package let detail: String
    package let tensor: String?

    package init(code: String, detail: String, tensor: String? = nil) {
        // These texts contain names from a client, and the round keeps them.
        self.code = code
        self.detail = String(detail.prefix(600))
        self.tensor = tensor.map { String($0.prefix(300)) }
    }
}

extension UpdateRefusal {
    init(_ refusal: ConfigRefusal) {
        self.init(code: "config.\(refusal.key)", detail: "\(refusal)")
    }

    init(_ error: SafetensorsError) {
        let code =
            switch error {
            case .unknownType, .unsupportedType: "update.dtype"
            default: "update.format"
            }
        self.init(code: code, detail: "\(error)", tensor: error.tensor)
    }

    /// The stable code for the reason why a file is refused.
    init(_ error: AdapterError) {
        let code =
            switch error {
            case .noModules, .noFactor, .missingFactor: "update.missing"
            case .duplicate, .mixedKinds, .otherKind, .foreignName, .notAFactor, .notExperts, .ranksDiffer:
                "update.format"
            case .unexpectedBias, .unknownModule, .unknownDense: "update.unknown"
            case .shape, .biasDiffers: "update.shape"
            case .rankAboveGrant, .rankNotFull: "update.rank"
            case .notFinite: "update.not_finite"
            case .tooLarge: "update.too_large"
            case .quantised: "update.dtype"
            }
        self.init(code: code, detail: "\(error)", tensor: error.tensor)
    }
}
