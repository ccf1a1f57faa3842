import AdapterFormat
import Foundation
import TestStage

/// Adapter files of one linear module, made for a test.
enum AdapterBytes {
    /// Every component of A is `a`, every one of B is `b`.
    static func file(
        _ module: String = "fc1", rank: Int, inputs: Int = 4, outputs: Int = 2, a: [Float], b: [Float]
    ) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let path = try folder.write("adapter", [])
        let file = try FileHandle(forUpdating: URL(filePath: path))
        let shape = ModuleShape(name: module, inputs: inputs, outputs: outputs, maximumRank: rank)
        var writer = try AdapterWriter(
            shape: try AdapterShape(modules: [shape]), descriptor: file.fileDescriptor)
        try writer.take(
            ModuleFactors(
                rank: rank, inputs: inputs, outputs: outputs, a: (0..<rank).flatMap { _ in a },
                b: (0..<rank).flatMap { _ in b }), of: shape)
        try writer.finish()
        return folder.bytes("adapter") ?? []
    }

    /// B·A of a module, row-major; nil where the file is not there or lacks the module.
    static func product(of path: String, _ module: String = "fc1") -> [Float]? {
        guard let file = try? AdapterFile(SafetensorsFile(path: path)),
            let factors = file[module: module].flatMap(ModuleFactors.init)
        else { return nil }
        return (0..<factors.outputs).flatMap { output in
            (0..<factors.inputs).map { input in
                (0..<factors.rank).reduce(0) {
                    $0 + factors.b[$1 * factors.outputs + output] * factors.a[$1 * factors.inputs + input]
                }
            }
        }
    }
}
