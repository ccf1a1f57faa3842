import Dispatch
import LinearAlgebra

/// The speed of OpenBLAS's product on this machine: one square product on each of two threads.
enum BenchPeak {
    private static let side = 1024
    private static let products = 4

    /// The type of the numbers.
    enum Precision {
        case float
        case double
    }

    static func gigaflopsPerSecond(of precision: Precision = .float) -> Double {
        let lanes = (0..<2).map { _ in Lane(precision) }
        let times = BenchTimes {
            DispatchQueue.concurrentPerform(iterations: lanes.count) { lane in
                switch precision {
                case .float: lanes[lane].multiply(products)
                case .double: lanes[lane].multiplyDoubles(products)
                }
            }
        }
        let flops = 2 * Double(side) * Double(side) * Double(side)
        return Double(lanes.count * products) * flops / times.seconds / 1e9
    }

    /// It is `@unchecked Sendable` because one thread at a time uses a lane.
    private final class Lane: @unchecked Sendable {
        /// Of one type, and empty of the other: what a bench says of its memory has only what it uses.
        private let blocks: [FloatBlock]
        private var doubles: [[Double]]

        init(_ precision: Precision) {
            blocks = (0..<3).map { _ in FloatBlock(count: precision == .float ? side * side : 0) }
            doubles = (0..<3).map { _ in [Double](repeating: 0.5, count: precision == .double ? side * side : 0) }
            for block in blocks { block.floats.update(repeating: 0.5) }
        }

        func multiplyDoubles(_ times: Int) {
            for _ in 0..<times {
                MatrixProduct.multiply(into: &doubles[0], doubles[1], doubles[2], side: side)
            }
        }

        func multiply(_ times: Int) {
            let views = blocks.map { $0.matrix(rows: side, columns: side) }
            for _ in 0..<times {
                MatrixProduct.accumulate(into: views[2], views[0].readOnly, .asGiven, views[1].readOnly)
            }
        }
    }
}
