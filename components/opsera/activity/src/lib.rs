//! Opsera: what people changed, and where tokens were shown.

mod activity;

windlass_core::component! {
    family: Opsera,
    identity: windlass_identity::Families,
    base: "/api/v1",
    routes: {
        GET "/logs/user/actions" => activity::actions;
        GET "/logs/user/tokens" => activity::tokens;
    }
}
