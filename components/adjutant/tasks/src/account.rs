//! `/account`: pages for people who have no client: to sign up, for a forgotten password, and for the
//! links in mails. No script; what a form sends is what a client would send as JSON.

mod view;

use crate::{asked, tokens};
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use windlass_adjutant::{Settings, TaskType};
use windlass_core::db::Db;
use windlass_core::request::parse_query;
use windlass_core::{Context, Error, Kind, Response, Result, Timestamp};

/// `GET /account/style.css`: how the pages look.
pub async fn style(_: &Context<impl Db>) -> Result<Response> {
    Ok(view::style())
}

/// `GET /account/sign-up`: the form for a project and an account.
pub async fn sign_up_form(ctx: &Context<impl Db>) -> Result<Response> {
    let settings = Settings::load(&ctx.db).await?;
    let body = html! {
        h1 { "Sign up" }
        p { "Ask for a project and an account. An administrator looks at it, and a mail follows." }
        form method="post" action="/account/sign-up" {
            (field("email", "E-mail address", "email", "email"))
            @if !settings.username_is_email { (field("username", "Name", "text", "username")) }
            (field("project_name", "Name of the project", "text", "off"))
            p { button type="submit" { "Sign up" } }
        }
        p { a href="/account/password" { "Forgotten your password?" } }
    };
    Ok(view::page(200, "Sign up", &body))
}

/// `POST /account/sign-up`: what the form sent.
pub async fn sign_up(ctx: &Context<impl Db>) -> Result<Response> {
    let done = match form(ctx) {
        Ok(form) => asked::create_account(ctx, form).await,
        Err(refusal) => Err(refusal),
    };
    told(
        done,
        "Thank you",
        "An administrator will look at your request. A mail follows.",
    )
}

/// `GET /account/password`: the form for a forgotten password.
pub async fn password_form(ctx: &Context<impl Db>) -> Result<Response> {
    let settings = Settings::load(&ctx.db).await?;
    let body = html! {
        h1 { "Forgotten password" }
        form method="post" action="/account/password" {
            (field("email", "E-mail address", "email", "email"))
            @if !settings.username_is_email { (field("username", "Name", "text", "username")) }
            p { button type="submit" { "Send me a link" } }
        }
    };
    Ok(view::page(200, "Forgotten password", &body))
}

/// `POST /account/password`: what the form sent. The page is the same for every address.
pub async fn password(ctx: &Context<impl Db>) -> Result<Response> {
    let done = match form(ctx) {
        Ok(form) => asked::forget_password(ctx, &form).await,
        Err(refusal) => Err(refusal),
    };
    let text = "If there is an account with this address, a mail with a link is on its way.";
    told(done, "Look into your mail", text)
}

/// `GET /account/token/{token}`: what a link in a mail leads to. Opening it changes nothing.
pub async fn token_form(ctx: &Context<impl Db>) -> Result<Response> {
    let token = ctx.path("token");
    let task = match tokens::waiting(ctx, token, Timestamp::now()).await {
        Ok((_, task)) => task,
        Err(refusal) => return refused(refusal),
    };
    let fields = task.token_fields();
    let title = title_of(task.task_type);
    let body = html! {
        h1 { (title) }
        form method="post" action={ "/account/token/" (token) } {
            @if fields.contains(&"password") {
                (field("password", "Password", "password", "new-password"))
            }
            @if fields.contains(&"confirm") {
                input type="hidden" name="confirm" value="true";
                p { "Press the button to confirm." }
            }
            p { button type="submit" { @if fields.contains(&"password") { "Set the password" } @else { "Confirm" } } }
        }
    };
    Ok(view::page(200, title, &body))
}

/// `POST /account/token/{token}`: the link is used, once.
pub async fn token(ctx: &Context<impl Db>) -> Result<Response> {
    let done = tokens::finish(ctx, ctx.path("token"), || form(ctx)).await;
    told(done.map(drop), "Done", "This is done. You can log in now.")
}

fn title_of(of: TaskType) -> &'static str {
    match of {
        TaskType::CreateProjectAndUser => "Finish signing up",
        TaskType::InviteUserToProject => "Accept the invitation",
        TaskType::ResetUserPassword => "Choose another password",
        TaskType::UpdateUserEmail => "Confirm your address",
        TaskType::EditUserRoles | TaskType::UpdateQuota => "Confirm",
    }
}

fn field(name: &str, label: &str, kind: &str, autocomplete: &str) -> Markup {
    html! {
        p {
            label for=(name) { (label) }
            input id=(name) type=(kind) name=(name) required maxlength="256" autocomplete=(autocomplete);
        }
    }
}

/// What a form sent, as JSON would say it.
fn form(ctx: &Context<impl Db>) -> Result<Map<String, Value>> {
    let content_type = ctx.request.get_header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Error::new(
            Kind::UnsupportedContentType,
            "Content type must be application/x-www-form-urlencoded",
        ));
    }
    let text = std::str::from_utf8(&ctx.request.body)
        .map_err(|_| Error::bad_parameters("The form is not UTF-8"))?;
    let values = parse_query(text)
        .into_iter()
        .map(|(name, value)| match name.as_str() {
            "confirm" => (name, json!(value == "true")),
            _ => (name, json!(value)),
        });
    Ok(values.collect())
}

/// The page for what was done, or for why it was not.
fn told(done: Result<()>, title: &str, text: &str) -> Result<Response> {
    match done {
        Ok(()) => {
            let body = html! { h1 { (title) } p { (text) } };
            Ok(view::page(200, title, &body))
        }
        Err(refusal) => refused(refusal),
    }
}

/// The page for what was refused.
///
/// # Errors
/// What is no fault of the form.
fn refused(refusal: Error) -> Result<Response> {
    let (status, _) = refusal.kind().wire();
    if status >= 500 {
        return Err(refusal);
    }
    let title = "This did not work";
    let body = html! {
        h1 { (title) }
        @if refusal.fields().is_empty() {
            p role="alert" { (refusal.message()) }
        } @else {
            // A list with this role would be none any more.
            div role="alert" {
                ul { @for field in refusal.fields() { li { (field.field) ": " (field.message) } } }
            }
        }
    };
    let page = view::page(status, title, &body);
    Ok(match status {
        429 => page.header("retry-after", refusal.seconds_to_wait().to_string()),
        _ => page,
    })
}
