//! The pages below `/account`: signing up and choosing a password without a client.

use super::people::Office;
use windlass_tests::Answer;

const FORM: &str = "application/x-www-form-urlencoded";

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn somebody_signs_up_and_chooses_a_password_in_a_browser() {
    let office = Office::open();
    let page = office.anybody().get("/account/sign-up").expect_answer(200);
    assert!(text(&page).contains("name=\"project_name\""));
    assert!(!text(&page).contains("<script"));
    let form = "email=bob%40example.com&project_name=pier";
    let sent = office.anybody().raw("POST", "/account/sign-up", FORM, form);
    assert!(sent.text().contains("Thank you"), "{}", sent.text());
    office.approve(&office.task()).expect(200);

    let page = format!("/account/token/{}", office.mailed_token("bob@example.com"));
    let opened = office.anybody().get(&page).expect_answer(200);
    assert!(
        text(&opened).contains("type=\"password\""),
        "{}",
        text(&opened)
    );
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(opened.header(name), Some(value));
    }
    let short = office.anybody().raw("POST", &page, FORM, "password=1234");
    assert_eq!(short.status(), 400);
    assert!(
        short.text().contains("5 to 256 characters"),
        "{}",
        short.text()
    );
    let form = "password=correct+horse";
    let done = office.anybody().raw("POST", &page, FORM, form);
    assert_eq!(done.status(), 200, "{}", done.text());
    office.log_in("bob@example.com", "correct horse");
    let again = office.anybody().raw("POST", &page, FORM, form);
    assert_eq!(again.status(), 404);
    assert_eq!(office.anybody().get(&page).expect_answer(404).status, 404);
}

#[test]
fn a_forgotten_password_is_asked_for_in_a_browser() {
    let office = Office::open();
    office.newcomer("bob@example.com", "pier");
    let ask = |email: &str| {
        let form = format!("email={email}");
        let sent = office
            .anybody()
            .raw("POST", "/account/password", FORM, form);
        (sent.status(), sent.text())
    };
    assert_eq!(ask("bob%40example.com"), ask("nobody%40example.com"));
    assert_eq!(ask("nobody").0, 400);
    let page = format!("/account/token/{}", office.mailed_token("bob@example.com"));
    let done = office
        .anybody()
        .raw("POST", &page, FORM, "password=another+horse");
    assert_eq!(done.status(), 200, "{}", done.text());
    office.log_in("bob@example.com", "another horse");
}
