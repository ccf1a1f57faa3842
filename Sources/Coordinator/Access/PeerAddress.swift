/// The address of a caller, cut to what tells subscribers apart: an IPv4 address or an IPv6 /64.
package struct PeerAddress: Sendable, Hashable {
    private let bits: UInt64
    private let isIPv4: Bool
    package let isLoopback: Bool

    package init(ipv4 address: UInt32, isLoopback: Bool) {
        bits = UInt64(address)
        isIPv4 = true
        self.isLoopback = isLoopback
    }

    /// - Parameter prefix: the upper half of the address.
    package init(ipv6 prefix: UInt64, isLoopback: Bool) {
        bits = prefix
        isIPv4 = false
        self.isLoopback = isLoopback
    }
}
