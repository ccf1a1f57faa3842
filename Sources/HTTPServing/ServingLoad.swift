/// What a server holds open at one moment.
package struct ServingLoad: Sendable, Hashable {
    /// Connections that are served.
    package var connections = 0
    /// Connections that are being refused.
    package var refusedConnections = 0
    /// Requests with a body, from their head to the end of their handler.
    package var bodies = 0
    /// The bytes of these bodies: as declared, or as they came.
    package var bodyBytes = 0

    package init() {}
}
