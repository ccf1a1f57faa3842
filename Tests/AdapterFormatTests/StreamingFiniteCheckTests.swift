import Testing

@testable import AdapterFormat

struct ArrivingNumbersTests {
    private static let types: [ScalarType] = [.bf16, .f32, .f64, .f16]

    /// Tensors of every type, so that numbers lie at every place of a piece.
    private func file() throws -> [UInt8] {
        let layout = try SafetensorsLayout(
            tensors: zip(["a", "b", "c", "d"], Self.types).map { .init(name: $0, type: $1, shape: [5, 3]) })
        return layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count)
    }

    private func isKnownFinite(_ bytes: [UInt8], piece: Int = .max, byteCount: Int? = nil) -> Bool {
        var numbers = StreamingFiniteCheck(byteCount: byteCount ?? bytes.count)
        bytes.withUnsafeBytes { whole in
            for start in stride(from: 0, to: whole.count, by: min(piece, max(1, whole.count))) {
                numbers.take(UnsafeRawBufferPointer(rebasing: whole[start...].prefix(piece)))
            }
        }
        return numbers.isKnownFinite
    }

    @Test(arguments: [1, 3, 7, 64, 4096, Int.max])
    func `a sound file is vouched for, in whatever pieces it comes`(piece: Int) throws {
        #expect(isKnownFinite(try file(), piece: piece))
        for folder in try Fixtures.names(in: "peft") {
            let name = "peft/\(folder)/adapter_model.safetensors"
            guard let bytes = try? Fixtures.bytes(name) else { continue }
            #expect(isKnownFinite(bytes, piece: max(piece, 7)))
        }
    }

    @Test(arguments: [1, 3, 7, Int.max])
    func `no number that is refused passes, wherever it stands`(piece: Int) throws {
        let sound = try file()
        for tensor in try SafetensorsFile(bytes: sound).tensors {
            let width = tensor.type.byteCount
            for start in stride(from: tensor.range.lowerBound, to: tensor.range.upperBound, by: width) {
                var bytes = sound
                bytes.replaceSubrange(start..<start + width, with: repeatElement(0xFF, count: width))
                #expect(!isKnownFinite(bytes, piece: piece))
            }
        }
    }

    @Test func `numbers beyond the largest are not vouched for`() throws {
        let file = try file()
        let tensor = try #require(try SafetensorsFile(bytes: file)["b"])
        for (value, isSound) in [(AdapterFile.largestNumber, true), (AdapterFile.largestNumber.nextUp, false)] {
            var bytes = file
            let pattern = value.bitPattern
            for place in 0..<4 {
                bytes[tensor.range.lowerBound + place] = UInt8(truncatingIfNeeded: pattern >> (8 * place))
            }
            #expect(isKnownFinite(bytes) == isSound)
        }
    }

    @Test func `a file that is cut, or longer or shorter than it should be, is not vouched for`() throws {
        let file = try file()
        for count in 0..<file.count {
            #expect(!isKnownFinite(Array(file.prefix(count)), byteCount: file.count))
            #expect(!isKnownFinite(Array(file.prefix(count))))
        }
        #expect(!isKnownFinite(file + [0]))
        #expect(!isKnownFinite(file + [0], byteCount: file.count))
        #expect(!isKnownFinite(file, byteCount: file.count + 1))
    }

    @Test func `whatever is vouched for is read and found finite`() throws {
        for folder in ["header", "adapter", "quantised"] {
            for name in try Hostile.names(in: folder) {
                let bytes = try Hostile.bytes("\(folder)/\(name)")
                guard isKnownFinite(bytes, piece: 5) else { continue }
                let file = try SafetensorsFile(bytes: bytes)
                #expect(file.tensors.allSatisfy { $0.notFiniteCount() == 0 })
            }
        }
    }

    @Test func `a header that is too long to keep, or of quantised numbers, is left to a second look`() throws {
        let long = String(repeating: "x", count: 1 << 20)
        let header = #"{"__metadata__":{"k":"\#(long)"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let file = safetensors(header, data: [0, 0, 0, 0])
        #expect(throws: Never.self) { try SafetensorsFile(bytes: file) }
        #expect(!isKnownFinite(file))
        let packed = #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#
        #expect(!isKnownFinite(safetensors(packed, data: [0, 0, 0, 0])))
    }

    @Test(arguments: [1, 3, 7, 4096, Int.max])
    func `the sizes of factors are the same on their way and from the file`(piece: Int) throws {
        for folder in try Fixtures.names(in: "peft") {
            guard let bytes = try? Fixtures.bytes("peft/\(folder)/adapter_model.safetensors") else { continue }
            var numbers = StreamingFiniteCheck(byteCount: bytes.count, measuresFactors: true)
            bytes.withUnsafeBytes { whole in
                for start in stride(from: 0, to: whole.count, by: min(max(piece, 7), whole.count)) {
                    numbers.take(UnsafeRawBufferPointer(rebasing: whole[start...].prefix(max(piece, 7))))
                }
            }
            let file = try AdapterFile(SafetensorsFile(bytes: bytes))
            let (coming, read) = (file.factorSizes(knowing: numbers.squares), file.factorSizes())
            #expect(!numbers.squares.isEmpty && coming.count == read.count)
            for module in file.modules where module.expert == nil {
                let (one, other) = (try #require(coming[module.owner]), try #require(read[module.owner]))
                for (factor, sizes) in [(module.a, (one.a, other.a)), (module.b, (one.b, other.b))] {
                    let values = try #require(factor).floats().map(Double.init)
                    let exact = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
                    #expect(abs(sizes.0 - exact) <= 1e-5 * exact && abs(sizes.1 - exact) <= 1e-5 * exact)
                }
            }
        }
    }
}
