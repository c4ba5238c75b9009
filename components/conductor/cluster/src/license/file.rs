//! The file of a license: YAML, as its issuer has written it.
//!
//! ```yaml
//! license:
//!   customer_id: Harbour
//!   expiration_date: 12/31/2030
//!   license_edition: Premium
//!   trial: false
//!   cloudify_version: 7.0.5
//!   capabilities: [HA]
//! signature: !!binary |
//!   aGFyYm91cg==
//! ```

use crate::version::CONDUCTOR;
use serde_json::Value;
use windlass_core::{Body, Error, Kind, Result, Timestamp, limits};
use windlass_store::license::License;

/// The largest file, in bytes. Real ones have one or two thousand.
const LARGEST: usize = 64 << 10;

/// Reads the file of a license.
///
/// # Errors
/// 400: no YAML; a field that is not what it must be, by its name; no signature; a version below this one.
pub fn read(bytes: &[u8]) -> Result<License> {
    if bytes.len() > LARGEST {
        return Err(limits::too_large(LARGEST));
    }
    let value = windlass_blueprint::yaml_value(bytes).map_err(|reason| {
        let text = format!("The license is no usable YAML: {reason}");
        Error::new(Kind::InvalidYamlFormat, text)
    })?;
    let file = match value {
        Value::Object(fields) => Body::from(fields),
        _ => return Err(unverified("it is no map with `license` and `signature`")),
    };
    if file.filled_text("signature")?.is_none() {
        return Err(unverified("it has no signature"));
    }
    let license = license(&file.inside("license")?)?;
    if let Some(version) = &license.cloudify_version
        && !covers(version)
    {
        return Err(unverified(&format!(
            "it is for versions up to {version}, and this is version {CONDUCTOR}"
        )));
    }
    Ok(license)
}

fn unverified(reason: &str) -> Error {
    let text = format!("This license could not be verified: {reason}");
    Error::new(Kind::UnverifiedCloudifyLicense, text)
}

fn license(fields: &Body) -> Result<License> {
    let required = |name: &str| match fields.filled_text(name)? {
        Some(text) => Ok(text.to_owned()),
        None => Err(unverified(&format!("it has no {name}"))),
    };
    let capabilities = fields.list("capabilities")?.map(|list| {
        let texts = list.iter().map(|item| match item {
            Value::String(text) => Ok(text.clone()),
            other => Err(Error::wrong_type("capabilities", "str", other)),
        });
        texts.collect::<Result<_>>()
    });
    Ok(License {
        customer_id: required("customer_id")?,
        expiration_date: expiration(fields)?,
        license_edition: required("license_edition")?,
        trial: fields.boolean("trial")?.unwrap_or(false),
        cloudify_version: version(fields)?,
        capabilities: capabilities.transpose()?,
    })
}

/// The end: month/day/year, as issuers write it, or any time that other requests may name.
fn expiration(fields: &Body) -> Result<Option<Timestamp>> {
    const NAME: &str = "expiration_date";
    let Some(text) = fields.filled_text(NAME)? else {
        return Ok(None);
    };
    let parts: Vec<&str> = text.split('/').collect();
    let iso = match *parts {
        [month, day, year] => format!("{year:0>4}-{month:0>2}-{day:0>2}"),
        _ => text.to_owned(),
    };
    Timestamp::parse(NAME, &iso).map(Some)
}

/// The newest version that a license is for. YAML takes `7.0` for a number.
fn version(fields: &Body) -> Result<Option<String>> {
    match fields.get("cloudify_version") {
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        _ => Ok(fields.filled_text("cloudify_version")?.map(str::to_owned)),
    }
}

