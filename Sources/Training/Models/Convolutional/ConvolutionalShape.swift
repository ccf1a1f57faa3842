/// The layers of a convolutional net, as in its name: `cnn-28x28x1-16k5-32k5-128-10`.
///
/// The name begins with the images as height × width × channels; an example's features are channels × height × width.
/// The convolutions `conv1`, `conv2`, … follow, such as 16k5 for 16 channels of 5 × 5 kernels. Each is padded to keep
/// height and width, and is followed by a ReLU and a 2 × 2 maximum pool. The linear layers `fc1`, `fc2`, … come last,
/// with a ReLU between them.
package struct ConvolutionalShape: Sendable, Hashable {
    package struct Convolution: Sendable, Hashable {
        package let name: String
        package let channels: Int
        package let height: Int
        package let width: Int
        package let outputs: Int
        /// The kernel's height and width, an odd number.
        package let kernel: Int

        /// The length of one row of the weight.
        var inputs: Int { channels * kernel * kernel }
        /// The height after the pool.
        var pooledHeight: Int { height / 2 }
        var pooledWidth: Int { width / 2 }
        /// The count of numbers of one example before the convolution and after the pool.
        var inputCount: Int { channels * height * width }
        var outputCount: Int { outputs * pooledHeight * pooledWidth }
    }

    package let convolutions: [Convolution]
    package let linear: [PerceptronShape.Layer]

    /// The number of features of an example.
    package var inputs: Int { convolutions[0].inputCount }
    package var classes: Int { linear[linear.count - 1].outputs }

    package init(name: String) throws(TrainingError) {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        let expected = "expected \(ConvolutionalBase.form)"
        let convolved = parts.dropFirst(2).prefix { $0.contains("k") }
        let widths = parts.dropFirst(2 + convolved.count).map { Self.number($0, upTo: 1_000_000) }
        guard parts.count > 2, parts[0] == ConvolutionalBase.kind, (1...8).contains(convolved.count),
            (1...32).contains(widths.count),
            let image = Self.numbers(parts[1], separator: "x", count: 3, upTo: 4096)
        else { throw .model(name, reason: expected) }
        var (height, width, channels) = (image[0], image[1], image[2])
        var convolutions: [Convolution] = []
        for part in convolved {
            guard let numbers = Self.numbers(part, separator: "k", count: 2, upTo: 4096), numbers[1] % 2 == 1,
                numbers[1] <= 15
            else { throw .model(name, reason: expected) }
            guard height >= 2, width >= 2 else { throw .model(name, reason: "the images are too small for \(part)") }
            convolutions.append(
                Convolution(
                    name: "conv\(convolutions.count + 1)", channels: channels, height: height, width: width,
                    outputs: numbers[0], kernel: numbers[1]))
            (channels, height, width) = (numbers[0], height / 2, width / 2)
        }
        var linear: [PerceptronShape.Layer] = []
        var inputs = channels * height * width
        for case let outputs? in widths {
            linear.append(.init(name: "fc\(linear.count + 1)", inputs: inputs, outputs: outputs))
            inputs = outputs
        }
        guard linear.count == widths.count else { throw .model(name, reason: expected) }
        let weights =
            convolutions.reduce(0) { $0 + $1.inputs * $1.outputs } + linear.reduce(0) { $0 + $1.inputs * $1.outputs }
        let activations = convolutions.map { max($0.inputs, $0.outputs) * $0.height * $0.width }.max() ?? 0
        guard max(weights, activations) <= PerceptronShape.weightLimit else {
            throw .model(
                name, reason: "it has \(weights) weights; at most \(PerceptronShape.weightLimit) are supported")
        }
        self.convolutions = convolutions
        self.linear = linear
    }

    private static func number(_ text: Substring, upTo limit: Int) -> Int? {
        guard text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let number = Int(text),
            (1...limit).contains(number)
        else { return nil }
        return number
    }

    private static func numbers(_ text: Substring, separator: Character, count: Int, upTo limit: Int) -> [Int]? {
        let numbers = text.split(separator: separator, omittingEmptySubsequences: false)
            .compactMap { number($0, upTo: limit) }
        return numbers.count == count && text.filter { $0 == separator }.count == count - 1 ? numbers : nil
    }
}
