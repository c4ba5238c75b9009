//! The types of tasks, and the names by which older versions of the original called them.

windlass_core::named_enum! {
    /// What is asked for.
    #[derive(PartialOrd, Ord)]
    pub enum TaskType {
        /// A project, and the user who begins with it.
        CreateProjectAndUser = "create_project_and_user" | "create_project" | "signup",
        /// Somebody is to be in a project.
        InviteUserToProject = "invite_user_to_project" | "invite_user",
        /// Somebody forgot their password.
        ResetUserPassword = "reset_user_password" | "reset_password",
        /// Somebody is to be more or less in a project.
        EditUserRoles = "edit_user_roles" | "edit_user",
        /// Somebody has another address.
        UpdateUserEmail = "update_user_email" | "update_email",
        /// A project is to have more or less room.
        UpdateQuota = "update_quota",
    }
}

windlass_core::named_enum! {
    /// What becomes of somebody asking for the same twice.
    pub enum DuplicatePolicy {
        /// The second time is refused.
        Block = "block",
        /// The first time is cancelled.
        Cancel = "cancel",
    }
}
