-- The store of one study (its version is RESULTS_VERSION). docs/results-schema.md explains it with examples.
-- Times are seconds since 1970 (UTC). Checksums are 64 bits, kept as signed integers.
-- A number that is not finite: NaN is NULL, infinities are themselves.
-- `a = 'x' OR a = 'y' OR ...` instead of IN: for three values and more SQLite makes and drops a table
-- of them at every row that is written, which was a sixth of a coordinator's time.

CREATE TABLE study (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    name           TEXT NOT NULL,
    agent          TEXT NOT NULL,
    environment    TEXT NOT NULL,
    unit           TEXT NOT NULL,
    scheduler      TEXT NOT NULL,
    study_hash     TEXT NOT NULL,
    definition     TEXT NOT NULL,
    numerics       TEXT NOT NULL,
    irreproducible TEXT NOT NULL,
    seed           INTEGER NOT NULL CHECK (seed >= 0),
    state          TEXT NOT NULL DEFAULT 'created'
                   CHECK (state IN ('created', 'running', 'done', 'failed', 'interrupted')),
    reason         TEXT NOT NULL DEFAULT '',
    created_at     REAL NOT NULL,
    changed_at     REAL NOT NULL
) STRICT;

CREATE TABLE hyperparameter (
    id            INTEGER PRIMARY KEY CHECK (id >= 0),
    name          TEXT NOT NULL UNIQUE,
    type          TEXT NOT NULL CHECK (type IN ('float', 'int', 'bool', 'categorical', 'ordinal')),
    lower         REAL,
    upper         REAL,
    step          REAL,
    log           INTEGER NOT NULL CHECK (log IN (0, 1)),
    dynamic       INTEGER NOT NULL CHECK (dynamic IN (0, 1)),
    default_value ANY,
    choices       TEXT CHECK ((choices IS NOT NULL) = (type IN ('categorical', 'ordinal')))
) STRICT;

CREATE TABLE objective (
    id        INTEGER PRIMARY KEY CHECK (id >= 0),
    metric    TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('maximize', 'minimize')),
    reduce    TEXT NOT NULL,
    "window"  INTEGER NOT NULL CHECK ("window" >= 0)
) STRICT;

CREATE TABLE constraint_spec (
    id     INTEGER PRIMARY KEY CHECK (id >= 0),
    metric TEXT NOT NULL,
    lower  REAL NOT NULL,
    upper  REAL NOT NULL CHECK (upper >= lower)
) STRICT;

CREATE TABLE metric_name (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE CHECK (name <> ''),
    timing INTEGER NOT NULL DEFAULT 0 CHECK (timing IN (0, 1))
) STRICT;

CREATE TABLE trial (
    id       INTEGER PRIMARY KEY CHECK (id >= 0),
    kind     TEXT NOT NULL CHECK (kind = 'tune' OR kind = 'confirm_best' OR
                                  kind = 'confirm_default'),
    number   INTEGER NOT NULL CHECK (number >= 0),
    "repeat" INTEGER NOT NULL CHECK ("repeat" >= 0),
    source   INTEGER REFERENCES segment (id),
    stopped  INTEGER NOT NULL DEFAULT 0 CHECK (stopped IN (0, 1)),
    UNIQUE (kind, number, "repeat"),
    CHECK ((source IS NOT NULL) = (kind = 'confirm_best'))
) STRICT;

CREATE TABLE segment (
    id                  INTEGER PRIMARY KEY CHECK (id >= 1),
    parent              INTEGER REFERENCES segment (id) CHECK (parent < id),
    trial               INTEGER NOT NULL REFERENCES trial (id),
    decision            INTEGER UNIQUE CHECK (decision >= 0),
    "begin"             INTEGER NOT NULL CHECK ("begin" >= 0),
    "end"               INTEGER NOT NULL CHECK ("end" > "begin"),
    seed                INTEGER NOT NULL CHECK (seed >= 0 AND seed < 9007199254740992),
    reason              TEXT NOT NULL,
    note                TEXT NOT NULL,
    state               TEXT NOT NULL DEFAULT 'queued'
                        CHECK (state = 'queued' OR state = 'running' OR state = 'finished' OR
                               state = 'failed'),
    outcome             TEXT CHECK (outcome = 'done' OR outcome = 'diverged' OR
                                    outcome = 'crashed' OR outcome = 'killed' OR
                                    outcome = 'out_of_memory' OR outcome = 'timeout' OR
                                    outcome = 'protocol' OR outcome = 'no_objective' OR
                                    outcome = 'lost' OR outcome = 'preempted' OR
                                    outcome = 'cancelled'),
    attempt             INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    kept                INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)),
    checkpoint_bytes    INTEGER NOT NULL DEFAULT 0 CHECK (checkpoint_bytes >= 0),
    checkpoint_checksum INTEGER NOT NULL DEFAULT 0,
    partial_end         INTEGER CHECK (partial_end > "begin" AND partial_end < "end"),
    partial_attempt     INTEGER CHECK (partial_attempt >= 1),
    decided_at          REAL NOT NULL,
    cost                REAL,
    pinned              INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
    CHECK ((parent IS NULL) = ("begin" = 0)),
    CHECK ((partial_end IS NULL) = (partial_attempt IS NULL)),
    CHECK (kept = 0 OR (state = 'finished' AND checkpoint_bytes > 0)),
    CHECK (CASE state WHEN 'finished' THEN outcome IS 'done'
                      WHEN 'failed' THEN outcome IS NOT NULL AND outcome <> 'done'
                      ELSE outcome IS NULL END)
) STRICT;
CREATE INDEX segment_trial ON segment (trial);
CREATE INDEX segment_parent ON segment (parent) WHERE parent IS NOT NULL;
CREATE INDEX segment_open ON segment (state) WHERE state IN ('queued', 'running');

