import AdapterFormat
import LinearAlgebra

/// A partial sum in a file, with the list of its clients in it or beside it; read module by module.
///
/// Everything in it is checked: names, shapes, metadata and the list when it is opened, numbers when they are added.
package struct PartialSumFile: Sendable {
    package let path: String
    package let plan: PartialPlan
    package let clients: PartialClients
    package let list: PartialClientList
    private let file: IntegerFile

    static let format = "rankwise partial sum 1"

    /// The tensor that has the list of clients, in a file that has it.
    static let listName = "clients"

    /// The path of the list of clients beside a partial sum.
    package static func listPath(of path: String) -> String { path + ".clients" }

    /// The file's metadata.
    static func metadata(of plan: PartialPlan, _ clients: PartialClients) -> [String: String] {
        let own = [
            "format": format, "plan_sha256": plan.digest, "count": String(clients.count), "first_client": clients.first,
            "last_client": clients.last, "clients_sha256": clients.digest,
        ]
        return own.merging(plan.lines.map { ($0.key, $0.value) }) { own, _ in own }
    }

    /// Opens the file, and the list beside it where it has none.
    ///
    /// - Parameter hasList: whether a file without a list is refused.
    package init(path: String, hasList: Bool = false) throws(PartialSumError) {
        let file: IntegerFile
        do throws(IntegerFileError) { file = try IntegerFile(path: path) } catch { throw .file(error) }
        var rest = file.metadata
        func take(_ key: String) throws(PartialSumError) -> String {
            guard let value = rest.removeValue(forKey: key) else { throw .noKey(key) }
            return value
        }
        let format = try take("format")
        guard format == Self.format else {
            throw .value(key: "format", found: format, expected: Self.format)
        }
        let count = try take("count")
        guard let number = Int(count), number >= 1, String(number) == count else {
            throw .value(key: "count", found: count, expected: "a number from 1 on")
        }
        clients = PartialClients(
            count: number, first: try take("first_client"), last: try take("last_client"),
            digest: try take("clients_sha256"))
        let digest = try take("plan_sha256")
        plan = try PartialPlan(rest)
        guard digest == plan.digest else {
            throw .value(key: "plan_sha256", found: digest, expected: plan.digest)
        }
        self.path = path
        self.file = file
        var unknown = Set(file.tensors.map(\.name))
        for tensor in PartialTensor.all(of: plan) {
            for name in [tensor.hi, tensor.lo] {
                guard let found = file[name] else { throw .noTensor(name) }
                guard found.shape == tensor.shape else {
                    throw .shape(tensor: name, expected: tensor.shape, found: found.shape)
                }
                unknown.remove(name)
            }
        }
        if let name = unknown.min(by: { $0.precedes($1) }) { throw .unknownTensor(name) }
        if let bytes = file.bytes {
            guard bytes.name == Self.listName else { throw .unknownTensor(bytes.name) }
            list = PartialClientList(bytes)
        } else if hasList {
            throw .noTensor(Self.listName)
        } else {
            list = try PartialClientList(path: Self.listPath(of: path))
        }
        try list.check(against: clients)
    }

    /// Adds the sums of a module of the plan to others.
    func add(_ module: ModuleShape, to sums: inout PartialModule) throws(PartialSumError) {
        let weights = try weights(of: module)
        let covered = (0..<weights.count).prefix { weights[$0] != .zero }.count
        func add(_ tensor: PartialTensor, rows: Int, to planes: inout FixedPointPlanes?) throws(PartialSumError) {
            guard var target = planes.take() else { return }
            try check(tensor, isZeroFrom: covered, of: rows)
            try self.add(tensor, to: &target)
            planes = target
        }
        try add(.a(of: module), rows: module.maximumRank, to: &sums.a)
        try add(.b(of: module), rows: module.maximumRank, to: &sums.b)
        if sums.bias != nil {
            var weight = FixedPointPlanes(zeros: 1)
            try self.add(.biasWeight(of: module), to: &weight)
            guard weight[0] == weights[0] else { throw .biasWeight(tensor: PartialTensor.biasWeight(of: module).name) }
            // A bias is one row, which every client that holds the module has.
            if covered == 0 { try check(.bias(of: module), isZeroFrom: 0, of: 1) }
            guard var bias = sums.bias.take() else { return }
            try self.add(.bias(of: module), to: &bias)
            sums.bias = bias
        }
        try self.add(.weights(of: module), to: &sums.weights)
    }

    /// Adds the sum of a dense tensor of the plan to another.
    func add(_ tensor: AdapterShape.Dense, to sums: inout PartialDense) throws(PartialSumError) {
        let weight = try self.weight(of: tensor)
        if weight[0] == .zero { try check(.values(of: tensor), isZeroFrom: 0, of: 1) }
        try add(.values(of: tensor), to: &sums.values)
        try add(.weight(of: tensor), to: &sums.weight)
    }

    /// The checked weights of a module's rows.
    func weights(of module: ModuleShape) throws(PartialSumError) -> FixedPointPlanes {
        let tensor = PartialTensor.weights(of: module)
        var weights = FixedPointPlanes(zeros: module.maximumRank)
        try add(tensor, to: &weights)
        for row in 0..<weights.count {
            guard weights[row].units >= 0 else { throw .negativeWeight(tensor: tensor.name, row: row) }
            guard row == 0 || weights[row].units <= weights[row - 1].units else {
                throw .risingWeight(tensor: tensor.name, row: row)
            }
        }
        return weights
    }

    /// The checked weight of a dense tensor.
    func weight(of tensor: AdapterShape.Dense) throws(PartialSumError) -> FixedPointPlanes {
        var weight = FixedPointPlanes(zeros: 1)
        try add(.weight(of: tensor), to: &weight)
        guard weight[0].units >= 0 else {
            throw .negativeWeight(tensor: PartialTensor.weight(of: tensor).name, row: 0)
        }
        return weight
    }

    private func add(_ tensor: PartialTensor, to planes: inout FixedPointPlanes) throws(PartialSumError) {
        guard let hi = file[tensor.hi], let lo = file[tensor.lo] else { throw .noTensor(tensor.hi) }
        do throws(FixedPointPlanes.PlaneError) {
            try file.withBytes(of: hi) { hi throws(FixedPointPlanes.PlaneError) in
                try file.withBytes(of: lo) { lo throws(FixedPointPlanes.PlaneError) in
                    try planes.add(hi: hi, lo: lo)
                }
            }
        } catch {
            throw .plane(tensor: tensor.name, error)
        }
    }

    /// Checks that the rows from `first` on, which nobody covers, have no sums.
    private func check(_ tensor: PartialTensor, isZeroFrom first: Int, of rows: Int) throws(PartialSumError) {
        guard first < rows, let hi = file[tensor.hi], let lo = file[tensor.lo] else { return }
        for plane in [hi, lo] {
            let found = file.withBytes(of: plane) { bytes -> Int? in
                let width = bytes.count / rows
                for offset in stride(from: first * width, to: bytes.count, by: 8)
                where bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) != 0 {
                    return offset / width
                }
                return nil
            }
            if let row = found { throw .sumWithoutWeight(tensor: tensor.name, row: row) }
        }
    }
}
