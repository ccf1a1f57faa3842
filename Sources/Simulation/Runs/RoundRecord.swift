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

    package init(
        round: Int, clients: Int, testAccuracy: Double, testLoss: Double, trainLoss: Double, bytesDown: Int,
        bytesUp: Int, seconds: Double
    ) {
        self.round = round
        self.clients = clients
        self.testAccuracy = testAccuracy
        self.testLoss = testLoss
        self.trainLoss = trainLoss
        self.bytesDown = bytesDown
        self.bytesUp = bytesUp
        self.seconds = seconds
    }
}

extension RoundRecord {
    static let header = "round,clients,test_accuracy,test_loss,train_loss,bytes_down,bytes_up,seconds"

    /// The row; numbers are written so that reading restores them exactly.
    var csv: String {
        "\(round),\(clients),\(testAccuracy),\(testLoss),\(trainLoss),\(bytesDown),\(bytesUp),\(seconds)"
    }

    /// Nil where the text is not such a row.
    init?(csv: Substring) {
        let fields = csv.split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count == 8, let round = Int(fields[0]), let clients = Int(fields[1]),
            let testAccuracy = Double(fields[2]), let testLoss = Double(fields[3]),
            let trainLoss = Double(fields[4]), let bytesDown = Int(fields[5]), let bytesUp = Int(fields[6]),
            let seconds = Double(fields[7])
        else { return nil }
        self.init(
            round: round, clients: clients, testAccuracy: testAccuracy, testLoss: testLoss, trainLoss: trainLoss,
            bytesDown: bytesDown, bytesUp: bytesUp, seconds: seconds)
    }
}
