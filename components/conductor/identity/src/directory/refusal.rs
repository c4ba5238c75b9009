//! What a directory means by a result code (RFC 4511), for whoever sets it up.

use ldap3_proto::proto::LdapResultCode as Code;

/// A sentence about a request (`a bind`, `a search`) that a server refused, with what the server itself
/// said of it.
pub fn sentence(server: &str, request: &str, code: &Code, said: &str) -> String {
    let meaning = match code {
        Code::OperationsError => "does not take it in this order: it may want a login first",
        Code::ProtocolError => "does not understand it",
        Code::TimeLimitExceeded | Code::AdminLimitExceeded => "gave up: it takes too long",
        Code::SizeLimitExceeded => "has more entries that fit than it shows",
        Code::AuthMethodNotSupported => "takes no names and passwords",
        Code::StrongerAuthRequired | Code::ConfidentialityRequired => {
            "takes it over encrypted connections only"
        }
        Code::Referral | Code::AffectsMultipleDSAs => "leaves it to another server",
        Code::NoSuchAttribute | Code::UndefinedAttributeType | Code::InappropriateMatching => {
            "does not know an attribute of it, or not in this way"
        }
        Code::InvalidAttributeSyntax | Code::InvalidDNSyntax | Code::NamingViolation => {
            "finds a name or value in it that is none"
        }
        Code::InvalidCredentials
        | Code::InappropriateAuthentication
        | Code::InsufficentAccessRights => "does not allow it to this account",
        Code::Busy | Code::Unavailable => "has no time for it now",
        Code::UnwillingToPerform => "does not do it",
        _ => "refused it",
    };
    // The enum has the numbers of the protocol.
    let number = code.clone() as i64;
    let said = match said.trim() {
        "" => String::new(),
        said => format!(": {said}"),
    };
    format!("`{server}` was asked for {request} and {meaning} (result {number}{said})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_server_request_and_reason() {
        for (code, said, expected) in [
            (
                Code::StrongerAuthRequired,
                "BindSimple: Transport encryption required.",
                "`dir:389` was asked for a bind and takes it over encrypted connections only \
                 (result 8: BindSimple: Transport encryption required.)",
            ),
            (
                Code::Busy,
                " ",
                "`dir:389` was asked for a bind and has no time for it now (result 51)",
            ),
            (
                Code::Other,
                "",
                "`dir:389` was asked for a bind and refused it (result 80)",
            ),
        ] {
            assert_eq!(sentence("dir:389", "a bind", &code, said), expected);
        }
    }
}
