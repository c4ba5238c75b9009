//! Ready-made tools, against stand-ins that speak as their documentation says. No real server of them
//! was asked.

use super::*;

/// An answer with a header.
fn headed(status: u16, name: &str, value: &str, body: &str) -> Result<OutboundResponse, String> {
    let headers = vec![(name.to_owned(), value.to_owned())];
    Ok(OutboundResponse {
        status,
        headers,
        body: body.into(),
    })
}

async fn one_step(identifier: &str, configuration: Json, mut step: Json) -> World {
    let world = World::new(json!([])).await;
    step["toolConfigId"] = world.tool(identifier, configuration).await.into();
    let step =
        json!({ "name": "s", "tool": { "tool_identifier": identifier, "configuration": step } });
    let id = world.pipeline(json!([step])).await;
    let world = World { id, ..world };
    world.start("ann", json!({ "version": "1.2" })).await;
    world
}

fn header<'r>(request: &'r OutboundRequest, name: &str) -> Option<&'r str> {
    let mut headers = request.headers.iter();
    headers
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Jenkins' remote access API: a queue item, then a build whose console grows.
fn jenkins(result: &'static str) -> impl Fn(&OutboundRequest) -> Result<OutboundResponse, String> {
    let polls = Cell::new(0);
    move |request| {
        assert_eq!(header(request, "authorization"), Some("Basic Ym90OnQwazNu"));
        let path = request.url.strip_prefix("https://ci.example").unwrap();
        match path {
            "/job/team/job/my%20app/buildWithParameters?VERSION=1.2&DRY=false" => {
                headed(201, "Location", "http://internal:8080/queue/item/41/", "")
            }
            "/queue/item/41/api/json" => {
                polls.set(polls.get() + 1);
                match polls.get() {
                    1 => answer(200, r#"{"why": "In the quiet period"}"#),
                    _ => answer(
                        200,
                        r#"{"executable": {"number": 7, "url": "http://internal:8080/job/x/7/"}}"#,
                    ),
                }
            }
            "/job/team/job/my%20app/7/api/json" => {
                polls.set(polls.get() + 1);
                let is_building = polls.get() < 5;
                let result = if is_building {
                    "null".into()
                } else {
                    format!("\"{result}\"")
                };
                answer(
                    200,
                    format!(r#"{{"building": {is_building}, "result": {result}, "url": "u"}}"#),
                )
            }
            "/job/team/job/my%20app/7/logText/progressiveText?start=0" => {
                headed(200, "X-More-Data", "true", "one\n")
            }
            "/job/team/job/my%20app/7/logText/progressiveText?start=4" if polls.get() < 5 => {
                headed(200, "X-More-Data", "true", "")
            }
            "/job/team/job/my%20app/7/logText/progressiveText?start=4" => {
                answer(200, "two t0k3n\n")
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn jenkins_builds_and_its_console_is_read_as_it_grows() {
    pollster::block_on(async {
        let configuration =
            json!({ "url": "https://ci.example/", "username": "bot", "token": "t0k3n" });
        let step = json!({ "job": "team/my app", "parameters": { "VERSION": "{{ parameters.version }}", "DRY": false } });
        for (result, state) in [("SUCCESS", "success"), ("UNSTABLE", "failed")] {
            let world = one_step("jenkins", configuration.clone(), step.clone()).await;
            let net = net(jenkins(result));
            world.work(&net).await;
            assert_eq!(world.state().await, state, "{:?}", world.steps().await);
            assert_eq!(world.console().await, "one\ntwo ***\n");
        }
        let world = one_step("jenkins", configuration.clone(), step.clone()).await;
        world.work(&net(|_| answer(401, "who is t0k3n?"))).await;
        let error = world.steps().await[0].2.clone().unwrap();
        assert_eq!(
            error,
            "Tool answered 401 to /job/team/job/my%20app: who is ***?"
        );
        let world = one_step("jenkins", configuration.clone(), step).await;
        world.work(&net(|_| answer(201, ""))).await;
        let error = world.steps().await[0].2.clone().unwrap();
        assert_eq!(error, "Tool did not say where the build waits");
        let world = one_step("jenkins", configuration, json!({ "job": "../script" })).await;
        world.work(&net(|_| panic!("nothing is called"))).await;
        assert_eq!(world.state().await, "failed");
    });
}

#[test]
fn github_actions_runs_are_found_followed_and_their_logs_read() {
    pollster::block_on(async {
        let step = json!({ "repository": "harbour/crane", "workflow": "deploy.yml", "ref": "main", "inputs": { "v": "{{ parameters.version }}" } });
        for (conclusion, state) in [("success", "success"), ("cancelled", "failed")] {
            let world = one_step("github-actions", json!({ "token": "t0k3n" }), step.clone()).await;
            let polls = Cell::new(0);
            let net = net(|request| {
                let repository = "https://api.github.com/repos/harbour/crane/actions";
                let Some(path) = request.url.strip_prefix(repository) else {
                    assert_eq!(request.url, "https://logs.example/1?sig=x");
                    assert_eq!(
                        header(request, "authorization"),
                        None,
                        "nobody logs in there"
                    );
                    return answer(200, "built");
                };
                assert_eq!(header(request, "authorization"), Some("Bearer t0k3n"));
                polls.set(polls.get() + 1);
                match path {
                    "/workflows/deploy.yml/dispatches" => {
                        let body: Json = serde_json::from_slice(&request.body).unwrap();
                        assert_eq!(body, json!({ "ref": "main", "inputs": { "v": "1.2" } }));
                        answer(204, "")
                    }
                    path if path.starts_with(
                        "/workflows/deploy.yml/runs?event=workflow_dispatch&branch=main&created=",
                    ) =>
                    {
                        answer(
                            200,
                            if polls.get() < 3 {
                                r#"{"workflow_runs": []}"#
                            } else {
                                r#"{"workflow_runs": [{"id": 9}, {"id": 8}]}"#
                            },
                        )
                    }
                    "/runs/8" if polls.get() < 8 => answer(200, r#"{"status": "in_progress"}"#),
                    "/runs/8" => answer(
                        200,
                        json!({ "status": "completed", "conclusion": conclusion, "html_url": "u" })
                            .to_string(),
                    ),
                    "/runs/8/jobs?per_page=100" => answer(
                        200,
                        r#"{"jobs": [{"id": 1, "name": "build", "status": "completed"}, {"id": 2, "name": "late", "status": "queued"}]}"#,
                    ),
                    "/jobs/1/logs" => headed(302, "location", "https://logs.example/1?sig=x", ""),
                    other => panic!("{other}"),
                }
            });
            world.work(&net).await;
            assert_eq!(world.state().await, state, "{:?}", world.steps().await);
            assert_eq!(world.console().await, "== build ==\nbuilt\n");
        }
    });
}

#[test]
fn gitlab_pipelines_are_created_followed_and_their_traces_read() {
    pollster::block_on(async {
        let step = json!({ "project": "harbour/crane", "ref": "main", "variables": { "V": "{{ parameters.version }}" } });
        for (status, state) in [("success", "success"), ("failed", "failed")] {
            let world = one_step(
                "gitlab-ci",
                json!({ "url": "https://git.example", "token": "t0k3n" }),
                step.clone(),
            )
            .await;
            let polls = Cell::new(0);
            let net = net(|request| {
                assert_eq!(header(request, "private-token"), Some("t0k3n"));
                let path = request
                    .url
                    .strip_prefix("https://git.example/api/v4/projects/harbour%2Fcrane")
                    .unwrap();
                match path {
                    "/pipeline" => {
                        let body: Json = serde_json::from_slice(&request.body).unwrap();
                        assert_eq!(body["variables"], json!([{ "key": "V", "value": "1.2" }]));
                        answer(201, r#"{"id": 5, "status": "created"}"#)
                    }
                    "/pipelines/5" => {
                        polls.set(polls.get() + 1);
                        let status = if polls.get() < 3 { "running" } else { status };
                        answer(200, json!({ "status": status, "web_url": "u" }).to_string())
                    }
                    "/pipelines/5/jobs?per_page=100&include_retried=true" => {
                        let status = if polls.get() < 3 {
                            "running"
                        } else {
                            "success"
                        };
                        answer(200, json!([{ "id": 1, "name": "test", "status": status }, { "id": 2, "status": "created" }]).to_string())
                    }
                    "/jobs/1/trace" => answer(200, "line\n".repeat(polls.get())),
                    other => panic!("{other}"),
                }
            });
            world.work(&net).await;
            assert_eq!(world.state().await, state, "{:?}", world.steps().await);
            assert_eq!(world.console().await, "== test ==\nline\nline\nline\n");
        }
    });
}

#[test]
fn argo_cd_applications_are_synchronised_until_they_are_healthy() {
    pollster::block_on(async {
        let step = json!({ "application": "crane", "revision": "{{ parameters.version }}", "prune": true });
        for (phase, health, state) in [
            ("Succeeded", "Healthy", "success"),
            ("Succeeded", "Degraded", "failed"),
            ("Failed", "Healthy", "failed"),
        ] {
            let world = one_step(
                "argo",
                json!({ "url": "https://argo.example", "token": "t0k3n" }),
                step.clone(),
            )
            .await;
            let polls = Cell::new(0);
            let net = net(|request| {
                let path = request
                    .url
                    .strip_prefix("https://argo.example/api/v1/applications/crane")
                    .unwrap();
                let operation = |began: &str, phase: &str| {
                    json!({
                        "startedAt": began, "phase": phase, "message": "applied",
                        "syncResult": { "revision": "abc", "resources": [{ "kind": "Deployment", "name": "d", "status": "Synced", "message": "ok" }] },
                    })
                };
                if path == "/sync" {
                    let body: Json = serde_json::from_slice(&request.body).unwrap();
                    assert_eq!(body, json!({ "prune": true, "revision": "1.2" }));
                    return answer(200, "{}");
                }
                polls.set(polls.get() + 1);
                let told = match polls.get() {
                    1 => {
                        json!({ "status": { "operationState": operation("t0", "Succeeded"), "health": { "status": "Healthy" } } })
                    }
                    2 => {
                        json!({ "operation": {}, "status": { "operationState": operation("t0", "Succeeded") } })
                    }
                    3 => json!({ "status": { "operationState": operation("t1", "Running") } }),
                    4 => {
                        json!({ "status": { "operationState": operation("t1", phase), "health": { "status": "Progressing" } } })
                    }
                    _ => {
                        json!({ "status": { "operationState": operation("t1", phase), "health": { "status": health } } })
                    }
                };
                answer(200, told.to_string())
            });
            world.work(&net).await;
            assert_eq!(world.state().await, state, "{:?}", world.steps().await);
            assert_eq!(
                world.console().await,
                "applied\nDeployment/d: Synced ok\n",
                "told once"
            );
        }
    });
}
