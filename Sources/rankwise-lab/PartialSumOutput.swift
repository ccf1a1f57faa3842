import Aggregation
import DurableFiles

/// Writes the two files of a partial sum: they come whole under their names, or not at all.
enum PartialSumOutput {
    static func write(to path: String, _ body: (PartialSumTarget) throws -> Void) throws {
        try DurableFile.replace(path, promising: .nothing, mode: 0o644) { sum in
            try DurableFile.replace(PartialSumFile.listPath(of: path), promising: .nothing, mode: 0o644) { clients in
                try body(PartialSumTarget(sum: sum.number, clients: clients.number))
            }
        }
    }
}
