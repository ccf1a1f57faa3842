/// A server's answer: the value, and the JSON that it came as.
///
/// The JSON is printed as it came, so keys that this version does not know are shown too.
struct Answer<Body: Sendable>: Sendable {
    let body: Body
    let json: [UInt8]
}
