//! Distinguished names, as RFC 4514 writes them.

/// A value as it stands in a name: what would end it, or begin something else, is escaped.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, c) in value.chars().enumerate() {
        match c {
            '\0' => {
                escaped.push_str("\\00");
                continue;
            }
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => escaped.push('\\'),
            ' ' if place == 0 || place == last => escaped.push('\\'),
            '#' if place == 0 => escaped.push('\\'),
            _ => {}
        }
        escaped.push(c);
    }
    escaped
}

/// Whether two names are the same to a directory: letter case, the spaces around separators and
/// the way of escaping make no difference.
pub fn same(left: &str, right: &str) -> bool {
    parts(left) == parts(right)
}

/// The parts of a name, each with its attributes and their values, in a form that can be compared.
fn parts(name: &str) -> Vec<Vec<(String, String)>> {
    let mut parts = vec![Vec::new()];
    let mut rest = name;
    loop {
        let end = unescaped(rest, &[',', ';', '+']).unwrap_or(rest.len());
        let (attribute, value) = rest[..end].split_once('=').unwrap_or((&rest[..end], ""));
        let pair = (attribute.trim().to_lowercase(), plain(value));
        if let Some(last) = parts.last_mut() {
            last.push(pair);
            // `cn=a+sn=b` and `sn=b+cn=a` are one part.
            last.sort();
        }
        let Some(separator) = rest[end..].chars().next() else {
            return parts;
        };
        rest = &rest[end + separator.len_utf8()..];
        if separator != '+' {
            parts.push(Vec::new());
        }
    }
}

/// Where the first of some characters stands that is not escaped.
fn unescaped(text: &str, wanted: &[char]) -> Option<usize> {
    let mut is_escaped = false;
    for (place, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if wanted.contains(&c) {
            return Some(place);
        }
    }
    None
}

/// A value without escapes, in small letters, without the spaces around it.
fn plain(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.trim_start().as_bytes();
    let mut kept = 0;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            // A space at the end counts only if it is escaped.
            if *first != b' ' {
                kept = bytes.len();
            }
            continue;
        }
        let pair = rest
            .get(..2)
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let hex = pair
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        if let Some(byte) = hex {
            bytes.push(byte);
            rest = rest.get(2..).unwrap_or_default();
        } else if let Some((escaped, after)) = rest.split_first() {
            bytes.push(*escaped);
            rest = after;
        }
        kept = bytes.len();
    }
    bytes.truncate(kept);
    String::from_utf8_lossy(&bytes).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_name_is_escaped() {
        for (value, escaped) in [
            ("ann", "ann"),
            ("Žofie Černá", "Žofie Černá"),
            ("a,ou=admins", "a\\,ou\\=admins"),
            ("a+b;c", "a\\+b\\;c"),
            ("\"<>\\", "\\\"\\<\\>\\\\"),
            (" a b ", "\\ a b\\ "),
            (" ", "\\ "),
            ("#1", "\\#1"),
            ("a#", "a#"),
            ("a\0b", "a\\00b"),
            ("", ""),
        ] {
            assert_eq!(escape(value), escaped, "{value:?}");
            let name = format!("cn={escaped},dc=harbour");
            assert_eq!(parts(&name).len(), 2, "{value:?}");
            assert_eq!(parts(&name)[0][0].1, value.to_lowercase(), "{value:?}");
        }
    }

    #[test]
    fn names_are_compared_as_a_directory_does() {
        for (left, right, is_same) in [
            (
                "cn=Deck,ou=Groups,dc=harbour",
                "CN=deck, OU=groups , DC=HARBOUR",
                true,
            ),
            ("cn=deck,dc=harbour", "cn=deck;dc=harbour", true),
            ("cn=Lod\\C4\\9B,dc=harbour", "cn=lodě,dc=harbour", true),
            ("cn=a\\,b,dc=harbour", "cn=a\\2cb,dc=harbour", true),
            ("cn=a\\,b,dc=harbour", "cn=a,b,dc=harbour", false),
            ("cn=a+sn=b,dc=x", "sn=b+cn=a,dc=x", true),
            ("cn=a,sn=b,dc=x", "sn=b+cn=a,dc=x", false),
            ("cn=deck", "cn=deck,dc=harbour", false),
            ("cn=a\\ ", "cn=a", false),
            ("cn= a ", "cn=a", true),
            ("nonsense", "NONSENSE", true),
            ("a\\", "a\\", true),
            ("", "cn=a", false),
        ] {
            assert_eq!(same(left, right), is_same, "{left} {right}");
        }
    }
}
