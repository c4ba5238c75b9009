//! Search filters, as RFC 4515 writes them, with placeholders in their values.
//!
//! What takes a placeholder's place becomes a value as it is: it is never read as a part of the
//! filter, whatever it contains.

use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapSubstringFilter};

/// How deep a filter may be nested.
const MAX_DEPTH: usize = 32;

/// What placeholders stand for.
pub type Values<'v> = [(&'v str, &'v str)];

/// The filter that every entry passes.
pub fn any_entry() -> LdapFilter {
    LdapFilter::Present("objectClass".to_owned())
}

/// Whether a text is a filter, whatever its placeholders stand for.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str) -> Result<(), String> {
    read(text, &[]).map(drop)
}

/// Reads a filter, with or without its outermost parentheses.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str, values: &Values<'_>) -> Result<LdapFilter, String> {
    // The API's own examples have a quote too many.
    let text = text.trim().trim_matches('\'').trim();
    let whole = match text.starts_with('(') {
        true => text.to_owned(),
        false => format!("({text})"),
    };
    let mut reader = Reader {
        rest: &whole,
        values,
    };
    let filter = reader.filter(0)?;
    match reader.rest.trim() {
        "" => Ok(filter),
        rest => Err(format!("something follows it: {rest}")),
    }
}

struct Reader<'t> {
    rest: &'t str,
    values: &'t Values<'t>,
}

impl<'t> Reader<'t> {
    fn take(&mut self, wanted: char) -> Result<(), String> {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(format!("`{wanted}` is missing before `{}`", self.rest)),
        }
    }

    fn filter(&mut self, depth: usize) -> Result<LdapFilter, String> {
        if depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH}"));
        }
        self.take('(')?;
        self.rest = self.rest.trim_start();
        let mut after = self.rest.chars();
        let filter = match after.next() {
            Some('&') => {
                self.rest = after.as_str();
                LdapFilter::And(self.filters(depth)?)
            }
            Some('|') => {
                self.rest = after.as_str();
                LdapFilter::Or(self.filters(depth)?)
            }
            Some('!') => {
                self.rest = after.as_str();
                LdapFilter::Not(Box::new(self.filter(depth + 1)?))
            }
            _ => self.item()?,
        };
        self.take(')')?;
        Ok(filter)
    }

    fn filters(&mut self, depth: usize) -> Result<Vec<LdapFilter>, String> {
        let mut filters = Vec::new();
        while self.rest.trim_start().starts_with('(') {
            filters.push(self.filter(depth + 1)?);
        }
        match filters.is_empty() {
            true => Err("`&` and `|` need a filter in parentheses behind them".to_owned()),
            false => Ok(filters),
        }
    }

    fn item(&mut self) -> Result<LdapFilter, String> {
        let Some((left, rest)) = self.rest.split_once('=') else {
            return Err(format!("`=` is missing in `{}`", self.rest));
        };
        self.rest = rest;
        let (attribute, operator) = match left.char_indices().next_back() {
            Some((at, operator @ ('~' | '>' | '<' | ':'))) => (&left[..at], operator),
            _ => (left, '='),
        };
        let attribute = attribute.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-.;:".contains(c);
        if attribute.is_empty() || !attribute.chars().all(is_name) {
            return Err(format!("`{attribute}` is not an attribute"));
        }
        let pieces = self.value()?;
        let attribute = attribute.to_owned();
        if operator == '=' {
            return Ok(equality(attribute, pieces));
        }
        let value = match <[String; 1]>::try_from(pieces) {
            Ok([value]) => value,
            Err(_) => return Err("`*` goes with `=` only".to_owned()),
        };
        Ok(match operator {
            '~' => LdapFilter::Approx(attribute, value),
            '>' => LdapFilter::GreaterOrEqual(attribute, value),
            '<' => LdapFilter::LessOrEqual(attribute, value),
            _ => LdapFilter::Extensible(matching_rule(&attribute, value)),
        })
    }

    /// A value up to its closing parenthesis, in the pieces between asterisks.
    fn value(&mut self) -> Result<Vec<String>, String> {
        let mut pieces = vec![Vec::new()];
        let mut rest = self.rest;
        loop {
            let mut after = rest.chars();
            let c = after.next().ok_or("`)` is missing at its end")?;
            let piece: &mut Vec<u8> = match pieces.last_mut() {
                Some(piece) => piece,
                None => return Err("there is no value".to_owned()),
            };
            match c {
                ')' => break,
                '(' => return Err("a value has a bare `(`, which is written `\\28`".to_owned()),
                '*' => pieces.push(Vec::new()),
                '\\' => {
                    let pair = after
                        .as_str()
                        .get(..2)
                        .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
                    let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
                    piece.push(byte.ok_or("`\\` needs two hexadecimal digits behind it")?);
                    rest = after.as_str().get(2..).unwrap_or_default();
                    continue;
                }
                '{' => {
                    if let Some((placeholder, behind)) = after.as_str().split_once('}') {
                        let known = self.values.iter().find(|(name, _)| *name == placeholder);
                        let value = known.map_or("", |(_, value)| value);
                        piece.extend_from_slice(value.as_bytes());
                        rest = behind;
                        continue;
                    }
                    piece.push(b'{');
                }
                other => {
                    let mut buffer = [0; 4];
                    piece.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
                }
            }
            rest = after.as_str();
        }
        self.rest = rest;
        pieces
            .into_iter()
            .map(|piece| String::from_utf8(piece).map_err(|_| "a value is not UTF-8".to_owned()))
            .collect()
    }
}

