/// The tables, by the version that introduced them.
struct PostgresSchema: Sendable {
    /// Oldest first.
    let migrations: [SchemaMigration]

    /// This program's.
    static let current = PostgresSchema(migrations: [SchemaMigration("0.2.0", first + evaluations)])

    /// figures, standing, samples, metrics, refusal: as in SQLite's tables.
    private static let evaluations = """

        CREATE TABLE evaluations (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          opened_at bigint NOT NULL,
          deadline bigint NOT NULL,
          closed_at bigint,
          figures text,
          standing text NOT NULL,
          step bigint NOT NULL,
          PRIMARY KEY (federation, round)
        );
        CREATE TABLE evaluation_places (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          client text NOT NULL,
          state text NOT NULL,
          rank bigint NOT NULL,
          revision bigint NOT NULL,
          samples bigint,
          metrics text,
          received_at bigint,
          refusal text,
          step bigint NOT NULL,
          PRIMARY KEY (federation, round, client)
        );
        CREATE INDEX evaluation_places_by_step ON evaluation_places (federation, step);
        """

    /// The newest version that the program writes.
    var newest: String { migrations.last?.version ?? "" }

    /// Times are milliseconds since 1970. A `federation` column is `federations.key`. `step` is the federation's
    /// revision at which the row was last written: a follower reads the rows above its own.
    static let first = """
        -- The time by which leases and graces end, for all servers.
        CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
          AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

        -- event_seq, event_head, client_number, refusal_number: the last of each, so that a step need not search.
        CREATE TABLE federations (
          key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          id text NOT NULL UNIQUE,
          settings text NOT NULL,
          settings_step bigint NOT NULL,
          state text NOT NULL,
          round bigint,
          published_round bigint NOT NULL,
          revision bigint NOT NULL,
          plan_revision bigint NOT NULL,
          created_at bigint NOT NULL,
          merges_folded_through bigint NOT NULL DEFAULT 0,
          event_seq bigint NOT NULL DEFAULT 0,
          event_head bytea,
          client_number bigint NOT NULL DEFAULT 0,
          refusal_number bigint NOT NULL DEFAULT 0
        ) WITH (fillfactor = 50);

        -- A withdrawn token stays as a row, so that followers read that it is.
        CREATE TABLE tokens (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          id text NOT NULL,
          role text NOT NULL,
          hash bytea NOT NULL,
          created_at bigint NOT NULL,
          expires_at bigint,
          uses_left bigint,
          is_withdrawn boolean NOT NULL DEFAULT false,
          step bigint NOT NULL,
          PRIMARY KEY (federation, id)
        );
        CREATE INDEX tokens_by_hash ON tokens (hash);

        -- changes: how often the client changed its claims since a round closed last; read as a whole, not by step.
        CREATE TABLE clients (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          name text NOT NULL,
          rank bigint NOT NULL,
          token bytea NOT NULL,
          capabilities text NOT NULL,
          registered_at bigint NOT NULL,
          last_seen_at bigint NOT NULL,
          revoked_at bigint,
          left_by_itself boolean NOT NULL DEFAULT false,
          number bigint,
          changes bigint NOT NULL DEFAULT 0,
          step bigint NOT NULL,
          PRIMARY KEY (federation, name)
        );
        CREATE INDEX clients_with_changes ON clients (federation) WHERE changes > 0;
        CREATE UNIQUE INDEX clients_by_number ON clients (federation, number);
        CREATE INDEX clients_by_token ON clients (token);
        CREATE INDEX clients_by_step ON clients (federation, step);

        CREATE TABLE rounds (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          number bigint NOT NULL,
          phase text NOT NULL,
          opened_at bigint NOT NULL,
          deadline bigint NOT NULL,
          closed_at bigint,
          minimum_updates bigint NOT NULL,
          target_updates bigint,
          failed_for text,
          adapter_digest bytea,
          adapter_bytes bigint,
          adapter_ranks text,
          adapter_has_merge boolean NOT NULL DEFAULT false,
          minimum_coverage bigint,
          has_reopened boolean NOT NULL DEFAULT false,
          summary text,
          step bigint NOT NULL,
          PRIMARY KEY (federation, number)
        );

        CREATE TABLE participations (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          client text NOT NULL,
          state text NOT NULL,
          revision bigint NOT NULL,
          rank bigint,
          step bigint NOT NULL,
          PRIMARY KEY (federation, round, client)
        );
        CREATE INDEX participations_by_step ON participations (federation, step);

        -- object: the key of the update's bytes in the bucket; null once the round does not need them.
        -- object_position: their first byte in an object that has others' bytes too.
        CREATE TABLE updates (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          client text NOT NULL,
          digest bytea NOT NULL,
          bytes bigint NOT NULL,
          rank bigint NOT NULL,
          samples bigint NOT NULL,
          loss double precision,
          accuracy double precision,
          received_at bigint NOT NULL,
          left_out_for text,
          object text,
          object_position bigint,
          ranks text,
          norm double precision,
          began bigint,
          is_lost boolean NOT NULL DEFAULT false,
          factor_sizes bytea,
          is_taken_back boolean NOT NULL DEFAULT false,
          step bigint NOT NULL,
          PRIMARY KEY (federation, round, client)
        );
        CREATE INDEX updates_by_step ON updates (federation, step);
        CREATE INDEX updates_that_hold_objects ON updates (digest) WHERE object IS NOT NULL;
        CREATE INDEX updates_by_object ON updates (object) WHERE object IS NOT NULL;

        CREATE TABLE refusals (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          client text NOT NULL,
          code text NOT NULL,
          at bigint NOT NULL,
          detail text NOT NULL,
          count bigint NOT NULL DEFAULT 1,
          number bigint NOT NULL,
          step bigint NOT NULL,
          PRIMARY KEY (federation, round, client, code)
        );

        CREATE TABLE events (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          id bigint NOT NULL,
          at bigint NOT NULL,
          kind text NOT NULL,
          round bigint,
          client text,
          detail text,
          hash bytea NOT NULL,
          PRIMARY KEY (federation, id)
        );
        -- The decisions about a round; most events are others.
        CREATE INDEX decisions ON events (federation, round, id) WHERE kind IN (
          'client.declined', 'client.left', 'round.closed', 'round.extended', 'round.failed', 'round.invited',
          'round.opened', 'round.published', 'round.reopened', 'round.robust', 'update.left_out', 'update.lost', 'update.taken_back');

        CREATE TABLE client_lists (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          digest bytea NOT NULL,
          runs bytea NOT NULL,
          client_values bytea,
          PRIMARY KEY (federation, digest)
        );

        CREATE TABLE templates (
          federation bigint PRIMARY KEY REFERENCES federations ON DELETE CASCADE,
          digest bytea,
          bytes bigint NOT NULL DEFAULT 0,
          configuration text,
          object text,
          object_position bigint
        );

        CREATE TABLE configurations (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          client text NOT NULL,
          text text NOT NULL,
          PRIMARY KEY (federation, round, client)
        );

        -- position, bytes: where the part lies in its object. digest: SHA-256 of the part.
        CREATE TABLE adapter_parts (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          slot text NOT NULL,
          round bigint NOT NULL,
          name text NOT NULL,
          kind text NOT NULL,
          first_row bigint NOT NULL,
          row_count bigint NOT NULL,
          object text NOT NULL,
          object_bytes bigint NOT NULL,
          position bigint NOT NULL,
          bytes bigint NOT NULL,
          digest bytea NOT NULL,
          PRIMARY KEY (federation, slot, round, name, kind, first_row)
        );
        CREATE INDEX adapter_parts_by_object ON adapter_parts (object);

        -- An upload that has not arrived completely. epoch: increases when another server goes on with it.
        CREATE TABLE uploads (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          subject text NOT NULL,
          epoch bigint NOT NULL,
          length bigint,
          changed_at bigint NOT NULL,
          PRIMARY KEY (federation, subject)
        );
        CREATE TABLE segments (
          federation bigint NOT NULL,
          subject text NOT NULL,
          first bigint NOT NULL,
          bytes bigint NOT NULL,
          object text NOT NULL,
          digest bytea NOT NULL,
          PRIMARY KEY (federation, subject, first),
          FOREIGN KEY (federation, subject) REFERENCES uploads ON DELETE CASCADE
        );
        CREATE INDEX segments_by_object ON segments (object);

        -- A job is done once its fence is spent; the step that makes it necessary again sets it back.
        CREATE TABLE jobs (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          kind text NOT NULL,
          round bigint NOT NULL,
          part bigint NOT NULL DEFAULT 0,
          holder text,
          fence bigint NOT NULL DEFAULT 0,
          expires_at bigint NOT NULL DEFAULT 0,
          is_done boolean NOT NULL DEFAULT false,
          PRIMARY KEY (federation, kind, round, part)
        );

        -- A closed round that several workers add up. basis: the digest of what was shared out. A finished part has a
        -- partial sum (digest, bytes, object), lost updates or a failure. The rows go with the step that ends or
        -- reopens the round.
        CREATE TABLE round_parts (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          round bigint NOT NULL,
          part bigint NOT NULL,
          basis bytea NOT NULL,
          first_client text NOT NULL,
          last_client text NOT NULL,
          digest bytea,
          bytes bigint,
          object text,
          object_position bigint,
          lost text,
          failed_for text,
          PRIMARY KEY (federation, round, part)
        );
        CREATE INDEX round_parts_by_digest ON round_parts (digest) WHERE object IS NOT NULL;
        CREATE INDEX round_parts_by_object ON round_parts (object) WHERE object IS NOT NULL;

        -- The last steps, by the number that their writer drew: it tells a commit whose answer was lost.
        CREATE TABLE steps (
          federation bigint NOT NULL REFERENCES federations ON DELETE CASCADE,
          revision bigint NOT NULL,
          nonce bigint NOT NULL,
          PRIMARY KEY (federation, revision)
        );

        -- Objects without a row, from the moment that they lost it.
        CREATE TABLE garbage (
          object text PRIMARY KEY,
          since bigint NOT NULL
        );

        -- While one stands, no object is deleted: a backup reads.
        CREATE TABLE pins (
          id text PRIMARY KEY,
          until bigint NOT NULL
        );

        -- When clients were seen. Lost in a crash of the database, and then everybody counts as seen.
        CREATE UNLOGGED TABLE seen (
          federation bigint NOT NULL,
          client text NOT NULL,
          at bigint NOT NULL,
          is_absent boolean NOT NULL DEFAULT false,
          written bigint NOT NULL,
          PRIMARY KEY (federation, client)
        );
        CREATE INDEX seen_by_written ON seen (written);

        -- schema: the newest version of these tables that the server's program writes.
        CREATE UNLOGGED TABLE servers (
          id text PRIMARY KEY,
          alive_at bigint NOT NULL,
          schema text NOT NULL,
          works boolean NOT NULL
        );

        CREATE TABLE departed (
          key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          id text NOT NULL,
          head bytea NOT NULL,
          events bigint NOT NULL,
          at bigint NOT NULL,
          is_released boolean NOT NULL
        );

        CREATE TABLE probes (
          id bigint PRIMARY KEY CHECK (id = 1),
          count bigint NOT NULL
        );

        -- What all servers of the database share: the hash of the admin's token.
        CREATE TABLE shared (
          name text PRIMARY KEY,
          value bytea NOT NULL
        );
        """
}
