import CLinux
import Foundation

/// The addresses with a common prefix, such as `10.0.0.0/8` or `fd00::/8`. A single address is a range of one. `unix`
/// means all peers of a Unix socket.
package struct AddressRange: Sendable, Hashable {
    private let host: SocketAddress.Host
    private let prefixLength: Int

    /// Nil for anything but an address with an optional prefix length, and where the address has bits beyond its
    /// prefix.
    package init?(_ text: String) {
        if text == "unix" {
            (host, prefixLength) = (.unix(path: ""), 0)
            return
        }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let host = SocketAddress.Host(String(parts[0])) else { return nil }
        self.host = host
        if parts.count == 2 {
            guard parts[1].allSatisfy(\.isNumber), let length = Int(parts[1]), length <= host.bitCount else {
                return nil
            }
            prefixLength = length
        } else {
            prefixLength = host.bitCount
        }
        guard host.prefix(prefixLength) == host.prefix(host.bitCount) else { return nil }
    }

    package func contains(_ other: SocketAddress.Host) -> Bool {
        host.bitCount == other.bitCount && other.prefix(prefixLength) == host.prefix(prefixLength)
    }
}

extension SocketAddress.Host {
    /// An IPv4 or IPv6 address in text form; nil for anything else. An IPv4 address mapped into IPv6 becomes the IPv4
    /// one.
    package init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .v4(four.s_addr)
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self.init(six)
        } else {
            return nil
        }
    }

    init(_ address: in6_addr) {
        let (high, low) = withUnsafeBytes(of: address) {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        if high == 0, UInt64(bigEndian: low) >> 32 == 0xFFFF {
            self = .v4(UInt32(truncatingIfNeeded: UInt64(bigEndian: low)).bigEndian)
        } else {
            self = .v6(high, low)
        }
    }

    fileprivate var bitCount: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        case .unix: 0
        }
    }

    /// The first bits as two words; the other bits are 0.
    fileprivate func prefix(_ length: Int) -> [UInt64] {
        let (high, low): (UInt64, UInt64) =
            switch self {
            case .v4(let address): (UInt64(UInt32(bigEndian: address)) << 32, 0)
            case .v6(let high, let low): (UInt64(bigEndian: high), UInt64(bigEndian: low))
            case .unix: (0, 0)
            }
        // Shifts of 64 and more give 0.
        return [high & ~(UInt64.max >> length), low & ~(UInt64.max >> max(0, length - 64))]
    }
}
