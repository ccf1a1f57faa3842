/// Labelled examples in memory: one row of features and one class each.
package struct DataSet: ExampleSet, Equatable {
    /// The number of features of one example.
    package let width: Int
    /// (examples × width), row-major, with the file's values.
    package let features: [Float]
    /// The class of each example, from 0.
    package let labels: [Int]

    /// - Precondition: there are `width` features per label, and both are positive.
    package init(width: Int, features: [Float], labels: [Int]) {
        precondition(width > 0 && !labels.isEmpty, "a data set of \(labels.count) examples, \(width) wide")
        precondition(features.count == width * labels.count, "\(features.count) features, \(labels.count) labels")
        self.width = width
        self.features = features
        self.labels = labels
    }

    /// The examples at `indices`, in their order.
    /// - Precondition: there is at least one, and each is of this set.
    package func subset(_ indices: [Int]) -> DataSet {
        var chosen: [Float] = []
        chosen.reserveCapacity(indices.count * width)
        for index in indices { chosen.append(contentsOf: features[index * width..<(index + 1) * width]) }
        return DataSet(width: width, features: chosen, labels: indices.map { labels[$0] })
    }
}

/// Features that are set to a value, so that an example shows whoever knows them what it is.
package struct FeatureTrigger: Sendable, Hashable {
    package let places: [Int]
    /// nil for the highest of all examples' features.
    package let value: Float?

    package init(places: [Int], value: Float? = nil) {
        self.places = places
        self.value = value
    }
}

extension DataSet {
    /// The same examples with other labels, and a trigger in some of them.
    ///
    /// - Precondition: there is a label for each, and the trigger's places are of this width.
    package func relabelled(_ labels: [Int], trigger: FeatureTrigger?, on chosen: Set<Int>) -> DataSet {
        var features = features
        if let trigger {
            let value = trigger.value ?? features.max() ?? 1
            for index in chosen {
                for place in trigger.places { features[index * width + place] = value }
            }
        }
        return DataSet(width: width, features: features, labels: labels)
    }

    /// The highest class that a file may contain.
    package static let labelLimit = 65_535

    /// Reads a CSV file, or an IDX file of images with its labels in a file beside it.
    ///
    /// The content decides, not the name: an IDX file starts with two zero bytes. For images at
    /// `train-images-idx3-ubyte`, the labels are read from `train-labels-idx1-ubyte`.
    package init(path: String) throws(DataSetError) {
        let bytes = try FileContents.read(path)
        guard bytes.starts(with: [0, 0]) else {
            self = try CSVReader.read(bytes, file: path)
            return
        }
        let labelsPath = try IDXReader.labelsPath(forImages: path)
        self = try IDXReader.read(
            images: bytes, imagesFile: path, labels: FileContents.read(labelsPath), labelsFile: labelsPath)
    }
}