/// Whether a license for versions up to this one is for the one that is served here. `7.0` is for
/// 7.0.5 too.
fn covers(version: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u32>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    let (Some(newest), Some(ours)) = (numbers(version), numbers(CONDUCTOR)) else {
        return false;
    };
    newest.iter().ge(ours.iter().take(newest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(license: &str) -> String {
        format!("license:\n{license}signature: !!binary |\n  aGFyYm91cg==\n")
    }

    fn with(line: &str) -> String {
        file(&format!(
            "  customer_id: Harbour\n  license_edition: Premium\n{line}"
        ))
    }

    #[test]
    fn a_license_says_who_until_when_and_what() {
        let read = read(
            file(
                "  capabilities: [HA, LDAP]\n  cloudify_version: 7.1.0\n  customer_id: Harbour\n  \
             expiration_date: 12/31/2030\n  license_edition: Spire\n  trial: true\n",
            )
            .as_bytes(),
        )
        .unwrap();
        let expected = License {
            customer_id: "Harbour".into(),
            expiration_date: Some(Timestamp::parse("", "2030-12-31").unwrap()),
            license_edition: "Spire".into(),
            trial: true,
            cloudify_version: Some("7.1.0".into()),
            capabilities: Some(vec!["HA".into(), "LDAP".into()]),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_left_out_or_empty_sets_no_limit() {
        for line in [
            "",
            "  expiration_date:\n  cloudify_version: null\n  capabilities: ~\n",
            "  expiration_date: ''\n  cloudify_version: ''\n",
        ] {
            let license = read(with(line).as_bytes()).unwrap();
            assert_eq!(license.expiration_date, None, "{line}");
            assert_eq!(license.cloudify_version, None, "{line}");
            assert_eq!(license.capabilities, None, "{line}");
            assert!(!license.trial, "{line}");
        }
    }

    #[test]
    fn a_license_has_to_be_for_this_version_or_newer_ones() {
        for (version, is_for_this) in [
            ("7.0.5", true),
            ("7.0.6", true),
            ("7.0", true),
            ("7", true),
            ("7.1", true),
            ("10.0.0", true),
            ("7.0.4", false),
            ("6.4", false),
            ("6", false),
            ("4.6", false),
            ("newest", false),
        ] {
            let line = format!("  cloudify_version: {version}\n");
            let read = read(with(&line).as_bytes());
            assert_eq!(read.is_ok(), is_for_this, "{version}");
            if let Err(error) = read {
                assert_eq!(error.kind(), Kind::UnverifiedCloudifyLicense, "{version}");
                assert!(error.message().contains("versions"), "{version}");
            }
        }
    }

    #[test]
    fn what_is_no_license_is_refused_by_what_is_wrong_with_it() {
        for (file, kind, text) in [
            ("a: [".to_owned(), Kind::InvalidYamlFormat, "no usable YAML"),
            (String::new(), Kind::UnverifiedCloudifyLicense, "no map"),
            ("[1]".to_owned(), Kind::UnverifiedCloudifyLicense, "no map"),
            (
                "license: {}".to_owned(),
                Kind::UnverifiedCloudifyLicense,
                "no signature",
            ),
            (
                "license: {}\nsignature: ''".to_owned(),
                Kind::UnverifiedCloudifyLicense,
                "no signature",
            ),
            (
                self::file("  trial: true\n"),
                Kind::UnverifiedCloudifyLicense,
                "no customer_id",
            ),
            (with("  trial: maybe\n"), Kind::BadParameters, "trial"),
            (
                with("  expiration_date: soon\n"),
                Kind::BadParameters,
                "expiration_date",
            ),
            (
                with("  expiration_date: 31/12/2030\n"),
                Kind::BadParameters,
                "expiration_date",
            ),
            (
                with("  capabilities: HA\n"),
                Kind::BadParameters,
                "capabilities",
            ),
            (
                with("  capabilities: [1]\n"),
                Kind::BadParameters,
                "capabilities",
            ),
            (
                with("  cloudify_version: [7]\n"),
                Kind::BadParameters,
                "cloudify_version",
            ),
            ("x".repeat(LARGEST + 1), Kind::PayloadTooLarge, "65536"),
        ] {
            let error = read(file.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{file:.80}");
            assert!(
                error.message().contains(text),
                "{file:.80}: {}",
                error.message()
            );
        }
    }
}
