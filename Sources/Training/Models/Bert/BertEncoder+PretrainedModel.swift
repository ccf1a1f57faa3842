import AdapterFormat

extension BertEncoder: PretrainedModel {
    package static var modelType: String { "bert" }

    package var ownHead: [String: [Int]] { head.mapValues(\.shape) }

    package func head(classes: Int) -> [String: [Int]] {
        [BertBase.weightName: [classes, configuration.hidden], BertBase.biasName: [classes]]
    }

    package func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel {
        NativeModel(try BertBase(self, dense: dense))
    }
}
