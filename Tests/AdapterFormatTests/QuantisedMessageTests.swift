import Testing

@testable import AdapterFormat

struct QuantisedMessageTests {
    /// Every kind of tensor that an adapter has; with the odd sides and single columns that packing finds hard.
    private static let shape = Result {
        try AdapterShape(
            modules: [
                ModuleShape(name: "fc1", inputs: 65, outputs: 8, maximumRank: 3, hasBias: true),
                ModuleShape(name: "fc2", inputs: 1, outputs: 5, maximumRank: 1),
                ModuleShape(name: "conv", kind: .conv2d(height: 3, width: 3), inputs: 27, outputs: 4, maximumRank: 2),
                ModuleShape(name: "emb", kind: .embedding, inputs: 31, outputs: 6, maximumRank: 5),
            ],
            dense: [
                .init(name: "head.weight", shape: [3, 7]), .init(name: "head.bias", shape: [3]),
                .init(name: "temperature", shape: []),
            ])
    }

    /// Numbers of all sizes and signs, drawn by a linear congruential generator; every fourth row is constant.
    private struct DrawnAdapter: AdapterSource {
        static func draw(rows: Int, columns: Int, seed: UInt64) -> [Float] {
            var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
            func next() -> Float {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
            }
            return (0..<rows).flatMap { row in
                let size: Float = [1, 1e-6, 3e4][row % 3]
                let constant = next() * size
                return (0..<columns).map { _ in row % 4 == 3 ? constant : next() * size }
            }
        }

        func factors(of module: ModuleShape, rank: Int) -> ModuleFactors? {
            ModuleFactors(
                rank: rank, inputs: module.inputs, outputs: module.outputs,
                a: Self.draw(rows: rank, columns: module.inputs, seed: UInt64(module.inputs)),
                outputMajorB: Self.draw(rows: module.outputs, columns: rank, seed: UInt64(module.outputs)),
                bias: module.hasBias ? Self.draw(rows: 1, columns: module.outputs, seed: 5) : nil)
        }

        func values(of tensor: AdapterShape.Dense) -> [Float]? {
            let rows = tensor.shape.first ?? 1
            return Self.draw(rows: rows, columns: tensor.elementCount / rows, seed: 77)
        }
    }

    private func bytes(_ source: any AdapterSource, bits: MessageBits?, type: ScalarType = .f32) throws -> [UInt8] {
        let shape = try Self.shape.get()
        let folder = try TemporaryFolder()
        return try folder.file("adapter_model.safetensors") { descriptor in
            try AdapterWriter(shape: shape, type: type, messageBits: bits, descriptor: descriptor).take(source)
        }
    }

    @Test(arguments: MessageBits.allCases)
    func `every number comes back within half a step, and tensors of one side or none as they were`(
        bits: MessageBits
    ) throws {
        let sent = try SafetensorsFile(bytes: bytes(DrawnAdapter(), bits: nil))
        let received = try SafetensorsFile(bytes: bytes(DrawnAdapter(), bits: bits))
        #expect(Set(received.tensors.map(\.name)) == Set(sent.tensors.map(\.name)))
        for tensor in sent.tensors {
            let message = try #require(received[tensor.name])
            #expect(message.shape == tensor.shape)
            #expect(message.elementCount == tensor.elementCount)
            #expect(message.notFiniteCount() == 0)
            let numbers = tensor.floats()
            guard tensor.shape.count > 1 else {
                #expect(message.quantisation == nil)
                #expect(message.floats() == numbers)
                continue
            }
            let quantisation = try #require(message.quantisation)
            #expect(quantisation.bits == bits)
            #expect(quantisation.scales.count == tensor.shape[0])
            #expect(message.byteCount == tensor.shape[0] * quantisation.bytesPerRow)
            let back = message.floats()
            for start in stride(from: 0, to: back.count, by: 7) {
                let elements = start..<min(start + 1 + start % 90, back.count)
                let some = [Float](unsafeUninitializedCapacity: elements.count) { target, count in
                    message.decode(elements: elements, into: .init(rebasing: target[..<elements.count]))
                    count = elements.count
                }
                #expect(some == Array(back[elements]), "\(message.name) \(elements)")
            }
            for row in 0..<tensor.shape[0] {
                let range = row * quantisation.columns..<(row + 1) * quantisation.columns
                try check(numbers[range], against: back[range], levels: bits.levels)
            }
        }
    }

