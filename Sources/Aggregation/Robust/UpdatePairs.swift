/// For each pair of updates, the inner product of what is compared, and the squared norms of both over it.
struct UpdatePairs: Sendable {
    let count: Int
    /// (count × count), symmetric: ⟨x_k, x_j⟩.
    private(set) var products: [Double]
    /// (count × count): ‖x_k‖² over what is compared with j.
    private(set) var squares: [Double]
    /// Whether anything of two updates is compared.
    private(set) var isCommon: [Bool]

    init(count: Int) {
        self.count = count
        products = [Double](repeating: 0, count: count * count)
        squares = [Double](repeating: 0, count: count * count)
        isCommon = [Bool](repeating: false, count: count * count)
    }

    /// Adds what one module or one tensor gives for its holders, given by their places.
    mutating func add(_ part: UpdatePairs, of holders: [Int]) {
        for (one, first) in holders.enumerated() {
            for (other, second) in holders.enumerated() {
                let (from, to) = (one * part.count + other, first * count + second)
                products[to] += part.products[from]
                squares[to] += part.squares[from]
                isCommon[to] = true
            }
        }
    }

    /// Sets a pair's values; `first` is ‖x_one‖² over what is compared with the other, `second` the other's.
    mutating func set(_ one: Int, _ other: Int, product: Double, first: Double, second: Double) {
        products[one * count + other] += product
        squares[one * count + other] += first
        guard one != other else { return }
        products[other * count + one] += product
        squares[other * count + one] += second
    }

    /// d² = ‖x_k − x_j‖² / (‖x_k‖² + ‖x_j‖²): 0 where both are 0, infinite where nothing is common.
    func relativeDistance(_ one: Int, _ other: Int) -> Double {
        guard isCommon[one * count + other] else { return .infinity }
        let norm = squares[one * count + other] + squares[other * count + one]
        guard norm > 0 else { return 0 }
        // Rounding may make a distance of zero slightly negative.
        return max(0, norm - 2 * products[one * count + other]) / norm
    }
}
