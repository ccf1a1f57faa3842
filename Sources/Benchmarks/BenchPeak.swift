import Dispatch
import LinearAlgebra

/// The speed of OpenBLAS's float product on this machine: one square product on each of two threads.
enum BenchPeak {
    private static let side = 1024
    private static let products = 4

    static func gigaflopsPerSecond() -> Double {
        let lanes = (0..<2).map { _ in Lane() }
        let times = BenchTimes {
            DispatchQueue.concurrentPerform(iterations: lanes.count) { lanes[$0].multiply(products) }
        }
        let flops = 2 * Double(side) * Double(side) * Double(side)
        return Double(lanes.count * products) * flops / times.seconds / 1e9
    }

    /// It is `@unchecked Sendable` because one thread at a time uses a lane.
    private final class Lane: @unchecked Sendable {
        private let blocks = (0..<3).map { _ in FloatBlock(count: side * side) }

        init() {
            for block in blocks { block.floats.update(repeating: 0.5) }
        }

        func multiply(_ times: Int) {
            let views = blocks.map { $0.matrix(rows: side, columns: side) }
            for _ in 0..<times {
                MatrixProduct.accumulate(into: views[2], views[0].readOnly, .asGiven, views[1].readOnly)
            }
        }
    }
}
