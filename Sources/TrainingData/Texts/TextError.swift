/// Why a file is no set of labelled texts or no vocabulary: the place and what was expected.
package enum TextError: Error, Equatable, Sendable {
    case data(DataSetError)
    /// Lines count from 1.
    case notUTF8(file: String, line: Int?)
    case label(file: String, line: Int, found: String, limit: Int)
    case noText(file: String, line: Int)
    case json(file: String, line: Int)
    case empty(file: String)
    case vocabulary(file: String, reason: String)
    case dialogue(file: String, line: Int, reason: String)
    /// A chat template needs a token that the model's vocabulary lacks.
    case template(name: String, token: String)
}

extension TextError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .data(let error): "\(error)"
        case .notUTF8(let file, let line): "\(file)\(line.map { ", line \($0)" } ?? ""): not UTF-8"
        case .label(let file, let line, let found, let limit):
            "\(file), line \(line): expected a class from 0 to \(limit), found \(found)"
        case .noText(let file, let line): "\(file), line \(line): expected a class, a tab and a text"
        case .json(let file, let line):
            "\(file), line \(line): expected an object with \"label\", a whole number, and \"text\", a string"
        case .empty(let file): "\(file) holds no text"
        case .dialogue(let file, let line, let reason): "\(file), line \(line): \(reason)"
        case .template(let name, let token):
            "the chat template \(name) needs a token \"\(token)\", which the model's vocabulary lacks"
        case .vocabulary(let file, let reason): "\(file) is no WordPiece vocabulary: \(reason)"
        }
    }
}
