import AdapterFormat
import ArgumentParser
import DurableFiles
import Foundation
import ServerCalls

/// `rankwise-lab convert`: converts adapters with the tensor names of other programs to PEFT's files.
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Write an adapter of kohya's scripts, diffusers, MLX or a PEFT model in memory as PEFT's files.",
        discussion: """
            IN is a .safetensors file, or a folder with one and its adapter_config.json. OUT becomes a folder with \
            adapter_model.safetensors and adapter_config.json; where IN holds several parts of a pipeline, each gets a folder \
            of its own in it, such as OUT/unet. Every tensor of IN is carried, in its own type, or refused by name. Prints \
            what IN was taken for, and the modules, ranks and scales of each part.

              rankwise-lab convert lora.safetensors out --modules unet/diffusion_pytorch_model.safetensors
            """)

    @Argument(help: "The file, or its folder.") var input: String
    @Argument(help: "The folder to write to; made if it is not there.") var output: String
    @Option(
        help: ArgumentHelp(
            "A base model's safetensors file, index or list of names, by which names without points are told apart.",
            valueName: "file"))
    var modules: [String] = []
    @Option(help: "PEFT's lora_alpha of all modules, where neither IN nor its configuration says it.")
    var alpha: Double?

    func run() throws {
        do {
            let source = try ConversionInput(input)
            let conversion = try source.named { () throws in
                try AdapterConversion(
                    .init(source.file, configuration: source.configuration, alpha: alpha, models: try models()))
            }
            let isAlone = conversion.adapters.count == 1
            for adapter in conversion.adapters {
                try write(adapter, to: isAlone || adapter.name.isEmpty ? output : "\(output)/\(adapter.name)")
            }
            let parts = conversion.adapters.map { summary(of: $0, isAlone: isAlone) }
            print("\(conversion.convention): \(parts.joined(separator: "; "))")
        } catch let error
            where error is ConversionFailure || error is FileError || error is SystemError
            || error is SafetensorsWriteError
        {
            throw ValidationError("\(error)")
        }
    }

    func validate() throws {
        if let alpha, !alpha.isFinite { throw ValidationError("--alpha must be a finite number.") }
    }

    private func models() throws -> ModelModules? {
        guard !modules.isEmpty else { return nil }
        var files: [(path: String, storage: TensorStorage)] = []
        for path in modules { files.append((path, try TensorStorage(mapping: path))) }
        return try ModelModules(files: files)
    }

    private func write(_ adapter: ConvertedAdapter, to folder: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ConversionFailure("\(folder) cannot be made")
        }
        try DurableFile.replace(folder + "/adapter_model.safetensors", promising: .nothing, mode: 0o644) { file in
            try adapter.write(to: file.number)
            do {
                try Data(adapter.config.json.utf8).write(
                    to: URL(filePath: folder + "/adapter_config.json"), options: .atomic)
            } catch {
                throw ConversionFailure("\(folder)/adapter_config.json cannot be written")
            }
        }
    }

    private func summary(of adapter: ConvertedAdapter, isAlone: Bool) -> String {
        func shown(_ values: [String]) -> String {
            values.count < 4 ? values.joined(separator: ", ") : "\(values[0]) to \(values[values.count - 1])"
        }
        let name = adapter.name.isEmpty ? "" : isAlone ? "\(adapter.name), " : "\(adapter.name) "
        let count = adapter.modules.count
        return name
            + "\(count) \(count == 1 ? "module" : "modules") of rank \(shown(adapter.ranks.map(String.init))), scale "
            + shown(adapter.scales.map { String(format: "%g", $0) }) + (adapter.config.usesDoRA ? ", DoRA" : "")
    }
}

/// The input of a conversion: the file and its configuration.
private struct ConversionInput {
    let path: String
    let file: SafetensorsFile
    let configuration: [UInt8]?

    /// PEFT's and MLX's names for the file.
    private static let names = ["adapter_model.safetensors", "adapters.safetensors"]

    init(_ input: String) throws {
        let manager = FileManager.default
        var isFolder: ObjCBool = false
        guard manager.fileExists(atPath: input, isDirectory: &isFolder) else {
            throw ConversionFailure("\(input) is not there")
        }
        let path = isFolder.boolValue ? try Self.file(in: input) : input
        self.path = path
        let opened: SafetensorsFile
        do throws(SafetensorsError) { opened = try SafetensorsFile(path: path) } catch {
            throw ConversionFailure("\(path): \(error)")
        }
        file = opened
        let slash = path.lastIndex(of: "/")
        let folder = isFolder.boolValue ? input : slash.map { String(path[..<$0]) } ?? "."
        // Files that contain their alphas need no configuration. A configuration beside a file that was named alone
        // does not belong to it.
        let needsConfiguration = !opened.tensors.contains { tensor in
            ForeignName(parsing: tensor.name)?.convention.carriesAlphas ?? false
        }
        let beside = isFolder.boolValue || needsConfiguration
        configuration = beside ? manager.contents(atPath: folder + "/adapter_config.json").map(Array.init) : nil
    }

    private static func file(in folder: String) throws -> String {
        let manager = FileManager.default
        let found = (try? manager.contentsOfDirectory(atPath: folder)) ?? []
        let known = names.filter(found.contains)
        let files = known.isEmpty ? found.filter { $0.hasSuffix(".safetensors") }.sorted() : known
        guard files.count == 1 else {
            throw ConversionFailure(
                files.isEmpty
                    ? "\(folder) holds no .safetensors file"
                    : "\(folder) holds \(files.joined(separator: ", ")); name one of them")
        }
        return "\(folder)/\(files[0])"
    }

    /// Returns the result of `body`, and adds the file's path to its errors.
    func named<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch ConversionError.model(let file, let reason) {
            throw ConversionFailure("\(ConversionError.model(file: file, reason: reason))")
        } catch let error as ConversionError {
            throw ConversionFailure("\(path): \(error)")
        }
    }
}

/// Why a conversion failed, in words.
private struct ConversionFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
