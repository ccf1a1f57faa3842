import AdapterFormat

extension BertEncoder: PretrainedModel {
    package static var modelTypes: [String] { ["bert"] }

    package init(path: String) throws(TrainingError) { try self.init(folder: path) }

    package var peftKeys: [(key: String, value: String)] { [("task_type", "SEQ_CLS")] }

    package var ownHead: [String: [Int]] { head.mapValues(\.shape) }

    package func head(classes: Int) -> [String: [Int]] {
        [BertBase.weightName: [classes, configuration.hidden], BertBase.biasName: [classes]]
    }

    package func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel {
        NativeModel(try BertBase(self, dense: dense))
    }
}
