package import StrictJSON

/// The index of a model in several files: which file has which tensor.
package struct ShardIndex {
    /// Names of files in the folder, in order.
    package let files: [String]
    /// Positions in `files`.
    package let tensors: [String: Int]

    package init(_ document: JSONNode, file: String) throws(ModelFileError) {
        guard case .object(let map)? = document["weight_map"] else {
            throw .index(file: file, reason: "expected an object \"weight_map\" with a file name for each tensor")
        }
        var names: [String: String] = [:]
        for (tensor, value) in map {
            guard case .string(let name) = value else {
                throw .index(
                    file: file,
                    reason: "weight_map: expected a file name for \(tensor.jsonQuoted), found \(value.summary)")
            }
            // The name is joined to the folder's path.
            guard name.hasSuffix(".safetensors"), !name.contains("/"), !name.utf8.contains(0) else {
                throw .index(
                    file: file,
                    reason:
                        "weight_map: expected the name of a .safetensors file in the folder, found \(name.jsonQuoted)")
            }
            names[tensor] = name
        }
        guard !names.isEmpty else { throw .index(file: file, reason: "weight_map names no tensor") }
        files = Set(names.values).sorted()
        let positions = Dictionary(uniqueKeysWithValues: files.enumerated().map { ($1, $0) })
        tensors = names.compactMapValues { positions[$0] }
    }
}
