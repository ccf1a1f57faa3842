import ArgumentParser
import RankwiseWire
import SettingsFiles

/// Creates a federation, if asked from an adapter.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Create a federation; this alone shows its tokens.",
        discussion: """
            SETTINGS is a YAML or JSON file. With --template, FOLDER holds adapter_model.safetensors and \
            adapter_config.json of an adapter that PEFT saved; it gives modules, ranks, scaling and first values, and \
            SETTINGS must say adapter: {template: true}.
            """)

    @Argument(help: "The federation's settings.") var settings: String
    @Option(help: ArgumentHelp("The folder of an adapter to begin with.", valueName: "folder")) var template: String?
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let document: FederationDocument
        do throws(ConfigFile.Failure) {
            document = try ConfigFile.read(FederationDocument.self, from: settings)
        } catch {
            throw AdminError.file("\(error)")
        }
        let folder = try template.map { folder throws(AdminError) in
            guard document.adapter.template else {
                throw .file(
                    "\(settings): describes its own modules; with --template expected adapter: {template: true}")
            }
            return try TemplateFolder(folder)
        }
        guard let name = Name(argument: document.id) else {
            throw AdminError.file("\(settings): id is '\(document.id)'; expected \(WireName.form)")
        }
        let api = try server.api()
        let created = try await api.create(document)
        // Before anything else can fail: nobody else shows these tokens again.
        try output.show(created.json, created.body.lines)
        if let folder {
            let state = try await folder.send(to: name, api)
            if !output.json { try OutputOptions.write(Cells.facts([["state", state.body.state]])) }
        } else if document.adapter.template {
            OutputOptions.note("\(name) is a draft until its adapter comes: rankwise-admin template \(name) FOLDER")
        }
    }
}

extension CreatedFederationBody {
    /// The name and the tokens, for people.
    var lines: [String] {
        Cells.facts([["federation", id], ["enrolment token", enrolmentToken], ["reader token", readerToken]])
    }
}
