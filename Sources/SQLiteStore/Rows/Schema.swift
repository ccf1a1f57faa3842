import Federation
import GRDB

/// The tables, as numbered migrations; a migration that was released never changes.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("0001") { database in try database.execute(sql: first) }
        migrator.registerMigration("0002") { database in try database.execute(sql: second) }
        migrator.registerMigration("0004") { try chainEvents(in: $0) }
        migrator.registerMigration("0005") { database in try database.execute(sql: fifth) }
        migrator.registerMigration("0006") { database in try database.execute(sql: sixth) }
        migrator.registerMigration("0007") { database in try database.execute(sql: seventh) }
        migrator.registerMigration("0008") { database in try database.execute(sql: eighth) }
        migrator.registerMigration("0009") { database in try database.execute(sql: ninth) }
        migrator.registerMigration("0010") { database in try database.execute(sql: tenth) }
        migrator.registerMigration("0011") { database in try database.execute(sql: eleventh) }
        migrator.registerMigration("0012") { database in try database.execute(sql: twelfth) }
        return migrator
    }

    /// Times are milliseconds since 1970. A `federation` column elsewhere is `federations.key`: names of up to 64 bytes
    /// would be most of a place's row.
    private static let first = """
        CREATE TABLE federations (
          key INTEGER PRIMARY KEY,
          id TEXT NOT NULL UNIQUE,
          settings TEXT NOT NULL,
          state TEXT NOT NULL,
          round INTEGER,
          published_round INTEGER NOT NULL,
          revision INTEGER NOT NULL,
          plan_revision INTEGER NOT NULL,
          created_at INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE tokens (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          id TEXT NOT NULL,
          role TEXT NOT NULL,
          hash BLOB NOT NULL,
          PRIMARY KEY (federation, id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE clients (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          name TEXT NOT NULL,
          rank INTEGER NOT NULL,
          token BLOB NOT NULL,
          capabilities TEXT NOT NULL,
          registered_at INTEGER NOT NULL,
          last_seen_at INTEGER NOT NULL,
          revoked_at INTEGER,
          PRIMARY KEY (federation, name)
        ) STRICT, WITHOUT ROWID;

        -- phase: collecting, aggregating, published (with adapter_*) or failed (with failed_for).
        CREATE TABLE rounds (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          number INTEGER NOT NULL,
          phase TEXT NOT NULL,
          opened_at INTEGER NOT NULL,
          deadline INTEGER NOT NULL,
          closed_at INTEGER,
          minimum_updates INTEGER NOT NULL,
          target_updates INTEGER,
          failed_for TEXT,
          adapter_digest BLOB,
          adapter_bytes INTEGER,
          adapter_ranks TEXT,
          PRIMARY KEY (federation, number)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE places (
          federation INTEGER NOT NULL,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          state TEXT NOT NULL,
          revision INTEGER NOT NULL,
          PRIMARY KEY (federation, round, client),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;

        -- left_out_for is null while the update counts; holds_blob is 1 while its round may still need the bytes.
        CREATE TABLE updates (
          federation INTEGER NOT NULL,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          digest BLOB NOT NULL,
          bytes INTEGER NOT NULL,
          rank INTEGER NOT NULL,
          samples INTEGER NOT NULL,
          loss REAL,
          accuracy REAL,
          received_at INTEGER NOT NULL,
          left_out_for TEXT,
          holds_blob INTEGER NOT NULL,
          PRIMARY KEY (federation, round, client),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX updates_that_hold_blobs ON updates (digest) WHERE holds_blob = 1;

        -- Read in the order of id: a refusal that replaces one of the same code goes to the end.
        CREATE TABLE refusals (
          id INTEGER PRIMARY KEY,
          federation INTEGER NOT NULL,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          at INTEGER NOT NULL,
          code TEXT NOT NULL,
          detail TEXT NOT NULL,
          UNIQUE (federation, round, client, code),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT;

        -- factors: row_count rows of 32-bit floats, little-endian.
        CREATE TABLE adapter_parts (
          id INTEGER PRIMARY KEY,
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          round INTEGER NOT NULL,
          name TEXT NOT NULL,
          kind TEXT NOT NULL,
          first_row INTEGER NOT NULL,
          row_count INTEGER NOT NULL,
          factors BLOB NOT NULL,
          UNIQUE (federation, round, name, kind, first_row)
        ) STRICT;

        CREATE TABLE events (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          at INTEGER NOT NULL,
          kind TEXT NOT NULL,
          round INTEGER,
          client TEXT,
          detail TEXT
        ) STRICT;
        CREATE INDEX events_of_federation ON events (federation, id);

        -- Written to find out whether the store can be.
        CREATE TABLE probes (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          count INTEGER NOT NULL
        ) STRICT;
        """
    /// Rounds leave more than an adapter: a slot says what a part belongs to. What was stored before is adapters.
    private static let second = """
        CREATE TABLE slotted_parts (
          id INTEGER PRIMARY KEY,
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          slot TEXT NOT NULL,
          round INTEGER NOT NULL,
          name TEXT NOT NULL,
          kind TEXT NOT NULL,
          first_row INTEGER NOT NULL,
          row_count INTEGER NOT NULL,
          factors BLOB NOT NULL,
          UNIQUE (federation, slot, round, name, kind, first_row)
        ) STRICT;
        INSERT INTO slotted_parts
          SELECT id, federation, 'adapter', round, name, kind, first_row, row_count, factors FROM adapter_parts;
        DROP TABLE adapter_parts;
        ALTER TABLE slotted_parts RENAME TO adapter_parts;

        -- The merges of the rounds up to this one are kept as their sum alone.
        ALTER TABLE federations ADD COLUMN merges_folded_through INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE rounds ADD COLUMN adapter_has_merge INTEGER NOT NULL DEFAULT 0;
        -- The highest rank that the client was granted while the round collects, once that is not its rank any more.
        ALTER TABLE places ADD COLUMN rank INTEGER;
        """

    /// Every row of the audit log has a hash over itself and the one before it; those that are there get theirs.
    private static func chainEvents(in database: Database) throws {
        try database.execute(sql: "ALTER TABLE events ADD COLUMN hash BLOB NOT NULL DEFAULT x''")
        for federation in try Row.fetchAll(database, sql: "SELECT key, id FROM federations") {
            var chain = try EventChain(of: try federation.text("id"))
            let key: Int64 = try federation.value("key")
            let events = try Row.fetchCursor(
                database, sql: "SELECT * FROM events WHERE federation = ? ORDER BY id", arguments: [key])
            while let row = try events.next() {
                let id: Int64 = try row.value("id")
                let hash = try chain.append(try AuditEvent(row))
                try database.cachedStatement(sql: "UPDATE events SET hash = ? WHERE id = ?")
                    .execute(arguments: [hash.data, id])
            }
        }
    }

    /// Round policies that know coverage, buffers and lost updates; rounds show the decisions about them.
    private static let fifth = """
        ALTER TABLE rounds ADD COLUMN minimum_coverage INTEGER;
        ALTER TABLE rounds ADD COLUMN has_reopened INTEGER NOT NULL DEFAULT 0;
        -- The ranks by module where they do not follow from the client's; the round whose plan the update followed where
        -- that is not the round that it counts in; whether the bytes are lost, for the reason in left_out_for.
        ALTER TABLE updates ADD COLUMN ranks TEXT;
        ALTER TABLE updates ADD COLUMN norm REAL;
        ALTER TABLE updates ADD COLUMN began INTEGER;
        ALTER TABLE updates ADD COLUMN is_lost INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE refusals ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
        CREATE INDEX events_of_round ON events (federation, round, kind);
        """

    /// Tokens that expire, and that register a counted number of clients.
    private static let sixth = """
        ALTER TABLE tokens ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tokens ADD COLUMN expires_at INTEGER;
        ALTER TABLE tokens ADD COLUMN uses_left INTEGER;
        UPDATE tokens SET created_at = (SELECT created_at FROM federations WHERE key = tokens.federation);
        """

    /// Templates of federations in draft, and the configurations that clients send ahead of their updates.
    private static let seventh = """
        CREATE TABLE templates (
          federation INTEGER PRIMARY KEY REFERENCES federations ON DELETE CASCADE,
          digest BLOB,
          bytes INTEGER NOT NULL DEFAULT 0,
          configuration TEXT
        ) STRICT;

        CREATE TABLE configurations (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          text TEXT NOT NULL,
          PRIMARY KEY (federation, round, client)
        ) STRICT, WITHOUT ROWID;
        """

    /// Digests of parts, which tell a flipped bit; how many commits there were, which tells lost ones.
    private static let eighth = """
        -- Of `factors`, SHA-256; null in parts from before.
        ALTER TABLE adapter_parts ADD COLUMN digest BLOB;
        CREATE TABLE progress (commits INTEGER NOT NULL) STRICT;
        INSERT INTO progress VALUES (0);
        """

    /// What is left of federations that were deleted.
    private static let ninth = """
        CREATE TABLE departed (
          key INTEGER PRIMARY KEY,
          id TEXT NOT NULL,
          head BLOB NOT NULL,
          events INTEGER NOT NULL,
          at INTEGER NOT NULL,
          is_released INTEGER NOT NULL
        ) STRICT;
        """

    /// How large the factors of updates are while their round collects; updates that the admin took back; clients that
    /// left by themselves and keep their places.
    private static let tenth = """
        ALTER TABLE updates ADD COLUMN factor_sizes BLOB;
        ALTER TABLE updates ADD COLUMN is_taken_back INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE clients ADD COLUMN left_by_itself INTEGER NOT NULL DEFAULT 0;
        """

    /// The numbers of rounds that have ended, as JSON; null in rounds from before.
    private static let eleventh = "ALTER TABLE rounds ADD COLUMN summary TEXT"

    /// Clients of rounds, which events have by their digests; numbers of clients, which make them short.
    private static let twelfth = """
        ALTER TABLE clients ADD COLUMN number INTEGER;
        UPDATE clients SET number = ranked.number
          FROM (
            SELECT federation, name,
              ROW_NUMBER() OVER (PARTITION BY federation ORDER BY registered_at, name) AS number
            FROM clients
          ) AS ranked
          WHERE clients.federation = ranked.federation AND clients.name = ranked.name;
        CREATE UNIQUE INDEX clients_by_number ON clients (federation, number);

        -- runs and client_values: see StoredClientList.
        CREATE TABLE client_lists (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          digest BLOB NOT NULL,
          runs BLOB NOT NULL,
          client_values BLOB,
          PRIMARY KEY (federation, digest)
        ) STRICT, WITHOUT ROWID;
        """
}
