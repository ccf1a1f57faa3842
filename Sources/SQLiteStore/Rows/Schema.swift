import GRDB

/// The tables, by the version that introduced them. The migration of a released version never changes.
///
/// A migration is named after the first program version that writes its tables, such as `0.1.0`.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("0.1.0") { database in try database.execute(sql: first) }
        migrator.registerMigration("0.2.0") { database in
            try database.execute(sql: clientChanges)
            try database.execute(sql: evaluations)
        }
        return migrator
    }

    /// changes: how often the client changed its claims since a round closed last.
    private static let clientChanges = """
        ALTER TABLE clients ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX clients_with_changes ON clients (federation) WHERE changes > 0;
        """

    /// figures: the numbers of an evaluation that has ended, as JSON; standing: what the evaluations up to this one led
    /// to. samples and metrics of a place: the client's answer. refusal: why the first one was refused that could not be
    /// taken.
    private static let evaluations = """
        CREATE TABLE evaluations (
          federation INTEGER NOT NULL,
          round INTEGER NOT NULL,
          opened_at INTEGER NOT NULL,
          deadline INTEGER NOT NULL,
          closed_at INTEGER,
          figures TEXT,
          standing TEXT NOT NULL,
          PRIMARY KEY (federation, round),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE evaluation_places (
          federation INTEGER NOT NULL,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          state TEXT NOT NULL,
          rank INTEGER NOT NULL,
          revision INTEGER NOT NULL,
          samples INTEGER,
          metrics TEXT,
          received_at INTEGER,
          refusal TEXT,
          PRIMARY KEY (federation, round, client),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        """

    /// Times are milliseconds since 1970. A `federation` column of another table is `federations.key`, because names of
    /// up to 64 bytes would make up most of a participation's row.
    private static let first = """
        -- The merges of the rounds up to merges_folded_through are kept as their sum alone.
        CREATE TABLE federations (
          key INTEGER PRIMARY KEY,
          id TEXT NOT NULL UNIQUE,
          settings TEXT NOT NULL,
          state TEXT NOT NULL,
          round INTEGER,
          published_round INTEGER NOT NULL,
          revision INTEGER NOT NULL,
          plan_revision INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          merges_folded_through INTEGER NOT NULL DEFAULT 0
        ) STRICT;

        -- uses_left: how many clients an enrolment token may still register; null without a limit.
        CREATE TABLE tokens (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          id TEXT NOT NULL,
          role TEXT NOT NULL,
          hash BLOB NOT NULL,
          created_at INTEGER NOT NULL DEFAULT 0,
          expires_at INTEGER,
          uses_left INTEGER,
          PRIMARY KEY (federation, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tokens_by_hash ON tokens (hash);

        -- A client that left by itself keeps its place. The number stands for the name in client_lists.
        CREATE TABLE clients (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          name TEXT NOT NULL,
          rank INTEGER NOT NULL,
          token BLOB NOT NULL,
          capabilities TEXT NOT NULL,
          registered_at INTEGER NOT NULL,
          last_seen_at INTEGER NOT NULL,
          revoked_at INTEGER,
          left_by_itself INTEGER NOT NULL DEFAULT 0,
          number INTEGER,
          PRIMARY KEY (federation, name)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX clients_by_number ON clients (federation, number);
        CREATE INDEX clients_by_token ON clients (token);

        -- phase: collecting, aggregating, published (with adapter_*) or failed (with failed_for).
        -- summary: the numbers of a round that has ended, as JSON.
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
          adapter_has_merge INTEGER NOT NULL DEFAULT 0,
          minimum_coverage INTEGER,
          has_reopened INTEGER NOT NULL DEFAULT 0,
          summary TEXT,
          PRIMARY KEY (federation, number)
        ) STRICT, WITHOUT ROWID;

        -- rank: the highest that the client was granted while the round collects, once that is not its rank any more.
        CREATE TABLE participations (
          federation INTEGER NOT NULL,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          state TEXT NOT NULL,
          revision INTEGER NOT NULL,
          rank INTEGER,
          PRIMARY KEY (federation, round, client),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;

        -- left_out_for is null while the update counts; holds_blob is 1 while its round may still need the bytes; is_lost
        -- is 1 where they are lost, for the reason in left_out_for; is_taken_back is 1 where the admin took it back.
        -- ranks: by module, where they do not follow from the client's. began: the round whose plan the update followed,
        -- where that is not the round that it counts in. factor_sizes: kept while the round collects.
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
          ranks TEXT,
          norm REAL,
          began INTEGER,
          is_lost INTEGER NOT NULL DEFAULT 0,
          factor_sizes BLOB,
          is_taken_back INTEGER NOT NULL DEFAULT 0,
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
          count INTEGER NOT NULL DEFAULT 1,
          UNIQUE (federation, round, client, code),
          FOREIGN KEY (federation, round) REFERENCES rounds ON DELETE CASCADE
        ) STRICT;

        -- slot: what the part belongs to. factors: row_count rows of 32-bit floats, little-endian. digest: their SHA-256.
        CREATE TABLE adapter_parts (
          id INTEGER PRIMARY KEY,
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          slot TEXT NOT NULL,
          round INTEGER NOT NULL,
          name TEXT NOT NULL,
          kind TEXT NOT NULL,
          first_row INTEGER NOT NULL,
          row_count INTEGER NOT NULL,
          factors BLOB NOT NULL,
          digest BLOB,
          UNIQUE (federation, slot, round, name, kind, first_row)
        ) STRICT;

        -- hash: over the row and the one before it; see EventChain.
        CREATE TABLE events (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          at INTEGER NOT NULL,
          kind TEXT NOT NULL,
          round INTEGER,
          client TEXT,
          detail TEXT,
          hash BLOB NOT NULL DEFAULT x''
        ) STRICT;
        CREATE INDEX events_of_federation ON events (federation, id);
        CREATE INDEX events_of_round ON events (federation, round, kind);

        -- Clients of rounds, which events have by their digests. runs and client_values: see StoredClientList.
        CREATE TABLE client_lists (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          digest BLOB NOT NULL,
          runs BLOB NOT NULL,
          client_values BLOB,
          PRIMARY KEY (federation, digest)
        ) STRICT, WITHOUT ROWID;

        -- Templates of federations in draft.
        CREATE TABLE templates (
          federation INTEGER PRIMARY KEY REFERENCES federations ON DELETE CASCADE,
          digest BLOB,
          bytes INTEGER NOT NULL DEFAULT 0,
          configuration TEXT
        ) STRICT;

        -- What clients send of their adapters' configurations ahead of their updates.
        CREATE TABLE configurations (
          federation INTEGER NOT NULL REFERENCES federations ON DELETE CASCADE,
          round INTEGER NOT NULL,
          client TEXT NOT NULL,
          text TEXT NOT NULL,
          PRIMARY KEY (federation, round, client)
        ) STRICT, WITHOUT ROWID;

        -- What is left of federations that were deleted.
        CREATE TABLE departed (
          key INTEGER PRIMARY KEY,
          id TEXT NOT NULL,
          head BLOB NOT NULL,
          events INTEGER NOT NULL,
          at INTEGER NOT NULL,
          is_released INTEGER NOT NULL
        ) STRICT;

        -- Written to find out whether the store can be.
        CREATE TABLE probes (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          count INTEGER NOT NULL
        ) STRICT;

        -- How many commits there were, which tells lost ones.
        CREATE TABLE progress (commits INTEGER NOT NULL) STRICT;
        INSERT INTO progress VALUES (0);
        """
}
