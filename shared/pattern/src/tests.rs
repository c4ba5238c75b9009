use super::*;

#[test]
fn patterns_match_as_in_python() {
    for (pattern, text, expected) in [
        ("ab+", "abbc", true),
        ("ab+", "cab", false),
        ("a|bc", "bcx", true),
        ("(?=.*[0-9])(?=.*[a-z]).{4,}$", "abc1", true),
        ("(?=.*[0-9])(?=.*[a-z]).{4,}$", "abcd", false),
        ("(?!admin)[a-z]+$", "adminx", false),
        (".*(?<=x)y", "axy", true),
        (".*(?<!x)y", "axy", false),
        ("(ab|c)\\1$", "abab", true),
        ("(?P<q>[xy]).(?P=q)$", "xax", true),
        ("ab$", "ab\n", true),
        ("ab\\Z", "ab\n", false),
        ("(?i)aBc$", "AbC", true),
        ("(?i)[a-c]+$", "ABC", true),
        ("(?x) a b  # both", "ab", true),
        ("a{,2}b", "aab", true),
        ("a{x}", "a{x}", true),
        ("a{2}$", "aaa", false),
        ("a+?b", "aab", true),
        ("(?>a+)ab", "aab", false),
        ("a++b", "aab", true),
        ("(a)?b(?(1)c|d)$", "abc", true),
        ("(a)?b(?(1)c|d)$", "bd", true),
        ("(a)?b(?(1)c|d)$", "bc", false),
        ("[^\\W_]+$", "a_", false),
        ("[]a-]+$", "]-a", true),
        ("\\w+\\b.\\d", "ab 1", true),
        ("(?s)a.b", "a\nb", true),
        ("a.b", "a\nb", false),
        ("(?m)a$\n^b", "a\nb", true),
        ("(?:)*x", "x", true),
        // What a group matched on a way that was given up is forgotten.
        ("(?:(a)++c|ab)(?(1)x|y)$", "aby", true),
        ("(?:(?>(a)+)c|ab)(?(1)x|y)$", "aby", true),
        ("(?:(?=(a))ac|ab)(?(1)x|y)$", "aby", true),
        ("(?!(a)b)(?(1)x|a)", "ac", true),
        ("(a*)*$", "aaa", true),
        ("\\x41\\u0042\\103\\.$", "ABC.", true),
        ("(?i:a)b$", "Ab", true),
        ("(?i:a)b$", "AB", false),
        ("", "anything", true),
    ] {
        let found = Pattern::new(pattern).map(|read| read.matches(text));
        assert_eq!(found.ok(), Some(expected), "{pattern} {text:?}");
    }
    for pattern in [
        "(",
        ")",
        "a)",
        "*a",
        "a**",
        "[",
        "[b-a]",
        "(a)\\2",
        "(?<=a+)b",
        "\\y",
        "a{2,1}",
        "(?P<a>x)(?P<a>y)",
        "(?P=a)",
        "(?",
        "(?z)",
        "\\",
        "a(?i)",
        "(?(2)a)",
        "[a-\\d]",
    ] {
        assert!(Pattern::new(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn hostile_patterns_end_quickly() {
    let letters = "a".repeat(50_000);
    let open = "(".repeat(2000);
    let ways = format!("(?:{}a)*b", "a|".repeat(2000));
    let class = format!("(?i:[{}])*b", "xY".repeat(2000));
    let nested_ways = format!("(?<={}a{})b", "(?:".repeat(95), "|b)".repeat(95));
    let nested_conditions = format!("(a){}", "(?(1)".repeat(800));
    let started = std::time::Instant::now();
    for pattern in [
        "(a+)+$b",
        "(a*)*b",
        "(?=(a+)+b)",
        "((a{0,1000}){0,1000}){0,1000}b",
        "(a{30000})(?:(?=\\1)a)*b",
        "(a{30000})(?i:(?=\\1)a)*b",
        &open,
        &ways,
        &class,
        &nested_ways,
        &nested_conditions,
    ] {
        let found = Pattern::new(pattern).map(|read| read.matches(&letters));
        assert!(!matches!(found, Ok(true)), "{pattern}");
    }
    assert!(Pattern::new("a*b?c*").is_ok_and(|read| read.matches(&letters)));
    assert!(started.elapsed().as_millis() < 3000);
}

#[test]
fn a_limit_never_changes_an_answer() {
    for (pattern, text) in [
        ("(?!(?:aaaaaaaa)+b)a", "aaaaaaaaaaaaaaaab"),
        ("(?!(?:aaaaaaaa)+b)a", "aaaaaaaaaaaaaaaac"),
        ("(?:aaaa|aaab)+c|(?<!bc)d", "aaabaaaad"),
        ("(a+)(?>b*)\\1++c", "aabbaac"),
    ] {
        let pattern = Pattern::new(pattern).unwrap();
        let answer = pattern.matches_within(text, MAX_STEPS);
        assert!(answer.is_ok());
        for steps in 0..300 {
            let found = pattern.matches_within(text, steps);
            assert!(found.is_err() || found == answer, "{pattern:?} {steps}");
        }
    }
}
