/// Why a file is not a data set: the place, and the expected and the actual value.
package enum DataSetError: Error, Equatable, Sendable {
    case unreadable(file: String, reason: String)
    case empty(file: String)
    case compressed(file: String)
    /// Lines and columns count from 1.
    case number(file: String, line: Int, column: Int, found: String)
    case label(file: String, line: Int, column: Int, found: String, limit: Int)
    case columns(file: String, line: Int, expected: Int, found: Int)
    case tooFewColumns(file: String, line: Int, found: Int)
    case magic(file: String, expected: String, found: String)
    case truncated(file: String, expected: Int, found: Int)
    case trailing(file: String, expected: Int, found: Int)
    case dimensions(file: String, found: [Int])
    case labelsMissing(file: String)
    case counts(images: Int, labels: Int)
}

extension DataSetError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let file, let reason): "\(file) cannot be read: \(reason)"
        case .empty(let file): "\(file) holds no example"
        case .compressed(let file): "\(file) is compressed with gzip; unpack it first"
        case .number(let file, let line, let column, let found):
            "\(file), line \(line), column \(column): expected a finite number, found \(found)"
        case .label(let file, let line, let column, let found, let limit):
            "\(file), line \(line), column \(column): expected a class from 0 to \(limit), found \(found)"
        case .columns(let file, let line, let expected, let found):
            "\(file), line \(line): expected \(expected) columns as on the lines before, found \(found)"
        case .tooFewColumns(let file, let line, let found):
            "\(file), line \(line): expected features and a class, found \(found) column"
        case .magic(let file, let expected, let found):
            "\(file): expected an IDX file that starts with \(expected), found \(found)"
        case .truncated(let file, let expected, let found):
            "\(file): its header promises \(expected) bytes, but it ends after \(found)"
        case .trailing(let file, let expected, let found):
            "\(file): its header promises \(expected) bytes, but it has \(found)"
        case .dimensions(let file, let found):
            "\(file): sides of \(found.map(String.init).joined(separator: "×")) make no data set"
        case .labelsMissing(let file):
            "\(file): cannot tell where its labels are; name the files …images…idx3… and …labels…idx1…"
        case .counts(let images, let labels): "\(images) images, but \(labels) labels"
        }
    }
}
