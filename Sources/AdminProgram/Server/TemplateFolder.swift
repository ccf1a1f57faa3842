import Foundation
import RankwiseWire

/// A folder with an adapter as PEFT saves it, to make a federation from.
struct TemplateFolder: Sendable {
    private let adapter: String
    private let configuration: String

    init(_ folder: String) throws(AdminError) {
        adapter = folder + "/adapter_model.safetensors"
        configuration = folder + "/adapter_config.json"
        for path in [adapter, configuration] where !FileManager.default.isReadableFile(atPath: path) {
            throw .file("--template: \(path) cannot be read")
        }
    }

    /// Sends both parts; the answer says how the federation stands after the second.
    func send(to federation: Name, _ api: AdminAPI) async throws(AdminError) -> Answer<TemplateBody> {
        _ = try await api.upload(federation, "template", from: adapter, type: "application/octet-stream")
        return try await api.upload(
            federation, "template/adapter_config.json", from: configuration, type: "application/json")
    }
}
