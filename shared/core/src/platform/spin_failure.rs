//! What Spin's words for failed requests mean.

use crate::outbound::failure::Failure;
use wasip3::http::types::ErrorCode;

/// Why a request failed.
pub fn of(code: &ErrorCode) -> Failure {
    match code {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => Failure::UnknownName,
        ErrorCode::DestinationIpProhibited => Failure::PrivateAddress,
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationNotFound | ErrorCode::LoopDetected => {
            Failure::NotAllowed
        }
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            Failure::Unreachable
        }
        ErrorCode::ConnectionRefused => Failure::Refused,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Failure::TooSlow,
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => Failure::BrokeOff,
        ErrorCode::ConnectionLimitReached => Failure::TooMany,
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => Failure::Encryption,
        ErrorCode::TlsCertificateError => Failure::Certificate,
        ErrorCode::HttpRequestMethodInvalid => Failure::BadRequest("method"),
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestUriTooLong => {
            Failure::BadRequest("URL")
        }
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => Failure::BadRequest("body"),
        ErrorCode::HttpRequestHeaderSectionSize(_) | ErrorCode::HttpRequestHeaderSize(_) => {
            Failure::BadRequest("headers")
        }
        ErrorCode::HttpResponseHeaderSectionSize(_) | ErrorCode::HttpResponseHeaderSize(_) => {
            Failure::TooLarge("head")
        }
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => Failure::TooLarge("body"),
        ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError => Failure::NotHttp,
        ErrorCode::ConfigurationError | ErrorCode::InternalError(_) => Failure::Platform,
    }
}
