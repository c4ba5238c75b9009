//! What a failed statement says about its connection, told from the database's own text: the platform
//! hands over nothing else.

/// What can be done about a failure beside telling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The statement itself was refused.
    Statement,
    /// Somebody holds a lock: the statement did nothing, and the connection is as it was.
    Busy,
    /// There is no room: the statement did nothing.
    Full,
    /// The statement was stopped before its end. It may be asked again if it only reads.
    Interrupted,
    /// The server knows the connection no more: the statement did not reach it.
    Gone,
    /// The connection broke while the statement was under way, and nobody knows how far it came.
    Broken,
}

/// What SQLite, Spin and the servers of libSQL say, in small letters.
const TEXTS: [(Trouble, &[&str]); 5] = [
    (
        Trouble::Busy,
        &[
            "database is locked",
            "database table is locked",
            "sqlite_busy",
        ],
    ),
    (Trouble::Full, &["disk is full", "sqlite_full"]),
    (Trouble::Interrupted, &["sqlite_interrupt", "interrupted"]),
    (
        Trouble::Gone,
        &[
            "stream expired",
            "stream_expired",
            "stream has expired",
            "stream not found",
            "stream handle",
            "baton",
            "connection refused",
        ],
    ),
    (
        Trouble::Broken,
        &[
            "stream closed",
            "stream is closed",
            "connection reset",
            "connection closed",
            "connection was closed",
            "broken pipe",
            "error sending request",
            "http error",
            "hyper",
            "unexpected end of file",
            "unexpected eof",
            "timed out",
            "bad gateway",
        ],
    ),
];

impl Trouble {
    /// What a text of the database means.
    pub(super) fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let known = TEXTS
            .iter()
            .find(|(_, parts)| parts.iter().any(|part| text.contains(part)));
        known.map_or(Self::Statement, |(trouble, _)| *trouble)
    }

    /// Whether the connection is of no use any more.
    pub(super) fn costs_the_connection(self) -> bool {
        matches!(self, Self::Interrupted | Self::Gone | Self::Broken)
    }

    /// Whether the same statement may be sent once more on another connection without being done twice.
    pub(super) fn may_be_sent_again(self, sql: &str) -> bool {
        match self {
            Self::Gone => true,
            Self::Interrupted | Self::Broken => {
                only_reads(sql) || [super::BEGIN, super::BEGIN_READING].contains(&sql)
            }
            Self::Statement | Self::Busy | Self::Full => false,
        }
    }
}

/// Whether a statement changes nothing, as far as its words tell.
fn only_reads(sql: &str) -> bool {
    let mut words = sql
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    let is =
        |word: &str, one_of: &[&str]| one_of.iter().any(|known| word.eq_ignore_ascii_case(known));
    match words.next() {
        Some(first) if is(first, &["select", "values"]) => true,
        Some(first) if is(first, &["with"]) => {
            !words.any(|word| is(word, &["insert", "update", "delete", "replace"]))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_tell_what_happened() {
        for (text, trouble) in [
            ("database is locked", Trouble::Busy),
            ("Hrana: SQLITE_BUSY: database is locked", Trouble::Busy),
            ("database or disk is full", Trouble::Full),
            ("SQLITE_INTERRUPT: interrupted", Trouble::Interrupted),
            ("The stream has expired due to inactivity", Trouble::Gone),
            (
                "status=404, body={\"error\":\"Stream not found\"}",
                Trouble::Gone,
            ),
            ("Hrana: `stream closed: reset`", Trouble::Broken),
            ("connection reset by peer", Trouble::Broken),
            ("UNIQUE constraint failed: sites.id", Trouble::Statement),
            ("no such table: x", Trouble::Statement),
        ] {
            assert_eq!(Trouble::of(text), trouble, "{text}");
        }
    }

    #[test]
    fn only_what_reads_is_sent_twice_when_its_fate_is_unknown() {
        for (sql, reads) in [
            ("select 1", true),
            (" SELECT x from y", true),
            ("with a as (select 1) select * from a", true),
            ("with a as (select 1) delete from b", false),
            ("insert into a values (1)", false),
            ("commit", false),
            ("begin immediate", true),
            ("", false),
        ] {
            assert_eq!(Trouble::Broken.may_be_sent_again(sql), reads, "{sql}");
            assert!(Trouble::Gone.may_be_sent_again(sql), "{sql}");
            assert!(!Trouble::Busy.may_be_sent_again(sql), "{sql}");
        }
    }
}
