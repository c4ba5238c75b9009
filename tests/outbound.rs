//! Names that lead into the operator's network: nobody makes the application call them.

use windlass_tests::{Options, Recorder, Windlass, json};

const CREATE: &str = "
create:
  implementation: windlass-http.create
  max_retries: 0
  inputs:
    method: POST
    url: { get_input: url }
";

/// A Windlass for which a name of the internet leads to this machine.
fn misled(variables: &[(&str, &str)]) -> Windlass {
    let options = Options::default().faults("resolve:hook.example.com=127.0.0.1");
    let set = |options: Options, (name, value): &(&str, &str)| options.variable(name, value);
    variables.iter().fold(options, set).start()
}

fn named(recorder: &Recorder) -> String {
    recorder.url().replace("127.0.0.1", "hook.example.com")
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_name_that_leads_to_this_machine_is_not_called() {
    let recorder = Recorder::start();
    let windlass = misled(&[]);
    let (admin, url) = (windlass.admin(), named(&recorder));

    let params = json!({ "blueprint_archive_url": url, "application_file_name": "a.yaml" });
    let reply = admin.upload_params("remote", &params);
    assert!(
        reply.text().contains("private or local"),
        "{}",
        reply.text()
    );

    admin.deploy_lamp(CREATE, &url);
    let execution = admin.execute("lamp", "install");
    windlass.run_pending_work();
    let execution = admin.execution(&execution);
    assert_eq!(execution["status"], "failed", "{execution}");

    let subscription = json!({ "kind": "webhook", "url": format!("{url}/hook") });
    windlass
        .passer_by()
        .post("/status/subscriptions", subscription)
        .expect(201);
    windlass.run_pending_work();

    assert!(recorder.requests().is_empty(), "{:?}", recorder.requests());
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn what_the_operator_allowed_is_called_with_the_length_of_its_body() {
    let recorder = Recorder::start();
    let windlass = misled(&[("outbound_allow_private", "true")]);
    let (admin, url) = (windlass.admin(), named(&recorder));
    admin.deploy_lamp(CREATE, &url);
    admin.execute("lamp", "install");
    windlass.run_pending_work();
    let [request] = &recorder.requests()[..] else {
        panic!("{:?}", recorder.requests())
    };
    assert_eq!(request.headers["content-length"], "0");
    assert!(!request.headers.contains_key("transfer-encoding"));
    assert!(request.headers["host"].starts_with("hook.example.com"));
}
