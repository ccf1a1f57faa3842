/// How much of the server federations may take up.
package struct Quotas: Sendable, Hashable {
    /// Federations in all. Default 1,000.
    package var federations = 1000
    /// Bytes of the updates that a federation's round may hold until it is published, those on their way among them;
    /// one update always fits. Default 64 GiB.
    package var updateBytes = 64 << 30

    package init() {}
}
