import AdapterFormat
import Foundation
import RankwiseWire

/// Feeds bytes from outside to everything that reads JSON: the reader of `adapter_config.json` with its own scanner, and
/// the bodies of requests and answers. What they refuse is fine; a trap, a hang, a read out of bounds, or a value that
/// cannot be written and read again is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let data = Data(bytes)
    readConfig(bytes, data)
    readBody(FederationDocument.self, data)
    readBody(FederationPatch.self, data)
    readBody(RegistrationBody.self, data)
    readBody(PlanBody.self, data)
    readBody(JSONValue.self, data)
    return 0
}

private func readConfig(_ bytes: UnsafeRawBufferPointer, _ data: Data) {
    guard let config = try? AdapterConfig(json: bytes) else { return }
    // What the scanner takes for JSON is JSON to another reader too.
    guard (try? JSONSerialization.jsonObject(with: data)) != nil else {
        preconditionFailure("a configuration that is no JSON was read")
    }
    for module in ["m", "model.layers.0.self_attn.q_proj"] {
        precondition(config.rank(of: module) > 0)
        _ = config.scale(of: module)
    }
    guard (try? AdapterConfig(json: Array(config.json.utf8))) == config else {
        preconditionFailure("a configuration reads differently once it is written")
    }
}

private func readBody<Body: Codable>(_ type: Body.Type, _ data: Data) {
    do throws(WireError) {
        // Writing may turn 1.0 into 1, but no more than once.
        let written = rewritten(try WireJSON.decodeStrictly(type, from: data)).body
        let once = rewritten(written)
        precondition(once.text == rewritten(once.body).text, "a body reads differently once it is written")
    } catch {
        precondition(!error.reason.isEmpty)
    }
}

/// What a body is written as, and read as again.
private func rewritten<Body: Codable>(_ body: Body) -> (text: Data, body: Body) {
    do throws(WireError) {
        let text = try WireJSON.encode(body)
        return (text, try WireJSON.decodeStrictly(Body.self, from: text))
    } catch {
        preconditionFailure("a body cannot be read once it is written: \(error)")
    }
}
