package import AdapterFormat

/// Converts safetensors files between the quantised form for transfer and the plain form for trainers.
package enum AdapterMessage {
    /// Writes every tensor of `source` as F32, or quantised to `bits`, under the same names and shapes; blocks.
    ///
    /// One tensor is in memory at a time. Tensors of one dimension stay F32.
    package static func rewrite(
        _ source: String, to target: String, bits: MessageBits? = nil
    ) throws(AdapterFileError) {
        let file: SafetensorsFile
        do {
            file = try SafetensorsFile(path: source)
        } catch {
            throw .adapter(file: source, reason: "\(error)")
        }
        try WholeFile.replace(target) { descriptor in
            let layout = try SafetensorsLayout(
                tensors: file.tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape, messageBits: bits) })
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            for tensor in file.tensors { try writer.write(tensor.floats(), to: tensor.name) }
            try writer.finish()
        }
    }
}
