/// A simulation's record of one round: a row of `rounds.csv`.
package struct RoundRecord: Sendable, Hashable {
    package var round: Int
    /// How many clients took part.
    package var clients: Int
    /// The global model's accuracy on examples that no client has.
    package var testAccuracy: Double
    package var testLoss: Double
    /// The clients' mean loss over their last local epoch, weighted by samples.
    package var trainLoss: Double
    /// The bytes that the clients downloaded and uploaded: adapters, and merges if the strategy has them.
    package var bytesDown: Int
    package var bytesUp: Int
    /// From the round's start until its model was scored.
    package var seconds: Double
    /// How often the global model takes held-out examples with a backdoor's trigger for what the attackers want, 0 to 1; nil where
    /// nobody has a backdoor.
    package var attackSuccess: Double?

    package init(
        round: Int, clients: Int, testAccuracy: Double, testLoss: Double, trainLoss: Double, bytesDown: Int,
        bytesUp: Int, seconds: Double, attackSuccess: Double? = nil
    ) {
        self.round = round
        self.clients = clients
        self.testAccuracy = testAccuracy
        self.testLoss = testLoss
        self.trainLoss = trainLoss
        self.bytesDown = bytesDown
        self.bytesUp = bytesUp
        self.seconds = seconds
        self.attackSuccess = attackSuccess
    }
}

extension RoundRecord {
    static let header = "round,clients,test_accuracy,test_loss,train_loss,bytes_down,bytes_up,seconds,attack_success"

    /// The row; numbers are written so that reading restores them exactly.
    var csv: String {
        "\(round),\(clients),\(testAccuracy),\(testLoss),\(trainLoss),\(bytesDown),\(bytesUp),\(seconds),"
            + (attackSuccess.map { "\($0)" } ?? "")
    }

    /// Nil where the text is not such a row. Rows of before attacks end with the seconds.
    init?(csv: Substring) {
        let fields = csv.split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count == 8 || fields.count == 9, let round = Int(fields[0]), let clients = Int(fields[1]),
            let testAccuracy = Double(fields[2]), let testLoss = Double(fields[3]),
            let trainLoss = Double(fields[4]), let bytesDown = Int(fields[5]), let bytesUp = Int(fields[6]),
            let seconds = Double(fields[7])
        else { return nil }
        let attackSuccess = fields.count == 9 && !fields[8].isEmpty ? Double(fields[8]) : nil
        guard fields.count == 8 || fields[8].isEmpty || attackSuccess != nil else { return nil }
        self.init(
            round: round, clients: clients, testAccuracy: testAccuracy, testLoss: testLoss, trainLoss: trainLoss,
            bytesDown: bytesDown, bytesUp: bytesUp, seconds: seconds,
            attackSuccess: attackSuccess)
    }
}
