package import Foundation
package import RankwiseWire

/// A federation's settings with one more part, `simulation`.
package struct SimulationDocument: Sendable, Hashable {
    package var federation: FederationDocument
    package var simulation: SimulationSettings

    private static let key = "simulation"

    package init(federation: FederationDocument, simulation: SimulationSettings) {
        self.federation = federation
        self.simulation = simulation
    }

    /// Reads JSON; unknown keys are refused by name.
    package init(json: Data) throws(SimulationError) {
        do throws(WireError) {
            try self.init(values: try WireJSON.decodeStrictly([String: JSONValue].self, from: json))
        } catch {
            throw .settings(path: error.path, reason: error.reason)
        }
    }

    /// - Parameter values: the document's keys.
    package init(values: [String: JSONValue]) throws(WireError) {
        var values = values
        guard let part = values.removeValue(forKey: Self.key) else {
            throw WireError(path: Self.key, reason: "is missing")
        }
        federation = try WireJSON.decodeStrictly(FederationDocument.self, from: try WireJSON.encode(values))
        do throws(WireError) {
            simulation = try WireJSON.decodeStrictly(SimulationSettings.self, from: try WireJSON.encode(part))
        } catch {
            throw WireError(path: Self.key + (error.path.isEmpty ? "" : "." + error.path), reason: error.reason)
        }
    }

    /// The document as JSON; equal documents give equal bytes.
    package func json() throws(SimulationError) -> Data {
        do throws(WireError) {
            var values = try WireJSON.decode([String: JSONValue].self, from: try WireJSON.encode(federation))
            values[Self.key] = try WireJSON.decode(JSONValue.self, from: try WireJSON.encode(simulation))
            return try WireJSON.encode(values, pretty: true)
        } catch {
            throw .settings(path: error.path, reason: error.reason)
        }
    }

    /// Whether this run can continue a run of `other`: only the length, the number of threads and the place of the data
    /// may differ.
    func continues(_ other: SimulationDocument) -> Bool {
        var other = other
        other.federation.round.total = federation.round.total
        other.simulation.threads = simulation.threads
        other.simulation.data = simulation.data
        other.simulation.base = simulation.base
        return other == self
    }
}
