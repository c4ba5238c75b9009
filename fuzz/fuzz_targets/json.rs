//! A body of any bytes: it is refused in words, or read within its limits; and so are the values in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use windlass_core::body::Body;
use windlass_core::{Request, Timestamp, limits};

fuzz_target!(|bytes: &[u8]| {
    let mut request = Request::new(http::Method::POST, "/x");
    request.body = bytes.to_vec();
    let Ok(object) = request.json_object() else {
        return;
    };
    assert!(limits::check_values(bytes).is_ok());
    let value = Value::Object(object);
    let _ = (
        limits::check_depth("body", &value),
        limits::check_size("body", &value),
    );
    let body = Body::inner(&value, "body").unwrap();
    let names: Vec<String> = body.names().map(str::to_owned).collect();
    for name in &names {
        let _ = (
            body.text(name),
            body.id(name),
            body.flag(name),
            body.integer(name),
        );
        let _ = (body.list(name), body.objects(name), body.zoned_time(name));
        if let Ok(Some(text)) = body.text(name) {
            // A time that was read is written so that it is read again.
            if let Ok(time) = Timestamp::parse("time", text) {
                let again = Timestamp::parse("time", &time.to_string());
                assert!(again.is_ok_and(|again| again == time), "{text}");
            }
        }
    }
});
