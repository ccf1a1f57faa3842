import Crypto
package import Federation
package import Foundation

/// The stored form of a list of clients: their numbers in the federation, which follow the order of registration.
///
/// The numbers are stored as runs. A run is its distance from the end of the run before and its length, both as LEB128.
/// The clients' values follow, if any, in the order of numbers. A list of all 20,000 registered clients takes four
/// bytes.
package struct StoredClientList: Equatable {
    /// Ascending, at least 1.
    package var numbers: [Int]
    /// One value for each number, at least 0; nil where the list has none.
    package var values: [Int]?

    package var runs: Data {
        var bytes = Data()
        var (end, first) = (1, 0)
        while first < numbers.count {
            var last = first
            while last + 1 < numbers.count, numbers[last + 1] == numbers[last] + 1 { last += 1 }
            bytes.append(leb128: numbers[first] - end)
            bytes.append(leb128: last - first + 1)
            (end, first) = (numbers[last] + 1, last + 1)
        }
        return bytes
    }

    package var valueBytes: Data? {
        values.map { values in
            var bytes = Data()
            for value in values { bytes.append(leb128: value) }
            return bytes
        }
    }

    package init(numbers: [Int], values: [Int]?) {
        self.numbers = numbers
        self.values = values
    }

    /// - Parameter limit: the highest client number of the federation.
    package init(runs: Data, values: Data?, limit: Int) throws(StoreError) {
        let lengths = try Self.integers(in: runs)
        guard lengths.count.isMultiple(of: 2) else { throw .failed("a list of clients ends within a run") }
        var numbers: [Int] = []
        var end = 1
        for index in stride(from: 0, to: lengths.count, by: 2) {
            let (distance, length) = (lengths[index], lengths[index + 1])
            guard distance <= limit, length <= limit, end + distance + length <= limit + 1 else {
                throw .failed("a list of clients goes beyond number \(limit)")
            }
            numbers.append(contentsOf: (end + distance)..<(end + distance + length))
            end += distance + length
        }
        let found = try values.map { data throws(StoreError) in try Self.integers(in: data) }
        guard found == nil || found?.count == numbers.count else {
            throw .failed("a list of \(numbers.count.counted("client")) has \((found?.count ?? 0).counted("value"))")
        }
        self.init(numbers: numbers, values: found)
    }

    private static func integers(in data: Data) throws(StoreError) -> [Int] {
        var integers: [Int] = []
        var (value, shift): (UInt64, UInt64) = (0, 0)
        for byte in data {
            guard shift < 63 else { throw .failed("a list of clients holds a number of more than 63 bits") }
            value |= UInt64(byte & 0x7F) << shift
            shift += 7
            guard byte & 0x80 == 0 else { continue }
            integers.append(Int(value))
            (value, shift) = (0, 0)
        }
        guard shift == 0 else { throw .failed("a list of clients ends within a number") }
        return integers
    }
}

extension StoredClientList {
    /// The list of clients that these numbers stand for.
    ///
    /// - Parameter names: the federation's clients by number.
    package func clients(named names: [Int: ClientName], digest: ContentDigest) throws(StoreError) -> ClientList {
        var order: [(ClientName, Int)] = []
        for (index, number) in numbers.enumerated() {
            guard let name = names[number] else { throw .failed("no client has the number \(number)") }
            order.append((name, index))
        }
        order.sort { $0.0 < $1.0 }
        let read = ClientList(
            clients: order.map(\.0), values: values.map { values in order.map { values[$0.1] } }, digest: digest)
        guard ContentDigest(bytes: Array(SHA256.hash(data: Data(read.text.utf8)))) == digest else {
            throw .failed("the list of clients \(digest) is another one")
        }
        return read
    }

    /// A list in its stored form.
    ///
    /// - Parameter numbers: the number of each of the list's clients, in its order; nil where there is no such client.
    package init(_ list: ClientList, numbers: [Int?]) throws(StoreError) {
        guard numbers.count == list.clients.count else {
            throw .failed(
                "a list of \(list.clients.count.counted("client")) was given \(numbers.count.counted("number"))")
        }
        var order: [(Int, Int)] = []
        for (index, (client, number)) in zip(list.clients, numbers).enumerated() {
            guard let number else { throw .failed("\(client) is on a list of clients and is none") }
            order.append((number, index))
        }
        order.sort { $0.0 < $1.0 }
        self.init(numbers: order.map(\.0), values: list.values.map { values in order.map { values[$0.1] } })
    }
}

extension Data {
    /// - Parameter value: at least 0.
    fileprivate mutating func append(leb128 value: Int) {
        var rest = UInt64(Swift.max(0, value))
        while rest > 0x7F {
            append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
