//! Adjutant: tasks, tokens and notifications, and the requests that create tasks.
//!
//! Paths stand in the singular and in the plural where the original's versions differ. What is below
//! `/account` are pages.

mod account;
mod asked;
mod body;
mod discovery;
mod gate;
mod notifications;
mod outbox;
mod paging;
mod quotas;
mod roles;
mod status;
mod tasks;
mod tokens;
mod users;

windlass_core::component! {
    family: Adjutant,
    identity: windlass_identity::Families,
    base: "",
    routes: {
        GET "/v1" => discovery::version;
        GET "/v1/status" => status::status;

        GET "/v1/tasks" => tasks::list;
        GET "/v1/tasks/{uuid}" => tasks::get;
        PUT "/v1/tasks/{uuid}" => tasks::update;
        POST "/v1/tasks/{uuid}" => tasks::approve;
        DELETE "/v1/tasks/{uuid}" => tasks::cancel;

        GET "/v1/tokens" => tokens::list;
        POST "/v1/tokens" => tokens::reissue;
        DELETE "/v1/tokens" => tokens::delete_expired;
        GET "/v1/tokens/{id}" => tokens::get;
        POST "/v1/tokens/{id}" => tokens::submit;
        GET "/v1/token" => tokens::list;
        POST "/v1/token" => tokens::reissue;
        DELETE "/v1/token" => tokens::delete_expired;
        GET "/v1/token/{id}" => tokens::get;
        POST "/v1/token/{id}" => tokens::submit;

        GET "/v1/notifications" => notifications::list;
        POST "/v1/notifications" => notifications::acknowledge_many;
        GET "/v1/notifications/{uuid}" => notifications::get;
        POST "/v1/notifications/{uuid}" => notifications::acknowledge;
        GET "/v1/notification" => notifications::list;
        POST "/v1/notification" => notifications::acknowledge_many;
        GET "/v1/notification/{uuid}" => notifications::get;
        POST "/v1/notification/{uuid}" => notifications::acknowledge;

        GET "/v1/outbox" => outbox::list;
        GET "/v1/outbox/{uuid}" => outbox::get;

        POST "/v1/openstack/sign-up" => asked::sign_up;
        POST "/v1/actions/CreateProjectAndUser" => asked::sign_up;
        POST "/v1/actions/InviteUser" => asked::invite;
        POST "/v1/openstack/users/password-reset" => asked::reset_password;
        POST "/v1/actions/ResetPassword" => asked::reset_password;
        POST "/v1/openstack/users/password-set" => asked::set_password;
        POST "/v1/openstack/users/email-update" => asked::update_email;
        POST "/v1/openstack/email-update" => asked::update_email;
        POST "/v1/actions/UpdateEmail" => asked::update_email;
        POST "/v1/actions/EditUser" => asked::edit_user;

        GET "/v1/openstack/users" => users::list;
        POST "/v1/openstack/users" => asked::invite;
        GET "/v1/openstack/users/{id}" => users::get;
        DELETE "/v1/openstack/users/{id}" => users::delete;
        GET "/v1/openstack/users/{id}/roles" => users::roles;
        PUT "/v1/openstack/users/{id}/roles" => asked::add_roles;
        DELETE "/v1/openstack/users/{id}/roles" => asked::remove_roles;
        GET "/v1/openstack/roles" => roles::list;
        GET "/v1/openstack/quotas" => quotas::get;
        POST "/v1/openstack/quotas" => quotas::update;

        GET "/account/style.css" => account::style;
        GET "/account/sign-up" => account::sign_up_form;
        POST "/account/sign-up" => account::sign_up;
        GET "/account/password" => account::password_form;
        POST "/account/password" => account::password;
        GET "/account/token/{token}" => account::token_form;
        POST "/account/token/{token}" => account::token;
    }
}
