/// The form of the names of federations and clients.
package enum WireName {
    package static let form = "1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"

    /// Whether a text can be a name.
    package static func isSound(_ text: String) -> Bool {
        let letters = Set("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        guard let first = text.utf8.first, letters.contains(first), text.utf8.count <= 64 else { return false }
        return text.utf8.allSatisfy { letters.contains($0) || Set("._-".utf8).contains($0) }
    }
}
