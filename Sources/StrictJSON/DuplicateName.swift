/// Finds a name that occurs twice in one object. Foundation's decoder would keep one of the values without an error.
package enum DuplicateName {
    /// The dotted path of the first such name; nil where there is none, or the text is not valid JSON.
    package static func find(in text: UnsafeRawBufferPointer) -> String? {
        var scanner = JSONScanner(text)
        var path: [String] = []
        return (try? search(&scanner, &path)) ?? nil
    }

    private static func search(
        _ scanner: inout JSONScanner, _ path: inout [String]
    ) throws(JSONSyntaxError) -> String? {
        switch try scanner.peek(expecting: "a value") {
        case UInt8(ascii: "{"):
            var names: Set<String> = []
            try scanner.beginObject()
            while let name = try scanner.nextName() {
                path.append(name)
                guard names.insert(name).inserted else { return path.joined(separator: ".") }
                if let found = try search(&scanner, &path) { return found }
                path.removeLast()
            }
        case UInt8(ascii: "["):
            try scanner.beginArray()
            var index = 0
            while try scanner.nextElement() {
                path.append(String(index))
                if let found = try search(&scanner, &path) { return found }
                path.removeLast()
                index += 1
            }
        default: try scanner.skipValue()
        }
        return nil
    }
}
