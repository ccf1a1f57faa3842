package import AdapterFormat

extension AdapterFile {
    /// Opens the adapter at a path.
    ///
    /// - Parameter checked: whether every number is checked too.
    /// - Throws: `adapter`, with the path and the fault.
    package init(path: String, checked: Bool = false) throws(AdapterFileError) {
        do {
            try self.init(try SafetensorsFile(path: path))
            if checked { try checkFinite() }
        } catch {
            throw .adapter(file: path, reason: "\(error)")
        }
    }
}
