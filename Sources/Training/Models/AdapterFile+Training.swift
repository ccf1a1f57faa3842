package import AdapterFormat

extension AdapterFile {
    /// Opens a file that training or scoring needs.
    ///
    /// - Parameter checked: whether every number is looked at as well.
    /// - Throws: `adapter`, with the path and what is wrong with it.
    package init(trainingFile path: String, checked: Bool = false) throws(TrainingError) {
        do {
            try self.init(try SafetensorsFile(path: path))
            if checked { try checkFinite() }
        } catch {
            throw .adapter(file: path, reason: "\(error)")
        }
    }
}