/// The filter for a value whose pieces were separated by asterisks.
fn equality(attribute: String, mut pieces: Vec<String>) -> LdapFilter {
    let last = pieces.pop().unwrap_or_default();
    if pieces.is_empty() {
        return LdapFilter::Equality(attribute, last);
    }
    let first = pieces.remove(0);
    let any: Vec<String> = pieces.into_iter().filter(|any| !any.is_empty()).collect();
    if first.is_empty() && any.is_empty() && last.is_empty() {
        return LdapFilter::Present(attribute);
    }
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let substring = LdapSubstringFilter {
        initial: given(first),
        any,
        final_: given(last),
    };
    LdapFilter::Substring(attribute, substring)
}

/// What stands before `:=`: an attribute, `dn` and a rule, each of which may be missing.
fn matching_rule(left: &str, match_value: String) -> LdapMatchingRuleAssertion {
    let mut parts = left.split(':');
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let type_ = parts.next().and_then(given);
    let (mut dn_attributes, mut matching_rule) = (false, None);
    for part in parts {
        match part.eq_ignore_ascii_case("dn") {
            true => dn_attributes = true,
            false => matching_rule = given(part),
        }
    }
    LdapMatchingRuleAssertion {
        matching_rule,
        type_,
        match_value,
        dn_attributes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(attribute: &str, value: &str) -> LdapFilter {
        LdapFilter::Equality(attribute.into(), value.into())
    }

    #[test]
    fn filters_are_read_as_they_are_written() {
        let substring = |initial: Option<&str>, any: &[&str], last: Option<&str>| {
            let filter = LdapSubstringFilter {
                initial: initial.map(str::to_owned),
                any: any.iter().map(|text| (*text).to_owned()).collect(),
                final_: last.map(str::to_owned),
            };
            LdapFilter::Substring("cn".into(), filter)
        };
        let nested = LdapMatchingRuleAssertion {
            matching_rule: Some("1.2.840.113556.1.4.1941".into()),
            type_: Some("member".into()),
            match_value: "cn=a".into(),
            dn_attributes: false,
        };
        for (text, filter) in [
            ("(uid=ann)", is("uid", "ann")),
            ("uid=ann", is("uid", "ann")),
            ("'member=cn=a,dc=b", is("member", "cn=a,dc=b")),
            (" ( uid =ann) ", is("uid", "ann")),
            ("(cn=\\28a\\29 \\2a\\5c)", is("cn", "(a) *\\")),
            ("(cn=lod\\c4\\9b)", is("cn", "lodě")),
            ("(uid=*)", LdapFilter::Present("uid".into())),
            (
                "(cn=a*b**c*d)",
                substring(Some("a"), &["b", "c"], Some("d")),
            ),
            ("(cn=*b*)", substring(None, &["b"], None)),
            ("(cn=a*)", substring(Some("a"), &[], None)),
            (
                "(&(a=1)(|(b=2)(!(c=3))))",
                LdapFilter::And(vec![
                    is("a", "1"),
                    LdapFilter::Or(vec![is("b", "2"), LdapFilter::Not(Box::new(is("c", "3")))]),
                ]),
            ),
            ("(a>=1)", LdapFilter::GreaterOrEqual("a".into(), "1".into())),
            ("(a<=1)", LdapFilter::LessOrEqual("a".into(), "1".into())),
            ("(a~=1)", LdapFilter::Approx("a".into(), "1".into())),
            (
                "(member:1.2.840.113556.1.4.1941:=cn=a)",
                LdapFilter::Extensible(nested),
            ),
            ("(a=)", is("a", "")),
        ] {
            assert_eq!(read(text, &[]).unwrap(), filter, "{text}");
        }
    }

    #[test]
    fn what_a_placeholder_stands_for_is_a_value_and_nothing_else() {
        let evil = "*)(uid=admin))(|(cn=\\2a{base_dn}";
        let values = [("username", evil), ("base_dn", "dc=harbour")];
        let read = read("(&(uid={username})(ou=x{base_dn}*))", &values).unwrap();
        let LdapFilter::And(filters) = read else {
            panic!("{read:?}")
        };
        assert_eq!(filters[0], is("uid", evil));
        assert_eq!(filters.len(), 2);
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "",
            "()",
            "(",
            "uid",
            "(uid=a",
            "(uid=a))",
            "(=a)",
            "(a b=c)",
            "(&)",
            "(&a=b)",
            "(!(a=b)(c=d))",
            "(a=\\2)",
            "(a=\\zz)",
            "(a=\\+2)",
            "(a=(b))",
            "(a>=*)",
            "(a=\\ff)",
            "(a=b)(c=d)",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        let deep = format!("{}(a=b){}", "(!".repeat(100), ")".repeat(100));
        assert!(check(&deep).is_err());
    }
}
