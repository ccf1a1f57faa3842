/// Limits on the resources that federations use.
package struct Quotas: Sendable, Hashable {
    /// The number of federations. Default 1,000.
    package var federations = 1000
    /// Bytes of the updates that a federation's round may hold until it is published, including arriving ones. A single
    /// update always fits. Default 64 GiB.
    package var updateBytes = 64 << 30

    package init() {}
}
