import GRDB

/// The program version of a database's tables, which is that of its newest migration.
enum SchemaVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number of a migration from before 0.1.0.
    case unreleased(Int)
    case released(Int, Int, Int)
    /// A name that this program cannot read; a newer program must have written it.
    case unknown(String)

    init(migration name: String) {
        let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        if numbers.contains(where: { $0 < 0 }) {
            self = .unknown(name)
        } else if numbers.count == 1 {
            self = .unreleased(numbers[0])
        } else if numbers.count == 3 {
            self = .released(numbers[0], numbers[1], numbers[2])
        } else {
            self = .unknown(name)
        }
    }

    var description: String {
        switch self {
        case .unreleased(let number): "before 0.1.0 (schema \(number))"
        case .released(let major, let minor, let patch): "\(major).\(minor).\(patch)"
        case .unknown(let name): name
        }
    }
}

extension Schema {
    /// The oldest and the newest version whose databases this program opens.
    static var versions: ClosedRange<SchemaVersion> {
        let known = migrator.migrations.map(SchemaVersion.init(migration:))
        return (known.min() ?? .unknown(""))...(known.max() ?? .unknown(""))
    }

    /// Throws a `SchemaMismatch` unless the database is new or has a version that this program opens.
    static func requireKnownVersion(of database: Database) throws {
        let applied = try migrator.appliedIdentifiers(database).map(SchemaVersion.init(migration:))
        guard let found = applied.max() else { return }
        if found < versions.lowerBound {
            throw SchemaMismatch.tooOld(found: "\(found)", lowest: "\(versions.lowerBound)")
        }
        if found > versions.upperBound {
            throw SchemaMismatch.tooNew(found: "\(found)", newest: "\(versions.upperBound)")
        }
    }
}

/// Why this program does not open a database: its version.
package enum SchemaMismatch: Error, Sendable, Hashable, CustomStringConvertible {
    case tooOld(found: String, lowest: String)
    case tooNew(found: String, newest: String)

    package var description: String {
        switch self {
        case .tooOld(let found, let lowest):
            "it is of version \(found); the lowest version that this program opens is \(lowest)"
        case .tooNew(let found, let newest):
            "it is of version \(found); the newest version that this program opens is \(newest)"
        }
    }
}
