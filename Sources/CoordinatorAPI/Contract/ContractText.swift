import Coordinator
import RankwiseWire
import Synchronization

/// The contract's texts, made once all routes are declared: the document, and the page for people.
final class ContractText: Sendable {
    private let texts = Mutex<(document: Result<[UInt8], WireError>, page: [UInt8])>((.success([]), []))

    /// The OpenAPI document; throws where it has a value that JSON cannot carry.
    var document: [UInt8] {
        get throws(ServiceError) {
            do throws(WireError) { return try texts.withLock { $0.document }.get() } catch {
                throw .internalFailure("the contract \(error)")
            }
        }
    }

    var page: [UInt8] { texts.withLock { $0.page } }

    /// Writes the texts for these routes.
    func write(_ routes: [RouteDeclaration], version: String) {
        let json = OpenAPIDocument.json(version: version, routes: routes)
        let document: Result<[UInt8], WireError>
        do throws(WireError) { document = .success(Array(try WireJSON.encode(json)) + [UInt8(ascii: "\n")]) } catch {
            document = .failure(error)
        }
        let page = Array(ContractPage.html(version: version, routes: routes).utf8)
        texts.withLock { $0 = (document, page) }
    }
}
