import ArgumentParser
import ClientAgent
import FoundationEssentials
import HTTPFetching
import ProcessSignals
import RankwiseWire
import Training

/// Takes part in a federation until it is finished.
struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Take part in a federation until it is finished.",
        discussion: """
            The first start registers NAME under a token that it makes itself; for that RANKWISE_TOKEN, or the file of \
            --token-file, must hold the federation's enrolment token. Later starts need none. With --kit, the operator's \
            file has the server, its certificates, the federation and the token: only --data is needed beside it.

            Models that are named like mlp-64-200-200-10 are trained here, on the data of --data: a CSV file with the \
            label in the last column, or an IDX file with its labels beside it. With --base a pretrained model is trained \
            here: a BERT on texts, a class from 0, a tab and the text on each line; a language model, from its folder or \
            GGUF file, on JSON Lines of "messages", of "prompt" and "completion", of "prompt", "options" and "answer", or of \
            "text". Any other model needs --trainer: a command that is run as COMMAND IN OUT each round, takes the adapter, its configuration and plan.json from \
            the folder IN, and leaves adapter_model.safetensors and metrics.json in OUT.
            """)

    @Argument(help: "The server, such as http://10.0.0.5:8080.")
    var url: String?

    @Option(help: ArgumentHelp("The federation.", valueName: "name"))
    var federation: String?

    @Option(
        help: ArgumentHelp(
            "The operator's file for this machine, in place of the server, --federation and the token.",
            valueName: "file"))
    var kit: String?

    @OptionGroup var access: AccessOptions

    @Option(
        help: ArgumentHelp(
            "This client's name, unique in the federation (with --kit: the kit's, or this machine's host name).",
            valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp("The rank that this machine can afford (with --kit: the kit's).", valueName: "rank"))
    var rank: Int?

    @Option(help: ArgumentHelp("The data to train on.", valueName: "path"))
    var data: String

    @Option(
        help: ArgumentHelp(
            "Where this client is kept over restarts (default: ~/.local/state/rankwise/FEDERATION/NAME).",
            valueName: "folder"))
    var state: String?

    @Option(help: ArgumentHelp("Train with this command instead.", valueName: "command"))
    var trainer: String?

    @Flag(
        help: """
            The command of --trainer also evaluates: it holds out the share that plan.json has as "holdout", and where \
            "task" is "evaluate" it leaves metrics.json alone.
            """)
    var trainerEvaluates = false

    @Option(
        help: ArgumentHelp("How long a round's training may take, the command's or that here.", valueName: "seconds"))
    var trainerTimeout: Int = 86_400

    @Option(
        help: ArgumentHelp(
            "Train this pretrained model: a BERT's or a language model's folder, or a GGUF file.", valueName: "path"))
    var base: String?

    @Option(
        help: ArgumentHelp(
            "The SHA-256 of the base model that is trained, where the federation names one.", valueName: "hex"))
    var baseSha256: String?

    @Option(
        help: ArgumentHelp(
            """
            Train the layers of the model's highest blocks alone: top:N; the others are computed, but neither trained nor \
            sent (default: all).
            """, valueName: "choice"))
    var layers: LayerChoice?

    @Option(
        help: ArgumentHelp(
            """
            The most memory that this process may take, such as 300MiB; a language model's training then gives up speed \
            for it, and says what.
            """, valueName: "size"))
    var memory: ByteCount?

    @Option(
        help: ArgumentHelp(
            """
            What a language model's products are computed in: float32, or bfloat16 on a processor that has AVX-512 BF16, \
            which is faster and rounds more.
            """, valueName: "type"))
    var precision = ProductPrecision.float32

    @Option(
        help: ArgumentHelp(
            """
            The most disk space for what the blocks below the trained ones give, which then compute each text once, such as \
            2GiB; 0 for none (default: 1GiB, or a tenth of what is free, whatever is less).
            """, valueName: "size"))
    var trunkCache: ByteCount?

    @Option(help: ArgumentHelp("Stop after this many rounds.", valueName: "count"))
    var rounds: Int?

    @Option(
        help: ArgumentHelp(
            "How long a request for news waits, 1 to 60; below what proxies on the way allow.", valueName: "seconds"))
    var poll: Int = Int(Agent.Configuration.defaultPollWait.components.seconds)

    @Option(help: ArgumentHelp("How long to try a server that is out of reach.", valueName: "seconds"))
    var giveUpAfter: Int = 86_400

    @Option(
        help: ArgumentHelp(
            "Send updates from this size on so that they can go on where they broke off.", valueName: "bytes"))
    var resumableFrom: Int64 = 4 << 20

    mutating func validate() throws {
        url = try url.map(ServerOptions.address)
        if let federation { try ServerOptions.check(name: federation, of: "--federation") }
        if let name { try ServerOptions.check(name: name, of: "--name") }
        guard rank ?? 1 >= 1 else { throw ValidationError("--rank is \(rank ?? 0); expected at least 1") }
        if let memory, memory.bytes < 1 { throw ValidationError("--memory is 0; expected a size") }
        guard rounds ?? 1 >= 1 else { throw ValidationError("--rounds is \(rounds ?? 0); expected at least 1") }
        if let baseSha256, baseSha256.count != 64 || !baseSha256.allSatisfy(\.isHexDigit) {
            throw ValidationError("--base-sha256 is '\(baseSha256)'; expected 64 hexadecimal digits")
        }
        guard (1...1_000_000_000).contains(giveUpAfter) else {
            throw ValidationError("--give-up-after is \(giveUpAfter); expected 1 to 1000000000 seconds")
        }
        guard (1...1_000_000_000).contains(trainerTimeout) else {
            throw ValidationError("--trainer-timeout is \(trainerTimeout); expected 1 to 1000000000 seconds")
        }
        guard (1...60).contains(poll) else { throw ValidationError("--poll is \(poll); expected 1 to 60 seconds") }
        guard resumableFrom >= 0 else {
            throw ValidationError("--resumable-from is \(resumableFrom); expected at least 0 bytes")
        }
        guard base == nil || trainer == nil && baseSha256 == nil else {
            throw ValidationError(
                "--base is trained here and says its own digest; leave --trainer and --base-sha256 out")
        }
        guard trainer != nil || !trainerEvaluates else {
            throw ValidationError("--trainer-evaluates is of the command of --trainer, which is missing")
        }
        guard trainer == nil || layers == nil && memory == nil && precision == .float32 && trunkCache == nil else {
            throw ValidationError(
                "--layers, --memory, --precision and --trunk-cache are of models that are trained here; leave --trainer out"
            )
        }
        guard FileManager.default.isReadableFile(atPath: data) else {
            throw ValidationError("--data is \(data), which cannot be read")
        }
    }

    func run() async throws {
        let target = try kit.map { try JoinTarget(try KitFile($0), self) } ?? JoinTarget(self)
        let display = ProgressDisplays.forStandardError(label: target.name)
        do {
            let work = Task { try await agent(display, target).run() }
            let stop = StopSignal()
            let watch = Task {
                _ = await stop.received()
                work.cancel()
            }
            defer { watch.cancel() }
            switch try await work.value {
            case .federationFinished: display.say("done: federation \(target.federation) is finished")
            case .trained(let rounds): display.say("done, rounds trained: \(rounds)")
            }
        } catch let error as AgentError {
            display.complain(target.explanation(of: error), isError: error != .cancelled)
            throw ExitStatus(error).code
        } catch let error as StateError {
            display.complain("\(error)", isError: true)
            throw ExitStatus(error).code
        }
    }
}

extension ProductPrecision: ExpressibleByArgument {}