-- a row exactly where the hyperparameter is active
CREATE TABLE segment_value (
    segment        INTEGER NOT NULL REFERENCES segment (id),
    hyperparameter INTEGER NOT NULL REFERENCES hyperparameter (id),
    value          ANY NOT NULL,
    PRIMARY KEY (segment, hyperparameter)
) STRICT, WITHOUT ROWID;

CREATE TABLE segment_result (
    segment INTEGER NOT NULL REFERENCES segment (id),
    kind    TEXT NOT NULL CHECK (kind IN ('objective', 'constraint')),
    number  INTEGER NOT NULL CHECK (number >= 0),
    value   REAL,
    spread  REAL CHECK (spread >= 0),
    PRIMARY KEY (segment, kind, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluation (
    id         INTEGER PRIMARY KEY CHECK (id >= 1),
    segment    INTEGER NOT NULL REFERENCES segment (id),
    decision   INTEGER UNIQUE CHECK (decision >= 0),
    episodes   INTEGER NOT NULL CHECK (episodes >= 1),
    seed       INTEGER NOT NULL CHECK (seed >= 0 AND seed < 9007199254740992),
    state      TEXT NOT NULL DEFAULT 'queued'
               CHECK (state = 'queued' OR state = 'running' OR state = 'finished' OR
                      state = 'failed'),
    outcome    TEXT CHECK (outcome = 'done' OR outcome = 'diverged' OR outcome = 'crashed' OR
                           outcome = 'killed' OR outcome = 'out_of_memory' OR outcome = 'timeout' OR
                           outcome = 'protocol' OR outcome = 'no_objective' OR outcome = 'lost' OR
                           outcome = 'preempted' OR outcome = 'cancelled'),
    attempt    INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    decided_at REAL NOT NULL,
    CHECK (CASE state WHEN 'finished' THEN outcome IS 'done'
                      WHEN 'failed' THEN outcome IS NOT NULL AND outcome <> 'done'
                      ELSE outcome IS NULL END)
) STRICT;
CREATE INDEX evaluation_segment ON evaluation (segment);
CREATE INDEX evaluation_open ON evaluation (state) WHERE state IN ('queued', 'running');

CREATE TABLE evaluation_result (
    evaluation INTEGER NOT NULL REFERENCES evaluation (id),
    number     INTEGER NOT NULL CHECK (number >= 0),
    value      REAL,
    PRIMARY KEY (evaluation, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    id           INTEGER PRIMARY KEY,
    segment      INTEGER REFERENCES segment (id),
    evaluation   INTEGER REFERENCES evaluation (id),
    number       INTEGER NOT NULL CHECK (number >= 1),
    worker       INTEGER,
    host         TEXT,
    started_at   REAL NOT NULL,
    finished_at  REAL,
    outcome      TEXT CHECK (outcome = 'done' OR outcome = 'diverged' OR outcome = 'crashed' OR
                             outcome = 'killed' OR outcome = 'out_of_memory' OR
                             outcome = 'timeout' OR outcome = 'protocol' OR
                             outcome = 'no_objective' OR outcome = 'lost' OR outcome = 'preempted' OR
                             outcome = 'cancelled'),
    reason       TEXT NOT NULL DEFAULT '',
    busy_seconds REAL CHECK (busy_seconds >= 0),
    UNIQUE (segment, number),
    UNIQUE (evaluation, number),
    CHECK ((segment IS NULL) <> (evaluation IS NULL)),
    CHECK ((finished_at IS NULL) = (outcome IS NULL))
) STRICT;

-- owner: the id of a segment, or minus the id of an evaluation. No key but the row's own, so that
-- rows are appended: a second index would cost an order of magnitude in rows per second.
CREATE TABLE metric (
    owner   INTEGER NOT NULL CHECK (owner <> 0),
    step    INTEGER NOT NULL,
    "index" INTEGER NOT NULL,
    name    INTEGER NOT NULL REFERENCES metric_name (id),
    value   REAL
) STRICT;
CREATE INDEX metric_owner ON metric (owner);

-- the log: its order is the order of `seq`
CREATE TABLE event (
    seq           INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind = 'decided' OR kind = 'finished' OR kind = 'evaluated' OR
                                       kind = 'enqueued' OR kind = 'budget_changed'),
    segment       INTEGER REFERENCES segment (id),
    evaluation    INTEGER REFERENCES evaluation (id),
    decision      INTEGER UNIQUE CHECK (decision >= 0),
    decision_kind TEXT CHECK (decision_kind = 'run' OR decision_kind = 'evaluate' OR
                              decision_kind = 'done'),
    branch        INTEGER CHECK (branch IN (0, 1)),
    failed        INTEGER CHECK (failed IN (0, 1)),
    reason        TEXT,
    note          TEXT,
    memo          BLOB CHECK (length(memo) <= 65536),
    total         INTEGER,
    at            REAL NOT NULL,
    trials        INTEGER CHECK (trials IS NULL OR kind = 'budget_changed'),
    CHECK ((kind = 'decided') = (decision IS NOT NULL)),
    CHECK ((kind = 'decided') = (decision_kind IS NOT NULL)),
    CHECK ((segment IS NOT NULL) = (kind = 'finished' OR decision_kind IS 'run')),
    CHECK ((evaluation IS NOT NULL) = (kind = 'evaluated' OR decision_kind IS 'evaluate')),
    CHECK ((kind = 'budget_changed') = (total IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX event_segment ON event (segment, kind) WHERE segment IS NOT NULL;
CREATE UNIQUE INDEX event_evaluation ON event (evaluation, kind) WHERE evaluation IS NOT NULL;

-- the point of an `enqueued` event
CREATE TABLE event_value (
    event          INTEGER NOT NULL REFERENCES event (seq),
    hyperparameter INTEGER NOT NULL REFERENCES hyperparameter (id),
    value          ANY NOT NULL,
    PRIMARY KEY (event, hyperparameter)
) STRICT, WITHOUT ROWID;

-- what a warm start took from earlier studies (segment `segment` of the folder `study`): the log
-- begins with these, in order of `id`
CREATE TABLE known (
    id      INTEGER PRIMARY KEY CHECK (id >= 1),
    study   TEXT NOT NULL,
    segment INTEGER NOT NULL CHECK (segment >= 1),
    depth   INTEGER NOT NULL CHECK (depth >= 1),
    cost    REAL
) STRICT;

CREATE TABLE known_value (
    known          INTEGER NOT NULL REFERENCES known (id),
    hyperparameter INTEGER NOT NULL REFERENCES hyperparameter (id),
    value          ANY NOT NULL,
    PRIMARY KEY (known, hyperparameter)
) STRICT, WITHOUT ROWID;

CREATE TABLE known_result (
    known  INTEGER NOT NULL REFERENCES known (id),
    kind   TEXT NOT NULL CHECK (kind IN ('objective', 'constraint')),
    number INTEGER NOT NULL CHECK (number >= 0),
    value  REAL NOT NULL,
    PRIMARY KEY (known, kind, number)
) STRICT, WITHOUT ROWID;

-- `said`: by the study file of the newest run; `now`: what holds, with what users changed since
CREATE TABLE budget (
    source     TEXT PRIMARY KEY CHECK (source IN ('said', 'now')),
    total      INTEGER NOT NULL CHECK (total >= 0),
    trials     INTEGER NOT NULL CHECK (trials >= 0),
    wall_clock REAL NOT NULL CHECK (wall_clock >= 0)
) STRICT, WITHOUT ROWID;

-- commands of users that were served: each is applied in the transaction that makes its row
CREATE TABLE request (
    name   TEXT PRIMARY KEY,
    at     REAL NOT NULL,
    body   TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    id    INTEGER PRIMARY KEY,
    at    REAL NOT NULL,
    level TEXT NOT NULL,
    text  TEXT NOT NULL
) STRICT;

-- for people with an SQL prompt
CREATE VIEW segment_metric AS
    SELECT m.owner AS segment, m.step, m."index", n.name, m.value
      FROM metric AS m JOIN metric_name AS n ON n.id = m.name WHERE m.owner > 0;
CREATE VIEW evaluation_metric AS
    SELECT -m.owner AS evaluation, m.step, m."index", n.name, m.value
      FROM metric AS m JOIN metric_name AS n ON n.id = m.name WHERE m.owner < 0;
CREATE VIEW segment_hyperparameter AS
    SELECT v.segment, h.name, v.value
      FROM segment_value AS v JOIN hyperparameter AS h ON h.id = v.hyperparameter;