    private func check(_ sent: ArraySlice<Float>, against received: ArraySlice<Float>, levels: Int) throws {
        let least = Double(try #require(sent.min()))
        let greatest = Double(try #require(sent.max()))
        guard least < greatest else {
            #expect(sent.map(\.bitPattern) == received.map(\.bitPattern))
            return
        }
        // Half a step, of a scale that is rounded to a Float; then scale·q and the sum are rounded to a Float each, which
        // moves them by 2⁻²⁴ of their size at most.
        let size = greatest - least + max(abs(least), abs(greatest))
        let bound = (greatest - least) / Double(levels) / 2 + size * 0x1.01p-24
        for (one, other) in zip(sent, received) { #expect(abs(Double(one) - Double(other)) <= bound) }
    }

    @Test(arguments: MessageBits.allCases, [ScalarType.f32, .bf16])
    func `a message is the adapter of its shape, and the same bytes each time`(
        bits: MessageBits, type: ScalarType
    ) throws {
        let shape = try Self.shape.get()
        let first = try bytes(DrawnAdapter(), bits: bits, type: type)
        #expect(try bytes(DrawnAdapter(), bits: bits, type: type) == first)
        #expect(try SafetensorsLayout(shape: shape, type: type, messageBits: bits).byteCount == first.count)
        let file = try SafetensorsFile(bytes: first, limits: shape.readingLimits)
        let adapter = try AdapterFile(file)
        #expect(adapter.modules.map(\.name) == ["conv", "emb", "fc1", "fc2"])
        #expect(adapter.dense.map(\.name) == ["head.bias", "head.weight", "temperature"])
        #expect(adapter[module: "conv"]?.a?.shape == [2, 3, 3, 3])
        #expect(adapter[module: "conv"]?.b?.shape == [4, 2, 1, 1])
        #expect(adapter[module: "fc1"]?.bias?.type == type)
        try adapter.validate(against: shape, ranks: [:], messageBits: [bits])
        #expect(try AdapterShape(template: adapter).modules == shape.modules)
    }

    @Test func `a message that was not agreed on is refused by name`() throws {
        let shape = try Self.shape.get()
        let adapter = try AdapterFile(SafetensorsFile(bytes: bytes(DrawnAdapter(), bits: .four)))
        for agreed in [[], [MessageBits.eight]] {
            let error = #expect(throws: AdapterError.self) {
                try adapter.validate(against: shape, ranks: [:], messageBits: Set(agreed))
            }
            #expect(error == .quantised(tensor: "conv.lora_A.weight", bits: .four))
            #expect(
                error?.description
                    == "conv.lora_A.weight is quantised to 4 bits; this federation takes no such messages")
        }
    }

    /// One tensor through a file.
    private func message(_ numbers: [Float], shape: [Int], bits: MessageBits) throws -> TensorView {
        let layout = try SafetensorsLayout(tensors: [
            .init(name: "w", type: .f32, shape: shape, messageBits: bits)
        ])
        let folder = try TemporaryFolder()
        let bytes = try folder.file("message.safetensors") { descriptor in
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            try writer.write(numbers, to: "w")
            try writer.finish()
        }
        return try #require(SafetensorsFile(bytes: bytes)["w"])
    }

    @Test func `codes, scales and minima are where the format has them`() throws {
        let eight = try message([-1, 254, 1, 5, 5, 5], shape: [2, 3], bits: .eight)
        #expect(eight.withBytes { Array($0) } == [0, 255, 2, 0, 0, 0])
        #expect(eight.quantisation == Quantisation(bits: .eight, columns: 3, scales: [1, 0], minima: [-1, 5]))
        // The low nibble first, and every row on a byte of its own.
        let four = try message([0, 15, 1, 2, 30, 8], shape: [2, 3, 1], bits: .four)
        #expect(four.withBytes { Array($0) } == [0xF0, 0x01, 0xF0, 0x03])
        #expect(four.quantisation == Quantisation(bits: .four, columns: 3, scales: [1, 28 / 15], minima: [0, 2]))
        #expect(four.shape == [2, 3, 1])
    }

    @Test func `a message made elsewhere is read`() throws {
        let header = """
            {"__metadata__":{"message_bits":"4","shape:w":"2,3"},\
            "w":{"dtype":"U8","shape":[2,2],"data_offsets":[16,20]},\
            "w.min":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},\
            "w.scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}
            """
        let floats: [Float] = [0.5, 2, -1, 3]
        let file = try SafetensorsFile(
            bytes: safetensors(
                header, data: floats.flatMap { withUnsafeBytes(of: $0) { Array($0) } } + [0x21, 0x0F, 0x43, 0x00]))
        #expect(file.tensors.map(\.name) == ["w"])
        #expect(file["w"]?.floats() == [-0.5, 0, 6.5, 9, 11, 3])
        #expect(file["w.min"] == nil)
    }

    @Test(arguments: MessageBits.allCases)
    func `constant channels keep every bit`(bits: MessageBits) throws {
        let constants: [Float] = [-0.0, 0, .leastNonzeroMagnitude, -.greatestFiniteMagnitude, 0.1]
        let tensor = try message(constants.flatMap { [$0, $0, $0] }, shape: [5, 3], bits: bits)
        #expect(tensor.quantisation?.scales == [0, 0, 0, 0, 0])
        #expect(tensor.floats().map(\.bitPattern) == constants.flatMap { [$0, $0, $0] }.map(\.bitPattern))
    }

    @Test(arguments: MessageBits.allCases)
    func `channels at the ends of what a Float holds come back within half a step`(bits: MessageBits) throws {
        let tiny = Float.leastNonzeroMagnitude
        let huge = Float.greatestFiniteMagnitude
        let rows: [[Float]] = [
            [0, tiny, 2 * tiny], [0, 300 * tiny, 100 * tiny], [-huge / 2, 0, huge / 4], [1, Float(1).nextUp, 1],
            [1e30, 1e30, 1e-30],
        ]
        let back = try message(rows.flatMap(\.self), shape: [5, 3], bits: bits).floats()
        for (index, row) in rows.enumerated() {
            let received = back[3 * index..<3 * index + 3]
            if index < 2 {
                // A step of less than the least Float is rounded up to a whole number of them.
                let step = (row[1...].max() ?? 0) / Float(bits.levels) + tiny
                for (one, other) in zip(row, received) { #expect(abs(one - other) <= step / 2) }
            } else {
                try check(row[...], against: received, levels: bits.levels)
            }
        }
    }

    @Test func `what is not finite, or too wide for a Float, is not quantised`() throws {
        let huge = Float.greatestFiniteMagnitude
        for (numbers, error) in [
            ([0, 1, 2, .nan], SafetensorsWriteError.notFinite("w", row: 1)),
            ([0, .infinity, 2, 3], .notFinite("w", row: 0)),
            ([0, 1, -huge, huge], .tooWide("w", row: 1)),
        ] {
            #expect(throws: error) { try message(numbers, shape: [2, 2], bits: .eight) }
        }
    }

    @Test func `codes that a Float cannot hold are counted as not finite`() throws {
        let header = """
            {"w":{"dtype":"U8","shape":[2,2],"data_offsets":[16,20]},\
            "w.min":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},\
            "w.scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}
            """
        let floats: [Float] = [1e38, 1, 1e38, 3]
        let file = try SafetensorsFile(
            bytes: safetensors(
                header, data: floats.flatMap { withUnsafeBytes(of: $0) { Array($0) } } + [2, 3, 255, 255]))
        #expect(file["w"]?.notFiniteCount() == 1)
        #expect(file["w"]?.floats() == [3e38, .infinity, 258, 258])
    }

    @Test func `a name that belongs to a quantised tensor cannot be taken by another`() {
        #expect(throws: SafetensorsWriteError.duplicate("w.scale")) {
            try SafetensorsLayout(tensors: [
                .init(name: "w", type: .f32, shape: [2, 2], messageBits: .eight),
                .init(name: "w.scale", type: .f32, shape: [2]),
            ])
        }
    }
}
