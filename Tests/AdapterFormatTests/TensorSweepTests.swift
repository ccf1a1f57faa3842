import Foundation
import Testing

@testable import AdapterFormat

struct TensorSweepTests {
    private let names = ["a", "b", "c", "d"]

    /// Five megabytes in four tensors, with NaN for the first and the last number of each and for some at which a window could
    /// end; and how many in each.
    private func bytes() throws -> (file: [UInt8], counts: [Int]) {
        let types: [ScalarType] = [.bf16, .f32, .f64, .f16]
        let sides = [500_001, 300_000, 250_000, 400_003]
        let layout = try SafetensorsLayout(
            tensors: zip(names, zip(types, sides)).map { .init(name: $0, type: $1.0, shape: [$1.1]) })
        var bytes = layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count)
        let empty = try SafetensorsFile(bytes: bytes)
        let counts = try names.map { name in
            let tensor = try #require(empty[name])
            let width = tensor.type.byteCount
            let wrong = Set([0, tensor.elementCount - 1] + stride(from: 65_535, to: tensor.elementCount, by: 65_536))
            for index in wrong {
                let start = tensor.range.lowerBound + index * width
                bytes.replaceSubrange(start..<start + width, with: repeatElement(0xFF, count: width))
            }
            return wrong.count
        }
        return (bytes, counts)
    }

    /// Writes the file, and has the page cache forget the pages named, as far as the system obeys.
    private func counts(of bytes: [UInt8], forgetting pages: [Range<Int>]) throws -> [Int] {
        let folder = try TemporaryFolder()
        _ = try folder.file("adapter.safetensors") { written in
            try FileHandle(fileDescriptor: written).write(contentsOf: bytes)
            #expect(fdatasync(written) == 0)
        }
        let descriptor = open(folder.path + "/adapter.safetensors", O_RDONLY)
        defer { close(descriptor) }
        for range in pages {
            #expect(posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED) == 0)
        }
        let storage = try TensorStorage(mapping: descriptor)
        let file = try SafetensorsFile(storage)
        var sweep = TensorSweep(storage)
        return names.compactMap { file[$0]?.count(beyond: 1e15, in: &sweep) }
    }

    @Test func `a sweep counts what the mapping would, in the page cache or not`() throws {
        let (bytes, expected) = try bytes()
        #expect(
            try SafetensorsFile(bytes: bytes).tensors.map { $0.notFiniteCount() }.reduce(0, +) == expected.reduce(0, +))
        #expect(try counts(of: bytes, forgetting: []) == expected)
        #expect(try counts(of: bytes, forgetting: [0..<bytes.count]) == expected)
    }

    @Test func `a sweep takes some windows from the page cache and others from the disk`() throws {
        let (bytes, expected) = try bytes()
        let parts = stride(from: 0, to: bytes.count, by: 3 << 18).map { $0..<min($0 + (1 << 18), bytes.count) }
        #expect(try counts(of: bytes, forgetting: parts) == expected)
    }
}
